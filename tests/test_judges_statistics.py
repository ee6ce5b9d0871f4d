"""Means are those of the definition, intervals hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from judges.statistics import difference, estimate, mean

SCORES = {"a1": 0.2, "a2": 0.4, "b1": 0.9}
STRATA = {"a1": "a", "a2": "a", "b1": "b", "b2": "b"}


def test_mean_of_category_means() -> None:
    assert mean(SCORES, STRATA, {}) == pytest.approx(0.6)
    assert mean(SCORES, STRATA, {"a": 0.75, "b": 0.25}) == pytest.approx(0.45)
    assert mean({"b1": 0.9}, STRATA, {"a": 0.75, "b": 0.25}) == pytest.approx(0.9)


def test_nothing_has_no_mean() -> None:
    for empty in (
        lambda: mean({}, STRATA, {}),
        lambda: estimate({}, STRATA, {}),
        lambda: difference({"a1": 1.0}, {"a2": 1.0}, STRATA, {}),
    ):
        with pytest.raises(ValueError, match="no scores"):
            empty()


def test_unscored_items_are_left_out_and_never_zeros() -> None:
    found = estimate(SCORES, STRATA, {})
    assert found.value == pytest.approx(0.6)
    assert found.items == 3


@given(
    st.dictionaries(st.integers(0, 40), st.tuples(st.integers(0, 4), st.floats(0, 1)), min_size=1)
)
def test_an_interval_holds_its_value_and_ignores_the_order(
    drawn: dict[int, tuple[int, float]],
) -> None:
    scores = {str(key): value for key, (_, value) in drawn.items()}
    strata = {str(key): str(category) for key, (category, _) in drawn.items()}
    found = estimate(scores, strata, {}, resamples=50)
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1
    turned = estimate(dict(reversed(scores.items())), strata, {}, resamples=50)
    assert (turned.low, turned.high) == pytest.approx((found.low, found.high))


def test_one_item_says_nothing() -> None:
    found = estimate({"a1": 0.7}, STRATA, {})
    assert (found.value, found.low, found.high) == (0.7, 0, 1)
    gap = difference({"a1": 0.7}, {"a1": 0.5}, STRATA, {})
    assert (gap.low, gap.high) == (-1, 1)


def test_two_equal_gaps_prove_nothing() -> None:
    gap = difference({"a1": 0.7, "a2": 0.6}, {"a1": 0.6, "a2": 0.5}, STRATA, {})
    assert gap.low < 0 < gap.value


def test_large_categories_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    values = rng.beta(2, 2, 120)
    scores = {str(n): float(value) for n, value in enumerate(values)}
    found = estimate(scores, dict.fromkeys(scores, "all"), {}, resamples=20000)
    oracle = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20000, rng=rng
    ).confidence_interval
    t = scipy.stats.t.interval(0.95, 119, values.mean(), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx(oracle, abs=0.003)
    assert (found.low, found.high) == pytest.approx(t, abs=0.002)


def test_small_categories_agree_with_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(5)
    groups = rng.normal(0.5, 0.05, (8, 6)) + np.linspace(-0.3, 0.3, 8)[:, None]
    scores = {f"{c}-{n}": float(groups[c, n]) for c in range(8) for n in range(6)}
    found = estimate(scores, {key: key[0] for key in scores}, {}, resamples=20000)
    error = np.sqrt(groups.var(axis=1, ddof=1).mean() / groups.size)
    half = scipy.stats.t.ppf(0.975, 40) * error
    assert (found.low, found.high) == pytest.approx(
        (found.value - half, found.value + half), abs=0.12 * half
    )


def test_the_same_seed_gives_the_same_interval() -> None:
    scores = {str(n): n / 20 for n in range(20)}
    strata = {key: str(int(key) % 3) for key in scores}
    assert estimate(scores, strata, {}, seed=4) == estimate(scores, strata, {}, seed=4)
    assert estimate(scores, strata, {}, seed=4) != estimate(scores, strata, {}, seed=5)


def coverage(sizes: list[int], kind: str, runs: int = 400) -> float:
    """Return how often the 95 % interval holds the true mean of what was drawn."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(runs):
        truths = rng.uniform(0.35, 0.85, len(sizes))
        scores, strata = {}, {}
        for category, (truth, size) in enumerate(zip(truths, sizes, strict=True)):
            ruled = kind == "rules" and category < 3
            for n in range(size):
                drawn = rng.random() < truth if ruled else rng.beta(4 * truth, 4 * (1 - truth))
                scores[f"{category}-{n}"] = float(drawn)
                strata[f"{category}-{n}"] = str(category)
        found = estimate(scores, strata, {}, resamples=300)
        hits += found.low <= truths.mean() <= found.high
    return hits / runs


@pytest.mark.parametrize("kind", ["ratings", "rules"])
@pytest.mark.parametrize("sizes", [[2] * 4 + [1] * 4, [2] * 8, [3] * 8, [8] * 8])
def test_intervals_cover_the_truth(sizes: list[int], kind: str) -> None:
    assert coverage(sizes, kind) >= 0.9


@pytest.mark.parametrize("sizes", [[1] * 8, [9, 9, 9, 2, 2, 1, 1, 1]])
def test_categories_of_one_item_do_not_feign_certainty(sizes: list[int]) -> None:
    assert coverage(sizes, "rules") >= 0.9


def test_unequal_weights_widen_what_one_category_decides() -> None:
    rng = np.random.default_rng(2)
    scores = {f"{c}-{n}": float(rng.random()) for c in range(8) for n in range(8)}
    strata = {key: key[0] for key in scores}
    equal = estimate(scores, strata, {})
    heavy = estimate(scores, strata, {str(c): 0.93 if c == 0 else 0.01 for c in range(8)})
    assert heavy.high - heavy.low > 2 * (equal.high - equal.low)


def test_a_large_category_is_as_sure_as_its_own_items() -> None:
    rng = np.random.default_rng(2)
    scores = {f"{c}-{n}": float(rng.random() < 0.5) for c in range(8) for n in range(8)}
    scores |= {f"0-{n}": 0.7 + n / 1000 for n in range(8)}
    strata = {key: key[0] for key in scores}
    found = estimate(scores, strata, {str(c): 0.93 if c == 0 else 0.01 for c in range(8)})
    assert found.high - found.low < 0.07


def test_difference_is_paired() -> None:
    rng = np.random.default_rng(7)
    b = {str(n): float(rng.uniform(0, 0.9)) for n in range(64)}
    a = {key: value + float(rng.uniform(0.02, 0.08)) for key, value in b.items()}
    strata = {key: str(int(key) % 8) for key in b}
    gap = difference({**a, "only": 1.0}, b, strata, {})
    assert 0 < gap.low < 0.05 < gap.high + 0.01
    assert (gap.items, gap.wins, gap.losses, gap.ties) == (64, 64, 0, 0)
    separate = estimate(a, strata, {})
    assert gap.high - gap.low < (separate.high - separate.low) / 4
    back = difference(b, a, strata, {})
    assert back.value == pytest.approx(-gap.value)
    assert (back.wins, back.losses) == (0, 64)


def test_equal_scores_are_ties_in_spite_of_rounding() -> None:
    gap = difference({"a1": 0.1 + 0.2, "b1": 0.5}, {"a1": 0.3, "b1": 0.4}, STRATA, {})
    assert (gap.wins, gap.losses, gap.ties) == (1, 0, 1)
