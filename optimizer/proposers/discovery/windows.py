"""Do the references fit their readers at all?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from endpoints.facts import PromptFacts, Window
from endpoints.tokens import PER_MESSAGE, PER_PROMPT, Tokens
from moa.engine import MaxTokens
from moa.ensemble import Agent, Ensemble
from optimizer.archive import Archive
from optimizer.proposers.discovery.faults import Fault

USEFUL = 64  # tokens; of a reference cut to less nothing can be learned


class Windows:
    """Refuses ensembles whose references would be cut to nothing on a middling item.

    Args:
        facts: The models' windows.
        tokens: Estimates; nobody is asked.
        texts: Prompt texts by digest.
        max_tokens: Bounds of the replies.
        questions: What is asked, one text an item.
    """

    def __init__(
        self,
        facts: PromptFacts,
        tokens: Tokens,
        texts: Mapping[str, str],
        max_tokens: MaxTokens,
        questions: Sequence[str],
    ) -> None:
        self._facts, self._tokens = facts, tokens
        self._texts, self._max, self._questions = texts, max_tokens, questions
        self._middling: dict[str, float] = {}

    async def fault(self, ensemble: Ensemble, archive: Archive) -> Fault | None:  # noqa: ARG002
        """Return which reader has no room for what it would read."""
        for agent, references, limit in self._readers(ensemble):
            room = self._room(agent, limit)
            if room is not None and room < USEFUL * references:
                most = max(0, int(room // USEFUL))
                sentence = f"the window of {agent.model} holds {most} of {references} references"
                return Fault("context", sentence, {"references": most})
        return None

    def _readers(self, ensemble: Ensemble) -> Iterator[tuple[Agent, int, int]]:
        for before, layer in zip(ensemble.layers, ensemble.layers[1:], strict=False):
            yield from ((agent, _draws(before), self._max.proposer) for agent in layer)
        if ensemble.layers:
            yield ensemble.aggregator, _draws(ensemble.layers[-1]), self._max.aggregator

    def _room(self, agent: Agent, limit: int) -> float | None:
        """Return tokens for references as our count has them; None for an unknown window."""
        context = self._facts.facts(agent.model).context
        corrections = self._facts.corrections(agent.model)
        window = corrections[-1] if corrections else None if context is None else Window(context)
        if window is None or agent.prompt is None:
            return None
        frame = PER_PROMPT + 2 * PER_MESSAGE
        room = (window.tokens - min(limit, window.tokens // 2) - frame) * window.scale
        prompt = self._tokens.estimate(agent.model, self._texts[agent.prompt])
        return room - prompt - self._question(agent.model)

    def _question(self, model: str) -> float:
        if model not in self._middling:
            sizes = [self._tokens.estimate(model, text) for text in self._questions]
            self._middling[model] = median(sizes) if sizes else 0.0
        return self._middling[model]


def _draws(layer: Sequence[Agent]) -> int:
    return sum(agent.n for agent in layer)
