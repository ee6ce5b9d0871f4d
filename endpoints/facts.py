"""What is learned of servers and models: the facts that a prompt is fitted by."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from data.errors import MalformedReplyError, RejectedError, RequestError, TransientError
from endpoints import listing
from endpoints.dialects import words
from endpoints.ledger import CHARACTERS_PER_TOKEN
from endpoints.specs import ModelSpec

if TYPE_CHECKING:  # openai is loaded by whoever asks a server, by nobody who reads
    from endpoints.endpoint import Endpoint

SURVEY_SECONDS = 5.0
SAMPLE = "東京は日本の首都です。"  # no tokenizer makes one token of it, none more than its bytes


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the prompts of one model are fitted by, from a study's first trial to its last.

    Attributes:
        context: Tokens of prompt and reply together; None is unknown, and then nothing is fitted.
        tokenizer: "file", a name of `words.TOKENIZERS`, or "ratio".
        ratio: Japanese characters a token, where nothing counts.
    """

    context: int | None = None
    tokenizer: str = "ratio"
    ratio: float = CHARACTERS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Window:
    """What fits a model, as an overflow taught it.

    Attributes:
        tokens: Of prompt and reply together, as the server counts.
        scale: Our count of a text over the server's, where ours is too low; else 1.
    """

    tokens: int
    scale: float = 1.0

    def within(self, other: Window) -> bool:
        """Return whether all that fits here fits there."""
        return self.tokens <= other.tokens and self.scale <= other.scale

    def narrowed(self, other: Window) -> Window:
        """Return the window that lies within both."""
        return Window(min(self.tokens, other.tokens), min(self.scale, other.scale))


class Kept(NamedTuple):
    """What is kept of one reference.

    Attributes:
        characters: Kept from the start; all of them where it is 0, a sentence broken off where
            it is negative.
        before, after: Tokens of the whole and of what is kept.
    """

    characters: int
    before: int
    after: int


class PromptFacts(Protocol):
    """Keeps what a study knows of its models.

    The facts are frozen. What an overflow teaches later stands beside them, in the order in which
    it was learned, for requests that are not answered yet; so no request is ever built in two
    ways, and one that has been answered is found again.
    """

    def facts(self, model: str) -> ModelFacts:
        """Return the frozen facts of a model."""

    def corrections(self, model: str) -> tuple[Window, ...]:
        """Return the windows that overflows taught, oldest first."""

    async def correct(self, model: str, window: Window) -> None:
        """Keep a window that an overflow taught."""

    def fit(self, model: str, key: str) -> tuple[Kept, ...] | None:
        """Return how a prompt for a model was fitted, reference by reference."""

    async def keep(self, model: str, key: str, fit: tuple[Kept, ...]) -> None:
        """Keep how a prompt for a model was fitted; the first fit of a key stays."""


@dataclass(slots=True)
class MemoryFacts:
    """`PromptFacts` for as long as the process lives.

    Attributes:
        known: The facts by model; of another model nothing is known.
    """

    known: Mapping[str, ModelFacts]
    windows: dict[str, tuple[Window, ...]] = field(default_factory=dict)
    fits: dict[tuple[str, str], tuple[Kept, ...]] = field(default_factory=dict)

    def facts(self, model: str) -> ModelFacts:
        """Return the frozen facts of a model."""
        return self.known.get(model, ModelFacts())

    def corrections(self, model: str) -> tuple[Window, ...]:
        """Return the windows that overflows taught, oldest first."""
        return self.windows.get(model, ())

    async def correct(self, model: str, window: Window) -> None:
        """Keep a window that an overflow taught."""
        self.windows[model] = (*self.corrections(model), window)

    def fit(self, model: str, key: str) -> tuple[Kept, ...] | None:
        """Return how a prompt for a model was fitted, reference by reference."""
        return self.fits.get((model, key))

    async def keep(self, model: str, key: str, fit: tuple[Kept, ...]) -> None:
        """Keep how a prompt for a model was fitted; the first fit of a key stays."""
        self.fits.setdefault((model, key), fit)


async def survey(
    models: Mapping[str, ModelSpec], endpoints: Mapping[str, Endpoint]
) -> dict[str, ModelFacts]:
    """Ask the servers for context lengths and for a tokenizer; no model is asked anything.

    Returns:
        By model what its server says; a model whose server cannot be reached is left out.
    """
    served: dict[str, list[ModelSpec]] = {}
    for model in models.values():
        served.setdefault(model.endpoint, []).append(model)
    groups = await asyncio.gather(
        *(_survey(endpoints[name], group) for name, group in served.items())
    )
    return {name: facts for group in groups for name, facts in group.items()}


async def _survey(endpoint: Endpoint, models: list[ModelSpec]) -> dict[str, ModelFacts]:
    try:
        async with asyncio.timeout(SURVEY_SECONDS):
            listed = await _listed(endpoint)
            ways = await asyncio.gather(*(_way(endpoint, model) for model in models))
    except (TransientError, TimeoutError):
        return {}
    return {
        model.name: ModelFacts(listing.context_of(listed.get(model.served_name, {})), way)
        for model, way in zip(models, ways, strict=True)
    }


async def _listed(endpoint: Endpoint) -> Mapping[str, Mapping[str, Any]]:
    try:
        return listing.by_name(await endpoint.models())
    except (RejectedError, MalformedReplyError):
        return {}  # it has no list, and answers


async def _way(endpoint: Endpoint, model: ModelSpec) -> str:
    if model.tokenizer:
        return "file"
    if not endpoint.spec.base_url.endswith("/v1"):
        return "ratio"
    for way in words.TOKENIZERS:
        try:
            count = await server_count(endpoint, model, way, SAMPLE)
        except RequestError:
            continue
        if 1 < count <= len(SAMPLE.encode()) + 2:
            return way
    return "ratio"


async def server_count(endpoint: Endpoint, model: ModelSpec, way: str, text: str) -> int:
    """Return a server's own count of a text, without the marks of a chat.

    Raises:
        RequestError: It gave none; 0 where it understood no text.
    """
    path, field_name = words.TOKENIZERS[way]
    body = {"model": model.served_name, field_name: text, "add_special_tokens": False}
    said = await endpoint.beside(path, body)
    if not isinstance(said, dict):
        return 0
    count, tokens = said.get("count"), said.get("tokens")
    if type(count) is int:
        return count
    return len(tokens) if isinstance(tokens, list) else 0
