"""Harsh and mild, wide and narrow judges on one scale: fitted as told, bounded, better ranked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
import pytest
from scipy.stats import spearmanr

from judges.common_scale import ENOUGH, STRETCH, CommonScale, Line, fit
from tests.support.panels import mark

FAMILIES = {"harsh": "A", "mild": "B", "wide": "C"}
TEMPER = {"harsh": (0.40, 0.10, 0.04), "mild": (0.85, 0.06, 0.03), "wide": (0.55, 0.12, 0.22)}
"""Judge → location, how much of the answer's worth it shows, noise."""


def judged(worth: float, draws: np.random.Generator) -> dict[str, float]:
    """Return what the three judges give to an answer of standardised worth."""
    return {
        name: mark(location + slope * worth + noise * float(draws.normal()))
        for name, (location, slope, noise) in TEMPER.items()
    }


def z_scored(answers: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    columns = {name: [one[name] for one in answers] for name in answers[0]}
    return {name: (fmean(c), float(np.std(c))) for name, c in columns.items()}


def test_where_all_judged_all_it_is_the_z_score_of_each_judge() -> None:
    draws = np.random.default_rng(0)
    answers = [judged(float(draws.normal()), draws) for _ in range(200)]
    scale, known = fit(answers, FAMILIES), z_scored(answers)
    centre = fmean(mean for mean, _ in known.values())
    spread = float(np.exp(fmean(np.log(sd) for _, sd in known.values())))
    for name, (mean, sd) in known.items():
        for given in (0.3, 0.5, 0.7):
            expected = centre + spread * (given - mean) / sd
            assert scale.read(name, given) == pytest.approx(min(1, max(0, expected)), abs=1e-5)
    assert scale.answers == 200
    assert {line.note for line in scale.lines.values()} == {""}


def test_families_weigh_the_same_in_the_panels_own_location() -> None:
    answers = [{"a1": 0.2 + n / 50, "a2": 0.2 + n / 50, "b": 0.8 + n / 50} for n in range(10)] * 2
    scale = fit(answers, {"a1": "A", "a2": "A", "b": "B"})
    read = {n: scale.read(n, one) for n, one in (("a1", 0.29), ("a2", 0.29), ("b", 0.89))}
    assert read == pytest.approx(dict.fromkeys(read, (0.29 + 0.89) / 2), abs=1e-5)


def test_effects_are_those_of_least_squares_where_cells_are_missing() -> None:
    """Against the whole design matrix: a column an answer, a column a judge."""
    draws = np.random.default_rng(1)
    names = ["a", "b", "c"]
    shift = {"a": -0.1, "b": 0.15, "c": 0.0}
    answers, rows, given = [], [], []
    for n in range(90):
        worth = float(draws.uniform(0.3, 0.7))
        silent = names[n % 3]
        seen = {j: worth + shift[j] + float(draws.normal(0, 0.001)) for j in names if j != silent}
        answers.append(seen)
        for j, value in seen.items():
            row = np.zeros(90 + 3)
            row[n] = row[90 + names.index(j)] = 1
            rows.append(row)
            given.append(value)
    effects = np.linalg.lstsq(np.array(rows), np.array(given))[0][90:]
    scale = fit(answers, dict(zip(names, "ABC", strict=True)))
    assert all(line.slope == pytest.approx(1, abs=0.01) for line in scale.lines.values())
    offsets = np.array([scale.lines[j].offset + (scale.lines[j].slope - 1) * 0.5 for j in names])
    assert offsets - offsets.mean() == pytest.approx(-(effects - effects.mean()), abs=2e-3)


@pytest.mark.parametrize("line", [Line(), Line(3, -1.4), Line(1 / 3, 0.6), Line(1, -0.5)])
def test_a_mark_never_counts_less_than_a_lower_one_and_stays_in_bounds(line: Line) -> None:
    scale = CommonScale({"a": line}, 1)
    read = [scale.read("a", n / 100) for n in range(101)]
    assert read == sorted(read)
    assert min(read) == read[0] == 0  # an empty answer is worth nothing to the mildest judge
    assert max(read) <= 1


def test_a_judge_without_spread_is_shifted_and_said() -> None:
    draws = np.random.default_rng(2)
    answers = [{**judged(float(draws.normal()), draws), "flat": 0.9} for _ in range(60)]
    scale = fit(answers, {**FAMILIES, "flat": "D"})
    assert scale.lines["flat"].slope == 1
    assert "same mark" in scale.lines["flat"].note
    others = fit([{k: v for k, v in one.items() if k != "flat"} for one in answers], FAMILIES)
    for name in FAMILIES:
        assert scale.lines[name].slope == pytest.approx(others.lines[name].slope)


def test_no_judge_is_stretched_without_end() -> None:
    answers = [{"a": 0.2 + 0.6 * (n % 2), "b": 0.5 + 0.05 * (n % 2)} for n in range(40)]
    scale = fit(answers, {"a": "A", "b": "B"})
    assert {line.slope for line in scale.lines.values()} == {STRETCH, round(1 / STRETCH, 6)}
    assert all("stretched" in line.note for line in scale.lines.values())


@pytest.mark.parametrize("shared", [0, ENOUGH - 1, ENOUGH])
def test_too_few_answers_in_common_leave_marks_as_they_are_and_it_is_said(shared: int) -> None:
    alone = [{"a": 0.3 + 0.1 * (n % 3)} for n in range(40)]
    both = [{"a": 0.3 + 0.1 * (n % 3), "b": 0.6 + 0.1 * (n % 3)} for n in range(shared)]
    scale = fit(alone + both, {"a": "A", "b": "B"})
    assert (scale.read("b", 0.7) == 0.7) == (shared < ENOUGH)
    assert all(("unscaled" in line.note) == (shared < ENOUGH) for line in scale.lines.values())


def test_one_who_shares_too_little_does_not_spoil_the_others() -> None:
    draws = np.random.default_rng(3)
    answers = [judged(float(draws.normal()), draws) for _ in range(60)]
    scale = fit([*answers, {"late": 0.1}], {**FAMILIES, "late": "D"})
    assert scale.lines["late"] == fit([], {"late": "D"}).lines["late"]
    assert {n: scale.lines[n] for n in FAMILIES} == dict(fit(answers, FAMILIES).lines)


def test_empty_answers_tell_nothing_of_a_judge() -> None:
    draws = np.random.default_rng(4)
    answers = [judged(float(draws.normal()), draws) for _ in range(60)]
    empty = [dict.fromkeys(FAMILIES, 0.0)] * 20
    assert fit(answers + empty, FAMILIES) == fit(answers, FAMILIES)


def test_json_gives_it_back() -> None:
    draws = np.random.default_rng(5)
    scale = fit([judged(float(draws.normal()), draws) for _ in range(60)], FAMILIES)
    assert CommonScale.from_json(json.loads(json.dumps(scale.to_json()))) == scale


def test_a_frozen_panel_ranks_better_than_the_mean_of_raw_marks() -> None:
    """Twelve ensembles on 32 items, scale frozen from five baselines; twenty such studies."""
    raw, frozen = [], []
    for seed in range(20):
        draws = np.random.default_rng(seed)
        items = draws.normal(0, 0.7, 32)
        baselines = [judged(x + y, draws) for y in draws.normal(0, 0.3, 5) for x in items]
        scale = fit(baselines, FAMILIES)
        worths = draws.normal(0.3, 0.25, 12)
        seen = [[judged(x + y, draws) for x in items] for y in worths]
        plain = [fmean(fmean(one.values()) for one in answers) for answers in seen]
        pooled = [
            fmean(fmean(scale.read(j, m) for j, m in one.items()) for one in answers)
            for answers in seen
        ]
        raw.append(spearmanr(plain, worths).statistic)
        frozen.append(spearmanr(pooled, worths).statistic)
    assert fmean(frozen) > fmean(raw) + 0.03
    assert sum(f > r for f, r in zip(frozen, raw, strict=True)) >= 15
