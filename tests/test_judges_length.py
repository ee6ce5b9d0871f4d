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
        slopes.append(found.slope)
    assert np.mean(slopes) == pytest.approx(taste, abs=0.03)
    assert 0.91 <= hits / 150 <= 0.99


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
        assert np.abs(left).max() < 1e-3
        return
    assume(np.abs(left).max() > 1e-3)
    whole = np.column_stack([length, dummies])
    assert found.slope == pytest.approx(np.linalg.lstsq(whole, score)[0][0], abs=1e-6)


def test_adjusted_scores_undo_the_taste() -> None:
    """A padded twin, four times as long, gains two doublings of taste and loses them again."""
    rng = np.random.default_rng(3)
    made = []
    for n in range(200):
        worth = rng.normal(5, 1)
        for model, size in (("plain", 200), ("padded", 800)):
            length = int(size * 2 ** rng.normal(0, 1))
            made.append(ScoredAnswer(f"i{n}", model, float(worth + 0.3 * np.log2(length)), length))
    found = length_effect(made)
    assert found is not None
    assert found.slope == pytest.approx(0.3, abs=1e-6)
    assert found.adjusted["padded"] == pytest.approx(found.adjusted["plain"], abs=1e-6)
    means = [np.mean([one.score for one in made if one.model == m]) for m in ("plain", "padded")]
    assert means[1] - means[0] > 0.5
    assert np.mean(list(found.adjusted.values())) == pytest.approx(np.mean(means))


def test_an_empty_answer_keeps_its_score_and_bends_nothing() -> None:
    made = answers(0.2, 1)
    found = length_effect(made)
    more = length_effect([*made, ScoredAnswer("i0", "mute", 0.0, 0)])
    assert found is not None
    assert more is not None
    assert (more.slope, more.answers) == (found.slope, len(made))
    assert more.adjusted == {**found.adjusted, "mute": 0.0}


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
    ],
)
def test_lengths_that_items_and_models_explain_say_nothing(made: list[ScoredAnswer]) -> None:
    assert length_effect(made) is None
