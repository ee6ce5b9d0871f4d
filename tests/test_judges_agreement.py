"""Agreement is what scipy and the definitions say, ties and rounding included."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from judges.agreement import (
    Consistency,
    Preferences,
    agreement,
    consistency,
    kappa,
    preferences,
    spearman,
    weighted_kappa,
)
from judges.bradley_terry import Duel

marks = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=3, max_size=30)


@given(marks)
def test_spearman_is_scipy_s(pairs: list[tuple[int, int]]) -> None:
    a, b = zip(*pairs, strict=True)
    found = spearman(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(scipy.stats.spearmanr(a, b).statistic)


@given(marks, st.booleans())
def test_kappas_are_those_of_the_table_of_marks(
    pairs: list[tuple[int, int]], quadratic: bool
) -> None:
    a, b = zip(*pairs, strict=True)
    table = np.zeros((6, 6))
    np.add.at(table, (a, b), 1 / len(pairs))
    chance = np.outer(table.sum(axis=1), table.sum(axis=0))
    far = np.subtract.outer(np.arange(6), np.arange(6)) ** 2
    weights = far if quadratic else far > 0
    found = weighted_kappa(a, b) if quadratic else kappa(a, b)
    if len({*a, *b}) == 1:
        assert found is None
    else:
        assert found == pytest.approx(1 - (weights * table).sum() / (weights * chance).sum())


def test_kappa_of_a_known_table() -> None:
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    a, b = zip(*pairs, strict=True)
    assert kappa(a, b) == pytest.approx(0.4)


def test_only_answers_scored_by_both_count() -> None:
    a = {"1": 0.1, "2": 0.5, "3": 0.9, "4": 0.3, "only": 1.0}
    b = {"1": 0.2, "2": 0.5, "3": 0.9, "4": 0.1 + 0.2, "other": 0.0}
    found = agreement(a, b)
    assert (found.answers, found.equal) == (4, 0.75)
    assert found.spearman == pytest.approx(1.0)
    assert found.kappa == pytest.approx((0.75 - 3 / 16) / (1 - 3 / 16))
    assert found.weighted_kappa == pytest.approx(1 - 0.0025 / 0.16)


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(ValueError, match="no answer was scored by both"):
        agreement({"a": 1.0}, {"b": 1.0})


def test_rounding_parts_no_equal_scores() -> None:
    a, b = [0.1 + 0.2, 0.3, 0.7], [0.3, 0.1 + 0.2, 0.7]
    assert spearman(a, b) == pytest.approx(1.0)
    assert kappa(a, b) == pytest.approx(1.0)
    assert weighted_kappa(a, b) == pytest.approx(1.0)
    by_answer = [{("i", str(n)): x for n, x in enumerate(scores)} for scores in (a, b)]
    assert preferences(*by_answer) == Preferences(3, 0, 0)


@given(st.permutations(range(7)))
def test_preferences_without_ties_are_kendall_s_tau(order: list[int]) -> None:
    a = {("i", str(n)): float(n) for n in range(7)}
    b = {("i", str(n)): float(rank) for n, rank in enumerate(order)}
    found = preferences(a, b)
    tau = scipy.stats.kendalltau(range(7), order).statistic
    assert found.share == pytest.approx((tau + 1) / 2)
    assert found.half == 0


def test_preferences_compare_answers_to_the_same_item() -> None:
    a = {("i", "x"): 1.0, ("i", "y"): 0.5, ("i", "z"): 0.5, ("j", "x"): 0.2, ("j", "y"): 0.4}
    b = {("i", "x"): 0.3, ("i", "y"): 0.4, ("i", "z"): 0.4, ("j", "x"): 0.4, ("j", "y"): 0.4}
    assert preferences(a, b) == Preferences(agreed=1, opposed=2, half=1)
    assert preferences({}, {}).share is None


@pytest.mark.parametrize(
    ("forth", "back", "found"),
    [
        (1.0, 0.0, Consistency(1, 0, 0, 0)),
        (0.0, 1.0, Consistency(1, 0, 0, 0)),
        (0.5, 0.5, Consistency(1, 0, 0, 0)),
        (1.0, 1.0, Consistency(0, 1, 0, 0)),
        (0.0, 0.0, Consistency(0, 0, 1, 0)),
        (1.0, 0.5, Consistency(0, 0, 0, 1)),
        (0.5, 0.0, Consistency(0, 0, 0, 1)),
    ],
)
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_both_orders_of_a_pair(
    forth: float, back: float, found: Consistency, names: tuple[str, str]
) -> None:
    a, b = names
    duels = [Duel(a, b, forth, "q"), Duel(b, a, back, "q"), Duel(b, a, back, "once")]
    assert consistency(duels) == found
    assert found.share == float(found.same)


def test_several_verdicts_of_one_order_are_averaged() -> None:
    duels = [Duel("a", "b", worth, "q") for worth in (1.0, 0.0, 0.0)]
    assert consistency([*duels, Duel("b", "a", 1.0, "q")]) == Consistency(1, 0, 0, 0)
    assert consistency(duels).share is None
