"""What the best of many scores is too high by, against simulations that know the truth."""

from __future__ import annotations

import numpy as np
import pytest

from db.inflation import inflation

ITEMS, NOISE = 40, 0.2


def _simulated(rng: np.random.Generator, worths: list[float]) -> tuple[float, float]:
    """Return the estimate and what really was luck in the best of some scores."""
    difficulty = rng.normal(0, 0.3, ITEMS)  # of the items: common to all, no luck in choosing
    table = np.array(worths)[:, None] + difficulty + rng.normal(0, NOISE, (len(worths), ITEMS))
    rows = [{str(i): float(value) for i, value in enumerate(row)} for row in table]
    strata = {str(i): f"c{i % 4}" for i in range(ITEMS)}
    best = int(table.mean(1).argmax())
    luck = float((table - difficulty)[best].mean() - worths[best])
    return inflation(rows, strata, {}, resamples=300), luck


@pytest.mark.parametrize(("worths", "most"), [([0.5] * 12, 1.3), ([0.5, 0.9], 1.0)])
def test_the_estimate_is_near_what_was_luck(worths: list[float], most: float) -> None:
    rng = np.random.default_rng(0)
    pairs = np.array([_simulated(rng, worths) for _ in range(60)])
    guess, luck = pairs.mean(0)
    se = NOISE / ITEMS**0.5
    if len(worths) > 2:
        assert 0.5 * luck < guess < most * luck
        assert luck > se
    else:
        assert guess < se / 4  # nothing was chosen by luck


def test_one_ensemble_and_no_shared_item_are_no_luck() -> None:
    strata = {"1": "a", "2": "a"}
    assert inflation([{"1": 0.5, "2": 0.7}], strata, {}) < 0.02
    assert inflation([{"1": 0.5}, {"2": 0.7}], strata, {}) == 0.0


def test_items_that_some_lack_hide_no_luck() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(0.5, NOISE, (60, ITEMS)) + rng.normal(0, 0.3, ITEMS)
    strata = {str(i): f"c{i % 4}" for i in range(ITEMS)}
    whole = [{str(i): float(value) for i, value in enumerate(row)} for row in table]
    # Each lacks another item: not one is left that all have.
    holey = [{i: v for i, v in row.items() if int(i) != n % ITEMS} for n, row in enumerate(whole)]
    full = inflation(whole, strata, {})
    assert inflation(holey, strata, {}) == pytest.approx(full, rel=0.2)


def test_a_category_that_one_lacks_counts_as_its_mean() -> None:
    strata = {"1": "a", "2": "a", "3": "b"}
    rows = [{"1": 0.2, "2": 0.4, "3": 0.5}, {"1": 0.5, "2": 0.5}]
    assert inflation(rows, strata, {"a": 0.7, "b": 0.3}) == 0.0
