"""The simulation is as spread as real verdicts: the named figures come from shaberi_shisa."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from kumiawase.rehearsal.pool import (
    INTERACTION_SD,
    ITEM_SD,
    MEAN,
    MODEL_SD,
    TASTE_SD,
    VERDICT_SD,
    Pool,
    Questions,
    worth,
)

JUDGES = ("athene-v2", "llama-3.3-70b", "tulu-3-405b")
SCALES = {"elyza100": (1, 5), "tengu": (0, 10), "jamt1shot": (1, 10)}


class Components(NamedTuple):
    """Variances of a fully crossed table models x items x judges, by expected mean squares."""

    mean: float
    model: float
    item: float
    interaction: float
    taste: float
    verdict: float


def table(path: Path, suite: str) -> NDArray[np.float64]:
    """Return models x items x judges on 0-10, items with every verdict in range only."""
    low, high = SCALES[suite]
    cells: dict[tuple[str, int, str], float] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["suite"] == suite and row["judge"] in JUDGES and row["score"]:
                score = float(row["score"])
                if low <= score <= high:
                    key = (row["model"], int(row["item"]), row["judge"])
                    cells[key] = 10 * (score - low) / (high - low)
    models = sorted({model for model, _, _ in cells})
    items = sorted({item for _, item, _ in cells})
    rows = [
        [[cells.get((model, item, judge), np.nan) for judge in JUDGES] for item in items]
        for model in models
    ]
    full = np.array(rows)
    kept: NDArray[np.float64] = full[:, ~np.isnan(full).any(axis=(0, 2))]
    return kept


def components(x: NDArray[np.float64]) -> Components:
    a, b, c = x.shape
    mean = x.mean()
    model, item, judge = x.mean((1, 2)) - mean, x.mean((0, 2)) - mean, x.mean((0, 1)) - mean
    mi = x.mean(2) - mean - model[:, None] - item
    mj = x.mean(1) - mean - model[:, None] - judge
    ij = x.mean(0) - mean - item[:, None] - judge
    rest = x - mean - (model[:, None] + item + mi)[:, :, None] - (judge + mj)[:, None] - ij
    ms_e = (rest**2).sum() / ((a - 1) * (b - 1) * (c - 1))
    ms_mi = c * (mi**2).sum() / ((a - 1) * (b - 1))
    ms_mj = b * (mj**2).sum() / ((a - 1) * (c - 1))
    ms_ij = a * (ij**2).sum() / ((b - 1) * (c - 1))
    ms_m = b * c * (model**2).sum() / (a - 1)
    ms_i = a * c * (item**2).sum() / (b - 1)
    return Components(
        mean=float(mean),
        model=float((ms_m - ms_mi - ms_mj + ms_e) / (b * c)),
        item=float((ms_i - ms_mi - ms_ij + ms_e) / (a * c)),
        interaction=float((ms_mi - ms_e) / c),
        taste=float((ms_mj - ms_e) / b),
        verdict=float(ms_e),
    )


def test_named_figures_are_those_of_real_verdicts(shared: Path) -> None:
    path = shared / "shaberi_shisa" / "scores_dev5.csv.gz"
    found = np.array([components(table(path, suite)) for suite in SCALES]).mean(axis=0)
    pooled = Components(*found)
    assert pooled.mean == pytest.approx(MEAN, abs=0.01)
    assert pooled.model**0.5 == pytest.approx(MODEL_SD, abs=0.01)
    assert pooled.item**0.5 == pytest.approx(ITEM_SD, abs=0.01)
    assert pooled.interaction**0.5 == pytest.approx(INTERACTION_SD, abs=0.01)
    assert pooled.taste**0.5 == pytest.approx(TASTE_SD, abs=0.01)
    assert pooled.verdict**0.5 == pytest.approx(VERDICT_SD, abs=0.01)


def test_simulated_pools_are_spread_like_real_ones() -> None:
    tables = []
    for seed in range(40):
        pool = Pool(seed)
        items = Questions(seed, [f"item {n}" for n in range(96)], [n % 8 for n in range(96)])
        answers = [worth(pool.answer(pool.models[m], 0.7, 0, items)) for m in pool.members]
        x = np.array(answers)
        tables.append(two_way(x))
    mean, model, item, rest = np.array(tables).mean(axis=0)
    assert mean == pytest.approx(MEAN, abs=0.15)
    assert model**0.5 == pytest.approx(MODEL_SD, abs=0.15)
    assert item**0.5 == pytest.approx(ITEM_SD, abs=0.15)
    assert rest**0.5 == pytest.approx(INTERACTION_SD, abs=0.15)


def two_way(x: NDArray[np.float64]) -> tuple[float, float, float, float]:
    a, b = x.shape
    mean = x.mean()
    model, item = x.mean(1) - mean, x.mean(0) - mean
    rest = x - mean - model[:, None] - item
    ms_e = (rest**2).sum() / ((a - 1) * (b - 1))
    ms_m, ms_i = b * (model**2).sum() / (a - 1), a * (item**2).sum() / (b - 1)
    return float(mean), float((ms_m - ms_e) / b), float((ms_i - ms_e) / a), float(ms_e)
