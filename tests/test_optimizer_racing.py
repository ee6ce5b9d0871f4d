"""Racing stops what cannot win, and seldom what could: its error is measured, not believed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from data.suites.item import Item
from optimizer.items import stratified
from optimizer.racing import FEWEST, MOST_LOOKS, Standing, compare, looks

RUNS = 1500
LEVEL, SLACK = 0.05, 0.015  # 2.7 standard errors of a share of 5 % in so many runs


def items(categories: int, each: int) -> list[Item]:
    found = [
        Item(f"{c}-{i}", str(c), ("問い",), "search")
        for c in range(categories)
        for i in range(each)
    ]
    return stratified(found, 0)


@pytest.mark.parametrize(("categories", "each"), [(1, 50), (2, 20), (4, 5), (8, 8), (12, 3)])
def test_the_first_look_comes_after_every_category_was_seen_twice(
    categories: int, each: int
) -> None:
    order = items(categories, each)
    planned = looks(order)
    assert planned == sorted(set(planned))
    assert planned[-1] == len(order)
    assert len(planned) <= MOST_LOOKS
    assert planned[0] >= FEWEST
    for look in planned[:-1]:
        seen = [item.category for item in order[:look]]
        counts = {seen.count(category) for category in seen}
        assert len(counts) == 1  # whole rounds: no category weighs more than another
        assert min(counts) >= 2


@pytest.mark.parametrize(("categories", "each"), [(1, 1), (1, 2), (3, 1), (0, 0)])
def test_a_short_suite_is_looked_at_once_when_it_is_done(categories: int, each: int) -> None:
    order = items(categories, each)
    assert looks(order) == [len(order)]


def one_category(
    candidate: dict[str, float], incumbent: dict[str, float], planned: int
) -> Standing:
    return compare(candidate, incumbent, planned, dict.fromkeys(candidate, "c"), {})


def _normal(rng: np.random.Generator, worse: float, size: int) -> NDArray[np.float64]:
    return rng.normal(0.6 - worse, 0.25, size)


def _rated(rng: np.random.Generator, worse: float, size: int) -> NDArray[np.float64]:
    return np.round(np.clip(rng.normal(7 - 10 * worse, 1.5, size), 1, 10)) / 10


def _pruned(draw: object, categories: int, each: int, worse: float) -> float:
    """Return which share of candidates is stopped before the end."""
    rng, order = np.random.default_rng(1), items(categories, each)
    planned, stopped = looks(order), 0
    for _ in range(RUNS):
        assert callable(draw)
        incumbent = dict(zip((i.id for i in order), draw(rng, 0.0, len(order)), strict=True))
        scores = dict(zip((i.id for i in order), draw(rng, worse, len(order)), strict=True))
        for look in planned[:-1]:
            seen = {item.id: float(scores[item.id]) for item in order[:look]}
            if compare(
                seen, incumbent, len(planned), {i.id: i.category for i in order}, {}
            ).hopeless:
                stopped += 1
                break
    return stopped / RUNS


SHAPES = [(1, 50), (2, 20), (4, 10), (8, 8), (12, 3)]  # 10, 9, 9, 7 and 2 looks


@pytest.mark.parametrize("draw", [_normal, _rated], ids=["normal", "ratings"])
@pytest.mark.parametrize(("categories", "each"), SHAPES)
def test_an_equal_candidate_is_seldom_stopped(draw: object, categories: int, each: int) -> None:
    assert _pruned(draw, categories, each, 0.0) <= LEVEL + SLACK


@pytest.mark.parametrize(("categories", "each"), SHAPES)
def test_a_clearly_worse_candidate_is_mostly_stopped(categories: int, each: int) -> None:
    assert _pruned(_rated, categories, each, 0.2) > 0.8


def test_a_better_candidate_is_hardly_ever_stopped() -> None:
    assert _pruned(_rated, 8, 8, -0.1) < 0.005


def test_the_constants_are_those_of_pocock() -> None:
    """Equally spaced looks at a random walk cross the constant with 5 % probability."""
    walks = np.random.default_rng(0).standard_normal((200_000, MOST_LOOKS)).cumsum(axis=1)
    deviates = np.maximum.accumulate(walks / np.sqrt(np.arange(1, MOST_LOOKS + 1)), axis=1)
    for planned in range(1, MOST_LOOKS + 1):
        crossed = float((deviates[:, planned - 1] > _bound(planned)).mean())
        assert crossed == pytest.approx(LEVEL, abs=0.0015)  # 3 standard errors


def _bound(planned: int) -> float:
    """Return at which deviate a huge sample becomes hopeless: there t is normal."""
    n = 4000
    pairs = np.tile([-1.0, 1.0], n // 2)
    incumbent = {str(i): 0.0 for i in range(n)}

    def hopeless(deviate: float) -> bool:
        shift = deviate * float(pairs.std(ddof=1)) / n**0.5
        scores = {str(i): float(pair) - shift for i, pair in enumerate(pairs)}
        return one_category(scores, incumbent, planned).hopeless

    low, high = 0.0, 4.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if hopeless(middle) else (middle, high)
    return high


@pytest.mark.parametrize("n", [8, 12, 20])
def test_few_pairs_are_held_to_student_t(n: int) -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(0, 1, n)
    pairs = (pairs - pairs.mean()) / pairs.std(ddof=1)
    incumbent = {str(i): 0.0 for i in range(n)}
    edge = -stats.t.ppf(stats.norm.sf(1.875), n - 1) / n**0.5  # two looks
    for factor, expected in ((0.98, False), (1.02, True)):
        scores = {str(i): float(pair - factor * edge) for i, pair in enumerate(pairs)}
        assert one_category(scores, incumbent, 2).hopeless is expected


@pytest.mark.parametrize("n", range(FEWEST))
def test_too_few_pairs_are_never_hopeless(n: int) -> None:
    scores, incumbent = {str(i): 0.1 for i in range(n)}, {str(i): 0.9 for i in range(FEWEST)}
    found = one_category(scores, incumbent, 1)
    assert not found.hopeless
    assert found.difference == pytest.approx(-0.8 if n else 0.0)


def test_only_items_that_both_have_are_compared() -> None:
    incumbent = {str(i): 0.5 for i in range(10)}
    scores = {str(i): 0.5 for i in range(5)} | {f"x{i}": 0.0 for i in range(20)}
    assert one_category(scores, incumbent, 3) == one_category(incumbent, incumbent, 3)
    assert not one_category(incumbent, incumbent, 3).hopeless


def test_the_same_fault_everywhere_is_hopeless_and_rounding_is_not() -> None:
    incumbent = {str(i): 0.7 for i in range(10)}
    worse = {str(i): 0.7 - 0.1 for i in range(10)}
    rounded = {str(i): 0.1 * 7 for i in range(10)}
    assert one_category(worse, incumbent, 5).hopeless
    almost = {k: v + 1e-16 for k, v in incumbent.items()}
    assert not one_category(rounded, almost, 5).hopeless


def test_a_candidate_better_as_the_study_weighs_is_seldom_stopped() -> None:
    """Four small categories share half of the score; one large one has the other half."""
    rng = np.random.default_rng(0)
    strata = {f"s{i}": f"c{i % 4}" for i in range(20)} | {f"e{i}": "e" for i in range(20)}
    weights = {f"c{i}": 0.125 for i in range(4)} | {"e": 0.5}
    order = [f"s{i}" for i in range(8)] + ["e0", "e1"]  # the first look: categories twice each
    stopped = 0
    for _ in range(RUNS):
        noise = rng.normal(0, 0.15, (2, len(order)))
        gain = np.array([-0.2 if name[0] == "s" else 0.25 for name in order])
        candidate = dict(zip(order, 0.5 + gain + noise[0], strict=True))
        incumbent = dict(zip(order, 0.5 + noise[1], strict=True))
        stopped += compare(candidate, incumbent, 9, strata, weights).hopeless
    assert stopped / RUNS <= LEVEL
