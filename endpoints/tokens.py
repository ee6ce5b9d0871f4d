"""How many tokens a text is, before it is sent.

A tokenizer file that the user named counts first; then the server's own tokenizer; then a ratio
of characters to tokens. Nothing here asks a model anything.
"""

from __future__ import annotations

import asyncio
import importlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import ConfigError, RequestError
from data.observer import Observer
from endpoints.facts import PromptFacts, server_count
from endpoints.specs import ModelSpec

if TYPE_CHECKING:  # openai is loaded by whoever asks a server, by nobody who reads
    from endpoints.endpoint import Endpoint

PER_MESSAGE = 8  # tokens that a chat template writes around a message, at most, and
PER_PROMPT = 32  # once a prompt: roles, dates, a system text of its own
ASCII_WEIGHT = 1 / 3  # a token holds some three times as many Latin characters as Japanese ones
LONG = 50_000  # characters that are counted outside the loop's thread
KEPT = 4096  # counts remembered
AT_ONCE = 8  # requests to one server's tokenizer
LEARNED_FROM = 200  # tokens of a prompt that says something about the ratio
LEAST_RATIO, LARGEST_RATIO = 0.25, 4.0

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class TokenizerLost:
    """A server's tokenizer no longer answers; from now on its model's tokens are estimated."""

    model: str
    reason: str


def units(text: str) -> float:
    """Return the length of a text in Japanese characters, Latin ones weighed as a third of one."""
    size = len(text)
    wide = min(size, (len(text.encode("utf-8", "surrogatepass")) - size) / 2)
    return wide + (size - wide) * ASCII_WEIGHT


class Tokens:
    """Counts tokens for all models.

    Args:
        models: By name.
        endpoints: By name; asked where a server has a tokenizer.
        facts: Say which way each model's tokens are counted.
        observer: Hears of `TokenizerLost`, once a model.

    Raises:
        ConfigError: A tokenizer file cannot be used.
    """

    def __init__(
        self,
        models: Mapping[str, ModelSpec],
        endpoints: Mapping[str, Endpoint],
        facts: PromptFacts,
        observer: Observer,
    ) -> None:
        self._models = models
        self._endpoints = endpoints
        self._facts = facts
        self._observer = observer
        self._files = {n: tokenizer(m.tokenizer) for n, m in models.items() if m.tokenizer}
        self._kept: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._lost: set[str] = set()
        self._seen: dict[str, tuple[float, int]] = {}

    def exact(self, model: str) -> bool:
        """Return whether a model's tokens are counted, not estimated."""
        return self._way(model) != "ratio"

    def estimate(self, model: str, text: str) -> int:
        """Return the tokens of a text by the model's frozen ratio."""
        return math.ceil(units(text) / self._facts.facts(model).ratio)

    async def count(self, model: str, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text; what was counted before costs nothing."""
        if not self.exact(model):
            return [self.estimate(model, text) for text in texts]
        found = {t: self._kept[model, t] for t in texts if (model, t) in self._kept}
        missing = [t for t in dict.fromkeys(texts) if t not in found]
        if missing:
            counted = await self._count(model, missing)
            if counted is None:
                return [self.estimate(model, text) for text in texts]
            found |= zip(missing, counted, strict=True)
        for text, number in found.items():
            self._kept[model, text] = number
            self._kept.move_to_end((model, text))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return [found[text] for text in texts]

    def learn(self, model: str, texts: Sequence[str], tokens: int) -> None:
        """Take note of what a server counted in a prompt of these messages."""
        tokens -= PER_PROMPT + PER_MESSAGE * len(texts)
        if tokens >= LEARNED_FROM:
            seen, total = self._seen.get(model, (0.0, 0))
            self._seen[model] = seen + sum(map(units, texts)), total + tokens

    def learned(self) -> dict[str, float]:
        """Return by model the characters a token that servers have shown so far."""
        ratios = {model: seen / total for model, (seen, total) in self._seen.items()}
        return {m: min(max(r, LEAST_RATIO), LARGEST_RATIO) for m, r in ratios.items()}

    def _way(self, model: str) -> str:
        way = self._facts.facts(model).tokenizer
        if way == "file":
            return way if model in self._files else "ratio"
        served = self._models[model].endpoint in self._endpoints and model not in self._lost
        return way if served else "ratio"

    async def _count(self, model: str, texts: Sequence[str]) -> list[int] | None:
        if self._way(model) != "file":
            return await self._ask(model, texts)
        file = self._files[model]
        if sum(map(len, texts)) > LONG:
            return await asyncio.to_thread(lambda: list(map(file, texts)))
        return list(map(file, texts))

    async def _ask(self, model: str, texts: Sequence[str]) -> list[int] | None:
        spec, way = self._models[model], self._facts.facts(model).tokenizer
        endpoint = self._endpoints[spec.endpoint]
        gate = self._gates.setdefault(spec.endpoint, asyncio.Semaphore(AT_ONCE))

        async def one(text: str) -> int:
            async with gate:
                return await server_count(endpoint, spec, way, text) if text else 0

        try:
            counts = await asyncio.gather(*map(one, texts))
        except RequestError as error:
            self._give_up(model, str(error))
            return None
        if any(text and not number for text, number in zip(texts, counts, strict=True)):
            self._give_up(model, "it makes no tokens of a text")
            return None
        return counts

    def _give_up(self, model: str, reason: str) -> None:
        if model not in self._lost:
            self._lost.add(model)
            self._observer.notice(TokenizerLost(model, reason))


@cache
def tokenizer(path: str) -> Count:
    """Return the counter of a tokenizer file: a `tokenizer.json`, or else a SentencePiece model.

    Raises:
        ConfigError: There is no such file, it is of neither kind, or the library is missing.
    """
    if not Path(path).is_file():
        raise ConfigError("no such file", place=path, remedy="correct `tokenizer` of the model")
    return _tokenizers(path) if path.endswith(".json") else _sentencepiece(path)


def _sentencepiece(path: str) -> Count:
    from sentencepiece import SentencePieceProcessor

    try:
        found = SentencePieceProcessor(model_file=path)
    except (RuntimeError, OSError) as error:
        raise _unreadable(path, error) from None
    return lambda text: len(found.encode(_plain(text)))


def _tokenizers(path: str) -> Count:
    try:
        library = importlib.import_module("tokenizers")
    except ImportError:
        raise ConfigError(
            "needs the library `tokenizers`", place=path, remedy="install kumiawase[tokenizers]"
        ) from None
    try:
        found = library.Tokenizer.from_file(path)
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception
        raise _unreadable(path, error) from None
    return lambda text: len(found.encode(_plain(text), add_special_tokens=False).ids)


def _unreadable(path: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"no tokenizer ({' '.join(str(error).split())[:120]})",
        place=path,
        remedy="correct `tokenizer` of the model",
    )


def _plain(text: str) -> str:
    """Return a text without lone surrogates, at which the libraries stop."""
    return text.encode("utf-8", "replace").decode()
