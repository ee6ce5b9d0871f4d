"""The slope is a judge's taste for length and nothing that items or models explain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from judges.length import ScoredAnswer, length_effect


def answers(
    taste: float, seed: int, *, items: int = 40, models: int = 6, missing: float = 0.0
) -> list[ScoredAnswer]:
    """Return answers of models that are the better the wordier, to items of all kinds."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 1, items)
    made = []
    for n in range(items):
        for m in range(models):
            if rng.random() >= missing:
                size = int(2 ** (8 + hard[n] + 0.4 * m + rng.normal(0, 0.6)))
                score = 5 - hard[n] + 0.5 * m + taste * np.log2(size) + rng.normal(0, 1)
                made.append(ScoredAnswer(f"i{n}", f"m{m}", float(score), size))
    return made


@pytest.mark.parametrize("taste", [0.0, 0.2])
def test_intervals_cover_the_taste(taste: float) -> None:
    hits, slopes = 0, []
    for seed in range(150):
        found = length_effect(answers(taste, seed, missing=0.1), resamples=300)
        assert found is not None
        hits += found.low <= taste <= found.high
        slopes.append(found.value)
    assert np.mean(slopes) == pytest.approx(taste, abs=0.03)
    assert 0.91 <= hits / 150 <= 0.99


def test_intervals_of_few_items_cover_it_too() -> None:
    found = [length_effect(answers(0.2, n, items=4, models=2), resamples=300) for n in range(300)]
    hits = [one.low <= 0.2 <= one.high for one in found if one is not None]
    assert len(hits) > 290
    assert np.mean(hits) > 0.86  # what is right for means of four items covers it in 82 of 100


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 2000), st.integers(0, 10)),
        min_size=1,
        max_size=30,
    )
)
def test_the_slope_is_that_of_a_regression_with_items_and_models(
    drawn: list[tuple[int, int, int, int]],
) -> None:
    found = length_effect([ScoredAnswer(f"{i}", f"{m}", s, n) for i, m, n, s in drawn])
    item, model, size, score = np.array(drawn).T
    dummies = np.hstack([np.eye(5)[item], np.eye(4)[model]])
    length = np.log2(size)
    left = length - dummies @ np.linalg.lstsq(dummies, length)[0]
    if found is None:
        assert len(set(item[np.abs(left) > 1e-3])) < 3
        return
    assume(np.abs(left).max() > 1e-3)
    whole = np.column_stack([length, dummies])
    assert found.value == pytest.approx(np.linalg.lstsq(whole, score)[0][0], abs=1e-6)


def test_an_empty_answer_bends_nothing() -> None:
    made = answers(0.2, 1)
    assert length_effect([*made, ScoredAnswer("i0", "mute", 0.0, 0)]) == length_effect(made)


def test_repeated_items_bring_no_certainty() -> None:
    made = answers(0.2, 2)
    once, thrice = length_effect(made), length_effect(made * 3)
    assert once is not None
    assert thrice is not None
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert (once.items, once.answers) == (40, 240)


@pytest.mark.parametrize(
    "made",
    [
        [],
        [ScoredAnswer("i", "m", 1.0, 0)],
        [ScoredAnswer(f"i{n}", "m", 1.0, 100 + n) for n in range(9)],  # one answer an item
        [ScoredAnswer(f"i{n}", f"m{k}", 1.0, 50 << k) for n in range(5) for k in range(3)],
        # What is left of two items of two models is the same: no interval could be told.
        [ScoredAnswer(f"i{n}", f"m{k}", n * k, 50 + n * k) for n in range(2) for k in range(2)],
    ],
)
def test_lengths_that_items_and_models_explain_say_nothing(made: list[ScoredAnswer]) -> None:
    assert length_effect(made) is None


def test_it_does_not_matter_whether_items_or_models_are_more() -> None:
    few, many = (length_effect(answers(0.2, 4, items=n, models=46 - n)) for n in (6, 40))
    assert few is not None
    assert many is not None
    assert (few.items, many.items) == (6, 40)
    assert few.value == pytest.approx(0.2, abs=0.2)
    assert many.value == pytest.approx(0.2, abs=0.2)
