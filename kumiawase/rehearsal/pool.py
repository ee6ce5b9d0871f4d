"""A pool instance: what each simulated model is like, and what an ensemble of them is worth.

Everything a model does is a *margin*, in logits: how far an answer rises above the difficulty of
its item. `worth` maps margins to the scale 0-10. The same functions serve one question of a
request (`kumiawase.rehearsal.reply`) and the fixed population behind `Pool.quality`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from data.digest import digest
from kumiawase.rehearsal import draws
from moa import prompts
from moa.ensemble import Agent, Ensemble, single

Margins = NDArray[np.float64]

CATEGORIES = (
    "数学",
    "論理・推論",
    "抽出・構造化",
    "日本の知識",
    "文章・敬語",
    "対話・ロールプレイ",
    "資料つき質問応答",
    "関数呼び出し",
)

# Standard deviations on the scale 0-10, from real verdicts: docs/design/rehearsal.md says how,
# tests/test_kumiawase_rehearsal_spread.py computes them again and holds the simulation to them.
MODEL_SD = 0.38
ITEM_SD = 1.88
INTERACTION_SD = 1.72
VERDICT_SD = 1.19
TASTE_SD = 0.06
MEAN = 7.37

# The same spread in logits, chosen so that `worth` shows the figures above.
_LEVEL, _SKILL, _CATEGORY = 1.72, 0.25, 0.35
_FAMILY, _OWN, _DIFFICULTY = 0.60, 0.80, 1.40
_DRAW = 0.70  # per unit of temperature
_SYNTHESIS_NOISE = 0.30
_OFF_TEMPERATURE = 0.60

# How a synthesis comes about.
_WEAK, _OWN_SHARE, _DEPTH, _WIDTH = 0.30, 0.15, 0.08, 0.10

# Pools with one outstanding model: a share where it is best alone, because every synthesis
# loses much, and a share where it is best among its own draws.
_ALONE, _SELF = 0.10, 0.22
_STAR, _CROWD, _LOSSY = 0.90, -0.60, 0.35

POOR = -3.0  # a reference that holds no simulated answer
CUT = 2.5  # what an answer loses when all of it is cut off
_STEP, _BOUND = 100.0, 8.0  # margins travel in text: two digits behind the point

FAMILIES = ("daifuku", "senbei", "yokan", "dango", "monaka", "judge")
_MEMBERS = {
    "sim/daifuku-7b": ("daifuku", 7, 8192),
    "sim/daifuku-70b": ("daifuku", 70, 8192),
    "sim/senbei-8x7b": ("senbei", 47, 32768),
    "sim/senbei-13b": ("senbei", 13, 8192),
    "sim/yokan-8b": ("yokan", 8, 16384),
    "sim/yokan-32b": ("yokan", 32, 32768),
    "sim/dango-14b": ("dango", 14, 16384),
    "sim/monaka-3b": ("monaka", 3, 4096),
}
JUDGES = ("sim/judge", "sim/judge-2")
DISCOVERER = "sim/discoverer"
NAMES = (*_MEMBERS, *JUDGES, DISCOVERER)


@dataclass(frozen=True, slots=True)
class SimModel:
    """One simulated model.

    Attributes:
        family: Models of one family share part of their errors and like each other's answers.
        skill: Logits by category, in the order of `CATEGORIES`.
        best_temperature: Where it answers best.
        synthesis: Share of the way from the mean to the best reference it finds, 0 to 1;
            independent of `skill`.
        robustness: How little a weak reference draws it down, 0 to 1.
        breadth: References it weighs without loss.
        loss: Logits every synthesis costs it, however good.
        length: Typical characters of an answer.
        context: Tokens of prompt and reply together.
        tokens_per_character: What its tokenizer makes of Japanese.
        pace: Median time of a reply, in units of the server's time scale.
        input_price, output_price: USD per million tokens.
        verdict_sd: Noise of its verdicts when it judges, scale 0-10.
        tastes: What it adds to an answer of each of `FAMILIES` when it judges, scale 0-10.
    """

    name: str
    family: str
    skill: tuple[float, ...]
    best_temperature: float
    synthesis: float
    robustness: float
    breadth: int
    loss: float
    length: int
    context: int
    tokens_per_character: float
    pace: float
    input_price: float
    output_price: float
    verdict_sd: float
    tastes: tuple[float, ...]

    def tokens(self, text: str) -> int:
        """Return how many tokens its tokenizer makes of a text."""
        return math.ceil(len(text) * self.tokens_per_character)


class Questions:
    """Some questions as the models of one pool meet them: an array has one entry a question."""

    def __init__(self, seed: int, keys: Sequence[str], categories: Sequence[int]) -> None:
        self._seed, self._keys = seed, tuple(keys)
        self._categories = np.array(categories)
        self._noise: dict[tuple[object, ...], Margins] = {}

    def noise(self, *parts: object) -> Margins:
        """Return standard normal draws that belong to `parts`, one a question."""
        if parts not in self._noise:
            values = [draws.normal(self._seed, *parts, key) for key in self._keys]
            self._noise[parts] = np.array(values, dtype=np.float64)
        return self._noise[parts]

    def skill(self, model: SimModel) -> Margins:
        """Return the skill a model brings to the category of each question."""
        skills: Margins = np.array(model.skill, dtype=np.float64)[self._categories]
        return skills


def worth(margins: Margins) -> Margins:
    """Return what answers are worth, 0-10."""
    scaled: Margins = 10 / (1 + np.exp(-margins))
    return scaled


class Pool:
    """An instance: eight members, two judges and a discoverer, all from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.members = tuple(_MEMBERS)
        self.models = {model.name: model for model in _models(seed)}

    def answer(
        self, model: SimModel, temperature: float, draw: int, questions: Questions
    ) -> Margins:
        """Return the margins of a model's own answers; `draw` is nothing at temperature 0."""
        plain = self._plain(model, temperature, questions)
        return _travelled(plain + _draw(model, temperature, draw, 0, questions))

    def synthesis(
        self,
        model: SimModel,
        temperature: float,
        draw: int,
        references: Sequence[Margins],
        generation: int,
        questions: Questions,
    ) -> Margins:
        """Return the margins of the answers a model writes from references.

        It finds part of the way from their mean to the best of them, is drawn down by the
        weakest, and loses by more references than it can weigh and by depth.

        Args:
            model: Who writes.
            temperature: Its temperature.
            draw: Which draw at this temperature.
            references: At least one; each has one entry a question.
            generation: One more than the references' own; plain answers are generation 0.
            questions: What is asked.
        """
        count = len(references)
        mean = reduce(np.add, references) / count
        found = model.synthesis * (reduce(np.maximum, references) - mean)
        pulled = (1 - model.robustness) * _WEAK * (mean - reduce(np.minimum, references))
        own = _OWN_SHARE * (self._plain(model, temperature, questions) - mean)
        cost = model.loss + _WIDTH * max(0, count - model.breadth) + _DEPTH * (generation > 1)
        noise = _SYNTHESIS_NOISE * questions.noise("synthesis", model.name, generation)
        noise = noise + _draw(model, temperature, draw, generation, questions)
        return _travelled(mean + found - pulled + own - cost + noise)

    def quality(self, ensemble: Ensemble) -> float:
        """Return the noiseless worth of an ensemble, 0-10: the mean over 400 simulated items.

        No judge takes part, and the items are no suite's: fitting the items of a search costs.
        Draw k has seed k. Prompts, context limits and token limits change nothing here.
        """
        references: list[Margins] = []
        for generation, layer in enumerate(ensemble.layers):
            references = [
                self._reply(agent, draw, references, generation)
                for agent in layer
                for draw in range(agent.n)
            ]
        final = self._reply(ensemble.aggregator, 0, references, len(ensemble.layers))
        return float(worth(final).mean())

    @cached_property
    def digest(self) -> str:
        """Digest of what some ensembles are worth: whatever moves a worth changes it."""
        return digest([round(self.quality(ensemble), 4) for ensemble in _probes(self.members)])

    @cached_property
    def _population(self) -> Questions:
        numbers = range(400)
        keys = [f"population {number}" for number in numbers]
        return Questions(self.seed, keys, [number % len(CATEGORIES) for number in numbers])

    def _plain(self, model: SimModel, temperature: float, questions: Questions) -> Margins:
        off = _OFF_TEMPERATURE * (temperature - model.best_temperature) ** 2
        errors = _FAMILY * questions.noise("family", model.family)
        errors = errors + _OWN * questions.noise("own", model.name)
        return questions.skill(model) + errors - _DIFFICULTY * questions.noise("difficulty") - off

    def _reply(
        self, agent: Agent, draw: int, references: Sequence[Margins], generation: int
    ) -> Margins:
        model, items = self.models[agent.model], self._population
        if not references:
            return self.answer(model, agent.temperature, draw, items)
        return self.synthesis(model, agent.temperature, draw, references, generation, items)


def _draw(
    model: SimModel, temperature: float, draw: int, generation: int, questions: Questions
) -> Margins | float:
    if temperature <= 0:
        return 0.0
    noise = questions.noise("draw", model.name, generation, draw)
    return _DRAW * min(temperature, 1.0) * noise


def _travelled(margins: Margins) -> Margins:
    return np.rint(np.clip(margins, -_BOUND, _BOUND - 1 / _STEP) * _STEP) / _STEP


def _models(seed: int) -> list[SimModel]:
    kind = draws.unit(seed, "character")
    star = list(_MEMBERS)[draws.whole(seed, "star") % len(_MEMBERS)] if kind < _SELF else ""
    members = [_member(seed, name, star, alone=kind < _ALONE) for name in _MEMBERS]
    return [*members, *(_outsider(seed, name) for name in (*JUDGES, DISCOVERER))]


def _member(seed: int, name: str, star: str, *, alone: bool) -> SimModel:
    family, size, context = _MEMBERS[name]
    general = _LEVEL + _SKILL * draws.normal(seed, "skill", name)
    synthesis = 1 / (1 + math.exp(0.2 - 0.9 * draws.normal(seed, "synthesis", name)))
    if name == star:
        general, synthesis = _LEVEL + _STAR, max(synthesis, 0.65)
    elif star:
        general, synthesis = general + _CROWD, min(synthesis, 0.35)
    return SimModel(
        name=name,
        family=family,
        skill=_skills(seed, name, general),
        best_temperature=draws.unit(seed, "temperature", name),
        synthesis=synthesis,
        robustness=0.2 + 0.7 * draws.unit(seed, "robustness", name),
        breadth=3 + draws.whole(seed, "breadth", name) % 4,
        loss=0.12 * draws.unit(seed, "loss", name) + _LOSSY * alone,
        length=int(100 + 160 * draws.unit(seed, "length", name)),
        context=context,
        tokens_per_character=0.55 + 0.4 * draws.unit(seed, "tokenizer", family),
        pace=1 + size / 20,
        input_price=0.0125 * size,
        output_price=0.0125 * size,
        verdict_sd=1.6 * VERDICT_SD,
        tastes=_tastes(seed, name, family),
    )


def _outsider(seed: int, name: str) -> SimModel:
    """Return a model that is no member; its answers are a good member's."""
    return SimModel(
        name=name,
        family="judge",
        skill=_skills(seed, name, _LEVEL + _SKILL),
        best_temperature=0.0,
        synthesis=0.5,
        robustness=0.6,
        breadth=4,
        loss=0.0,
        length=220,
        context=131072,
        tokens_per_character=0.8,
        pace=1.5,
        input_price=2.5,
        output_price=10.0,
        verdict_sd=VERDICT_SD,
        tastes=(0.0,) * len(FAMILIES) if name == JUDGES[0] else _tastes(seed, name, ""),
    )


def _skills(seed: int, name: str, general: float) -> tuple[float, ...]:
    return tuple(general + _CATEGORY * draws.normal(seed, "skill", name, c) for c in CATEGORIES)


def _tastes(seed: int, name: str, own: str) -> tuple[float, ...]:
    """Return a judge's tastes; 0.4 points for one's own family: docs/design/rehearsal.md."""
    return tuple(
        TASTE_SD * draws.normal(seed, "taste", name, family) + 0.4 * (family == own)
        for family in FAMILIES
    )


def _probes(members: Sequence[str]) -> list[Ensemble]:
    prompt = prompts.digest("aggregate_ja")
    first = tuple(Agent(name, 0.7, 2) for name in members[:3])
    second = tuple(Agent(name, 0.0, prompt=prompt) for name in members)
    return [
        *(single(name, 0.0) for name in members),
        *(Ensemble((first, second), Agent(name, 0.7, prompt=prompt)) for name in members),
    ]
