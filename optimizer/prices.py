"""What a request is expected to take: what was measured, else what is assumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from db.records import Usage
from endpoints.ledger import CHARACTERS_PER_TOKEN
from endpoints.request import Attempt, Role
from endpoints.specs import EndpointSpec, ModelSpec

ENOUGH: Final = 5  # calls of one model in one role whose mean counts as measured

_ASSUMED: Final[Mapping[Role, tuple[int, int]]] = {
    "proposer": (300, 350),
    "aggregator": (1500, 400),
    "judge": (1200, 300),
    "discovery": (3000, 900),
    "audit": (1200, 300),
}
# Characters of our prompts around item and replies, in `moa.prompts` and `judges.prompts`.
_FRAMES: Final[Mapping[Role, int]] = {"proposer": 340, "aggregator": 340, "judge": 950}
_ANSWERS: Final[tuple[Role, ...]] = ("proposer", "aggregator")
_VERDICTS: Final[tuple[Role, ...]] = ("judge", "audit")
TOKENS_PER_SECOND: Final = 30.0


class Take(NamedTuple):
    """What one request takes on average.

    Attributes:
        prompt, reply: Tokens.
        seconds: From sending to the end.
        usd: Price of the tokens and the host's share.
        measured: Whether it was; else it is assumed: an answer of some 400 Japanese characters,
            at the speed of what was measured, or at 30 tokens a second.
    """

    prompt: float
    reply: float
    seconds: float
    usd: float
    measured: bool


class Tariff:
    """Knows what requests cost and take; keeps `optimizer.budget.Prices`.

    Args:
        models: By the name used everywhere.
        endpoints: By name, for hosts that are paid by the hour.
        measured: What the ledger holds; several of a kind are added up.
    """

    def __init__(
        self,
        models: Mapping[str, ModelSpec],
        endpoints: Mapping[str, EndpointSpec],
        measured: Iterable[Usage] = (),
    ) -> None:
        self._models, self._endpoints = models, endpoints
        self._seen: dict[tuple[str, Role], Usage] = {}
        for usage in measured:
            if usage.replies:  # refused connections tell nothing of lengths and speeds
                self._add(usage)

    def free(self, model: str) -> bool:
        """Return whether asking a model costs nothing."""
        spec = self._models[model]
        return not (spec.input_price or spec.output_price or self._rate(model))

    def expected(self, model: str, role: Role) -> float:
        """Return in USD what a request costs, as far as is known; 0 only if it costs nothing."""
        return 0.0 if self.free(model) else self.take(model, role).usd

    def learn(self, attempt: Attempt) -> None:
        """Take note of what an attempt has cost."""
        self._add(
            Usage(
                attempt.model,
                attempt.role,
                1,
                attempt.prompt_tokens,
                attempt.completion_tokens,
                attempt.seconds,
                attempt.usd,
            )
        )

    def take(self, model: str, role: Role) -> Take:
        """Return what a request takes: of this kind, of the model, of the role, or assumed."""
        alike = _alike(role)
        for kinds in (
            [(model, role)],
            [(model, other) for other in alike],
            [(m, r) for m, r in self._seen if r in alike],
        ):
            some = [self._seen[kind] for kind in kinds if kind in self._seen]
            if sum(usage.calls for usage in some) >= ENOUGH:
                pooled = _sum(some)
                return self._priced(model, pooled, pooled.calls)
        prompt, reply = _ASSUMED[role]
        assumed = Usage(model, role, 1, prompt, reply, reply / self._tokens_per_second())
        return self._priced(model, assumed, 1)._replace(measured=False)

    def forecast(
        self,
        model: str,
        role: Role,
        reads: Sequence[str],
        characters: float,
        limit: int,
        context: int | None,
    ) -> Take:
        """Return what a request to come takes, by what it reads.

        Prompts differ more than replies do: theirs is worked out from the item and the replies
        it holds, at the model's own tokens per character; only for a discoverer, whose prompt is
        the archive, as measured.

        Args:
            model: Who is asked.
            role: What for.
            reads: Models whose replies stand in the prompt, one entry a reply.
            characters: What the item puts into the prompt.
            limit: Most tokens of the reply.
            context: Most tokens of prompt and reply together, where known.
        """
        usual = self.take(model, role)
        if role == "discovery":
            return usual
        reply = min(usual.reply, limit)
        frame = _FRAMES[role] if reads else 0
        said = frame + characters + sum(self._characters(name) for name in reads)
        prompt = said * self._tokens_per_character(model)
        if context is not None:
            prompt = min(prompt, max(context - limit, 0) or context)
        spec = self._models[model]
        tokens = (prompt * spec.input_price + reply * spec.output_price) / 1e6
        rent = self._rent(model, usual.seconds)
        return Take(prompt, reply, usual.seconds, tokens + rent, usual.measured)

    def measured(self, role: Role) -> bool:
        """Return whether any model was measured in a role, or one like it."""
        alike = _alike(role)
        return any(r in alike and u.calls >= ENOUGH for (_, r), u in self._seen.items())

    def _priced(self, model: str, seen: Usage, calls: int) -> Take:
        spec = self._models[model]
        prompt, reply = seen.prompt_tokens / calls, seen.completion_tokens / calls
        seconds = seen.seconds / calls
        tokens = (prompt * spec.input_price + reply * spec.output_price) / 1e6
        return Take(prompt, reply, seconds, tokens + self._rent(model, seconds), measured=True)

    def _rent(self, model: str, seconds: float) -> float:
        # A host is charged once for all requests in flight: each bears its part.
        slots = self._endpoints[self._models[model].endpoint].max_concurrency
        return self._rate(model) / 3600 * seconds / slots

    def _characters(self, model: str) -> float:
        """Return the length of a model's answers."""
        seen = [u for (m, r), u in self._seen.items() if m == model and r in _ANSWERS]
        every = [u for (_, r), u in self._seen.items() if r in _ANSWERS]
        for some in (seen, every):
            replies = sum(u.replies for u in some)
            if replies >= ENOUGH:
                return sum(u.characters for u in some) / replies
        return _ASSUMED["aggregator"][1] * CHARACTERS_PER_TOKEN

    def _tokens_per_character(self, model: str) -> float:
        seen = [u for (m, _), u in self._seen.items() if m == model]
        characters = sum(u.characters for u in seen)
        if sum(u.replies for u in seen) < ENOUGH or not characters:
            return 1 / CHARACTERS_PER_TOKEN
        return sum(u.completion_tokens for u in seen) / characters

    def _tokens_per_second(self) -> float:
        """Return how fast the models write, whoever and what for."""
        tokens, seconds = (
            sum(getattr(u, name) for u in self._seen.values())
            for name in ("completion_tokens", "seconds")
        )
        enough = sum(u.calls for u in self._seen.values()) >= ENOUGH
        return tokens / seconds if enough and tokens and seconds else TOKENS_PER_SECOND

    def _rate(self, model: str) -> float:
        return self._endpoints[self._models[model].endpoint].usd_per_hour

    def _add(self, usage: Usage) -> None:
        kind = usage.model, usage.role
        known = self._seen.get(kind)
        self._seen[kind] = usage if known is None else _sum((known, usage))


def _alike(role: Role) -> tuple[Role, ...]:
    """Return the roles whose requests are like a role's."""
    return next((kinds for kinds in (_ANSWERS, _VERDICTS) if role in kinds), (role,))


def _sum(usages: Iterable[Usage]) -> Usage:
    first, *rest = usages
    total = first
    for one in rest:
        total = Usage(
            total.model,
            total.role,
            total.calls + one.calls,
            total.prompt_tokens + one.prompt_tokens,
            total.completion_tokens + one.completion_tokens,
            total.seconds + one.seconds,
            total.usd + one.usd,
            total.characters + one.characters,
            total.replies + one.replies,
        )
    return total
