"""Aim: the statistics of items are those of the textbook, and hold for half-seen suites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from judges.item_analysis import disagreement, discrimination


def table(rows: Sequence[Sequence[float | None]]) -> dict[str, dict[int, float]]:
    return {
        f"i{number}": {column: v for column, v in enumerate(row) if v is not None}
        for number, row in enumerate(rows)
    }


def test_discrimination_is_the_corrected_item_total_correlation() -> None:
    scores = np.random.default_rng(0).random((6, 20))
    found = discrimination(table(scores.tolist()))
    for number in range(6):
        rest = np.delete(scores, number, axis=0).sum(axis=0)
        wanted = stats.pearsonr(scores[number], rest).statistic
        assert found[f"i{number}"] == pytest.approx(float(wanted))


def test_an_item_that_ranks_the_other_way_round_is_negative() -> None:
    able = [0.1, 0.3, 0.5, 0.7, 0.9]
    found = discrimination(table([able, able, able, able[::-1]]))
    assert found["i0"] == pytest.approx(1)
    assert found["i3"] == pytest.approx(-1)


def test_what_says_nothing_has_no_correlation() -> None:
    able: list[float | None] = [0.1, 0.5, 0.9]
    rows: list[list[float | None]] = [
        able,
        able,
        [1.0, 1.0, 1.0],
        [0.2, None, 0.9],
        [None, None, None],
    ]
    found = discrimination(table(rows))
    assert found["i0"] == pytest.approx(1)
    assert (found["i2"], found["i3"], found["i4"]) == (None, None, None)
    assert discrimination({"only": {0: 0.1, 1: 0.5, 2: 0.9}}) == {"only": None}
    assert discrimination({}) == {}


def test_an_ensemble_stopped_after_the_easy_items_counts_as_no_better() -> None:
    # Ensembles 0 to 3 get better; 4 is the worst of all and saw the two easy items only.
    easy: list[list[float | None]] = [[0.80, 0.85, 0.90, 0.95, 0.75], [0.8, 0.85, 0.9, 0.95, 0.75]]
    hard: list[list[float | None]] = [[0.10, 0.15, 0.20, 0.25, None], [0.1, 0.15, 0.2, 0.25, None]]
    found = discrimination(table(easy + hard))
    assert all(value is not None and value > 0.9 for value in found.values())


def test_disagreement_is_the_mean_distance_of_two_judges() -> None:
    assert disagreement([{"a": 0.2, "b": 0.6}, {"a": 1.0, "b": 1.0}]) == pytest.approx(0.2)
    three = {"a": 0.0, "b": 0.5, "c": 1.0}
    assert disagreement([three, {"a": 0.3}]) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert disagreement([{"a": 0.3}, {}]) is None
    assert disagreement([]) is None
