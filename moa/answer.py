"""What an ensemble answered, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass

from data.digest import digest


@dataclass(frozen=True, slots=True)
class Lost:
    """A reference that never reached the agent it was meant for.

    Attributes:
        layer: Counted from 1.
        reason: "empty", "cut", "filtered", … : an outcome of the ledger, or why it was dropped.
    """

    turn: int
    layer: int
    model: str
    draw: int
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An ensemble's answer to one conversation.

    Attributes:
        texts: One text a turn; an empty one where the aggregator gave none.
        aggregator: The model that wrote them.
        models: All models that took part.
        keys: Keys of the completions it was made of, in the order of the references.
        lost: References dropped on the way; not empty means the answer is marked.
        cut: Whether a text ran into its token limit.
        seconds: Sum over turns and layers of the slowest reply; no time in a queue.
        calls, prompt_tokens, completion_tokens, usd: Sums over the completions.
    """

    texts: tuple[str, ...]
    aggregator: str
    models: frozenset[str]
    keys: tuple[str, ...]
    lost: tuple[Lost, ...]
    cut: bool
    seconds: float
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float

    @property
    def marked(self) -> bool:
        """Whether it was made of fewer references than the ensemble has."""
        return bool(self.lost)

    @property
    def digest(self) -> str:
        """Digest of the texts."""
        return digest(list(self.texts))
