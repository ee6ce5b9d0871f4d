"""What an ensemble answered, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass

from data.digest import digest


@dataclass(frozen=True, slots=True)
class Lost:
    """A reference that never reached the agent it was meant for, or a prompt that did in part.

    Attributes:
        layer: Counted from 1; the aggregator stands behind the last.
        reason: "empty", "cut", "filtered", … : an outcome of the ledger, or why it was dropped;
            "prompt_cut" where the server itself cut the prompt of `model`, whose reply is used.
    """

    turn: int
    layer: int
    model: str
    draw: int
    reason: str


@dataclass(frozen=True, slots=True)
class Shortened:
    """A reference that a reader saw only the beginning of, because its window holds no more.

    Attributes:
        layer: Where the reference is from, counted from 1.
        model, draw: Who wrote it.
        reader: The model that read it.
        before, after: Tokens of the whole and of what was read, by the reader's tokenizer or our
            estimate.
    """

    turn: int
    layer: int
    model: str
    draw: int
    reader: str
    before: int
    after: int

    @property
    def label(self) -> str:
        """What was cut, in one line."""
        whence = f"{self.model} (layer {self.layer}, draw {self.draw})"
        return f"{whence} for {self.reader}: {self.after} of {self.before} tokens"


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
        shortened: References cut to fit a reader's window. They do not mark the answer: the
            ensemble is what its windows let it be.
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
    shortened: tuple[Shortened, ...] = ()

    @property
    def marked(self) -> bool:
        """Whether it was made of less than the ensemble has: references lost, a prompt cut."""
        return bool(self.lost)

    @property
    def digest(self) -> str:
        """Digest of the texts."""
        return digest(list(self.texts))
