"""The synthetic problem: 12 models x 8 categories, ensembles of 1 to 3 layers, 60 noisy items.

Each model has a skill by category, a family whose errors it shares, a best temperature and, of
its own, skill and robustness as an aggregator. A layer's model gains from the best reference and
from diversity in proportion to that skill, and loses to weak ones, to widths above 4 and to
depth. Scores pass a sigmoid; the judge adds noise of one point, the same for an answer each time.
The truth is the noiseless mean over 600 other items.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.problem import Floats, suite_of
from data.suites import Split
from moa.ensemble import Ensemble
from optimizer.space import Space

MODELS, CATEGORIES, FAMILIES, WARMTHS, ITEMS, POPULATION, DEPTH = 12, 8, 5, 3, 60, 600, 3
Whole = NDArray[np.int64]
NAMES = tuple(f"m{i:02d}" for i in range(MODELS))
TEMPERATURES = (0.0, 0.35, 0.7)
PROMPT = "sha256:" + "0" * 64


class Config(NamedTuple):
    """An ensemble as numbers: (sorted models, temperature) a layer, then the aggregator."""

    layers: tuple[tuple[tuple[int, ...], int], ...]
    aggregator: int


class _Spread:
    """What the models make of some items."""

    def __init__(
        self, rng: np.random.Generator, skills: Floats, family: Whole, best: Whole, count: int
    ) -> None:
        category = np.arange(count) % CATEGORIES
        difficulty = rng.normal(0, 0.7, count)
        shared = rng.normal(0, 0.6, (FAMILIES, count))
        own = rng.normal(0, 0.6, (MODELS, count))
        warmths = np.arange(WARMTHS)
        noise = rng.normal(0, 1, (WARMTHS, MODELS, count)) * (0.2 * (1 + warmths))[:, None, None]
        off = -0.12 * (warmths[:, None] - best[None]) ** 2
        self.plain = (
            skills[:, category][None] + shared[family][None] + own[None] + noise
            + off[:, :, None] - difficulty
        )  # fmt: skip
        self.written = rng.normal(0, 0.2, (DEPTH + 1, MODELS, count))


class Space12(Space):
    """The problem's ensembles: the aggregator's temperature changes nothing."""

    @property
    def answering(self) -> tuple[float, ...]:
        """One temperature."""
        return TEMPERATURES[:1]


class Synthetic:
    """One instance.

    Args:
        seed: 0 to 9 are the instances of docs/design/search.md.
        best: The best worth known, if it is.
    """

    def __init__(self, seed: int, best: float = float("nan")) -> None:
        rng = np.random.default_rng(1000 + seed)
        level = rng.normal(0, 0.6, MODELS)
        skills = level[:, None] + rng.normal(0, 0.5, (MODELS, CATEGORIES))
        family = rng.permutation(np.arange(MODELS) % FAMILIES)
        warmth = rng.integers(0, WARMTHS, MODELS)
        self._skill = 1 / (1 + np.exp(-(rng.normal(0.3, 1.0, MODELS) + 0.5 * level)))
        self._robust = rng.uniform(0.2, 0.9, MODELS)
        self._search = _Spread(rng, skills, family, warmth, ITEMS)
        self._population = _Spread(rng, skills, family, warmth, POPULATION)
        self._fresh = _Spread(rng, skills, family, warmth, ITEMS)
        self.seed, self.best = seed, best
        self.space: Space = Space12(NAMES, NAMES, DEPTH, 6, 1, TEMPERATURES, (PROMPT,))
        names = [f"category {c}" for c in range(CATEGORIES)]
        halves: tuple[Split, Split] = ("search", "held_out")
        texts = [(names[i % 8], half, f"{half} {i}") for half in halves for i in range(ITEMS)]
        counts = np.bincount(np.arange(ITEMS) % CATEGORIES) / ITEMS
        self.suite = suite_of(texts, dict(zip(names, counts.tolist(), strict=True)))
        self._worths: dict[Config, float] = {}
        self._scores: dict[tuple[Config, str], Floats] = {}

    def scores(self, ensemble: Ensemble, half: Split) -> Floats:
        """Return noisy scores, 0..1."""
        return self.judged(config_of(ensemble), half)

    def judged(self, config: Config, half: Split = "search") -> Floats:
        """Return noisy scores, 0..1, the same for a configuration each time."""
        if (config, half) not in self._scores:
            spread = self._search if half == "search" else self._fresh
            told = repr((self.seed, tuple(config), *([half] if half != "search" else [])))
            noise = np.random.default_rng(zlib.crc32(told.encode())).normal(0, 1.0, ITEMS)
            self._scores[config, half] = np.clip(self._latent(config, spread) + noise, 0, 10) / 10
        return self._scores[config, half]

    def worth(self, ensemble: Ensemble) -> float:
        """Return the true worth, 0-10."""
        return self.value(config_of(ensemble))

    def value(self, config: Config) -> float:
        """Return the true worth, 0-10."""
        if config not in self._worths:
            self._worths[config] = float(self._latent(config, self._population).mean())
        return self._worths[config]

    def _latent(self, config: Config, spread: _Spread) -> Floats:
        models, warmth = config.layers[0]
        read = spread.plain[warmth][list(models)]
        for depth, (models, warmth) in enumerate(config.layers[1:], 1):
            written = [self._synthesis(m, read, spread, warmth, depth) for m in models]
            read = np.stack(written)
        last = self._synthesis(config.aggregator, read, spread, 0, len(config.layers))
        found: Floats = 10 / (1 + np.exp(-(0.8 * last + 0.5)))
        return found

    def _synthesis(
        self, model: int, read: Floats, spread: _Spread, warmth: int, depth: int
    ) -> Floats:
        count, mean = len(read), read.mean(0)
        written = mean.copy()
        if count > 1:
            skill, weak = self._skill[model], (1 - self._robust[model]) * 0.25
            written = skill * (read.max(0) + 0.35 * read.std(0)) + (1 - skill) * mean
            written -= weak * (mean - read.min(0)) + 0.08 * max(0, count - 4)
        own = spread.plain[warmth][model]
        found: Floats = written + 0.15 * (own - mean) + spread.written[depth, model]
        return found - 0.12 * (depth > 1)


def config_of(ensemble: Ensemble) -> Config:
    """Return the configuration; a single model reads its own answer."""
    writer = NAMES.index(ensemble.aggregator.model)
    layers = tuple(
        (tuple(NAMES.index(a.model) for a in layer), TEMPERATURES.index(layer[0].temperature))
        for layer in ensemble.layers
    )
    return canonical(layers or [((writer,), 0)], writer)


def canonical(layers: Sequence[tuple[Sequence[int], int]], aggregator: int) -> Config:
    """Return the configuration with its sets sorted."""
    return Config(tuple((tuple(sorted(set(ms))), int(t)) for ms, t in layers), int(aggregator))
