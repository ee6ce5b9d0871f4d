"""Strengths are the optimum of the likelihood, intervals hold the truth, nothing is invented."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations

import choix
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from judges.bradley_terry import Duel, Ranking, elo, fit


def simulated(
    strengths: list[float], questions: int, seed: int, *, position: float = 0.0, ties: float = 0.1
) -> list[Duel]:
    """Return duels of everyone with everyone in both orders on each question."""
    rng = np.random.default_rng(seed)
    duels = []
    for question in range(questions):
        for i, j in permutations(range(len(strengths)), 2):
            wins = rng.random() < 1 / (1 + math.exp(strengths[j] - strengths[i] - position))
            worth = 0.5 if rng.random() < ties else float(wins)
            duels.append(Duel(f"m{i}", f"m{j}", worth, f"q{question}"))
    return duels


def optimum(duels: list[Duel], *, positioned: bool) -> tuple[dict[str, float], float, float]:
    """Return strengths, position term and log-likelihood by scipy, from the definition."""
    names = sorted({name for duel in duels for name in (duel.first, duel.second)})
    first = np.array([names.index(duel.first) for duel in duels])
    second = np.array([names.index(duel.second) for duel in duels])
    worth = np.array([duel.worth for duel in duels])

    def loss(at: NDArray[np.float64]) -> float:
        logits = at[first] - at[second] + (at[-1] if positioned else 0.0)
        return -float(
            (worth * scipy.special.log_expit(logits)).sum()
            + ((1 - worth) * scipy.special.log_expit(-logits)).sum()
        )

    found = scipy.optimize.minimize(loss, np.zeros(len(names) + 1), tol=1e-13)
    strengths = found.x[:-1] - found.x[:-1].mean()
    return dict(zip(names, strengths.tolist(), strict=True)), float(found.x[-1]), -found.fun


def strengths(ranking: Ranking) -> dict[str, float]:
    return {one.model: one.value for one in ranking.strengths}


@pytest.mark.parametrize("position", [-0.6, 0.0, 0.3])
def test_strengths_are_the_optimum_that_scipy_finds(position: float) -> None:
    duels = simulated([1.0, 0.3, 0.0, -0.4, -0.9], 12, 3, position=position)[:-7]
    found = fit(duels, resamples=10)
    wanted, alpha, likelihood = optimum(duels, positioned=True)
    plain = optimum(duels, positioned=False)[2]
    assert found.position is not None
    assert strengths(found) == pytest.approx(wanted, abs=1e-6)
    assert found.position.value == pytest.approx(alpha, abs=1e-6)
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-8)
    assert found.position.ratio == pytest.approx(2 * (likelihood - plain), abs=1e-7)
    assert found.position.p == pytest.approx(scipy.stats.chi2.sf(found.position.ratio, 1))
    assert sum(strengths(found).values()) == pytest.approx(0, abs=1e-12)
    assert [one.model for one in found.strengths] == sorted(wanted, key=lambda m: -wanted[m])


def test_strengths_in_one_order_are_those_of_choix() -> None:
    """Who meets whom gives the order away, so that there is no position to fit."""
    duels = [
        duel
        for duel in simulated([0.8, 0.1, -0.2, -0.7], 20, 5)
        if duel.first in {"m0", "m3"} and duel.second in {"m1", "m2"}
    ]
    found = fit(duels, resamples=10)
    wins = []
    for duel in duels:
        a, b = int(duel.first[1]), int(duel.second[1])
        wins += [(a, b)] * int(2 * duel.worth) + [(b, a)] * int(2 - 2 * duel.worth)
    wanted = choix.ilsr_pairwise(4, wins)
    assert found.position is None
    assert strengths(found) == pytest.approx(
        {f"m{n}": float(value) for n, value in enumerate(wanted)}, abs=1e-6
    )


def test_intervals_without_a_position_term_are_those_of_duels_in_both_orders() -> None:
    """Mirrored duels leave the term at zero, and say no more of strengths than they did."""
    duels = [duel for duel in simulated([0.6, 0.0, -0.6], 20, 7) if duel.first == "m1"]
    mirrored = [Duel(duel.second, duel.first, 1 - duel.worth, duel.question) for duel in duels]
    one, both = fit(duels), fit(duels + mirrored)
    assert one.position is None
    assert both.position is not None
    assert both.position.value == pytest.approx(0, abs=1e-9)
    for a, b in zip(one.strengths, both.strengths, strict=True):
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(permutations("abcd", 2))),
            st.sampled_from([0.0, 0.5, 1.0]),
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=25,
    ),
)
def test_any_verdicts_are_ranked_or_refused(
    drawn: list[tuple[tuple[str, str], float, int]],
) -> None:
    duels = [Duel(*pair, worth, str(question)) for pair, worth, question in drawn]
    won = np.zeros((4, 4))
    for (first, second), worth, _ in drawn:
        won["abcd".index(first), "abcd".index(second)] += worth
        won["abcd".index(second), "abcd".index(first)] += 1 - worth
    if connected_components(won, connection="strong")[0] == 4:
        with pytest.raises(ValueError, match="no finite estimate"):
            fit(duels)
        return
    found = fit(duels, resamples=20)
    inside = {one.model for one in found.strengths}
    assert inside.isdisjoint(found.unranked)
    assert inside | set(found.unranked) == {name for pair, _, _ in drawn for name in pair}
    assert all(map(math.isfinite, strengths(found).values()))
    played = [duel for duel in duels if {duel.first, duel.second} <= inside]
    assert found.duels == len(played)
    positioned = found.position is not None and math.isfinite(found.position.value)
    likelihood = optimum(played, positioned=found.position is not None)[2]
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-4)
    wanted = optimum(played, positioned=positioned)[0]
    assert strengths(found) == pytest.approx(wanted, abs=2e-2)


def test_a_tie_is_half_a_win_of_each() -> None:
    duels = simulated([0.5, 0.0, -0.5], 10, 1, ties=0.4)
    halves = [
        replace(duel, worth=float(worth))
        for duel in duels
        for worth in ([duel.worth] * 2 if duel.worth != 0.5 else [0, 1])
    ]
    assert strengths(fit(duels, resamples=2)) == pytest.approx(strengths(fit(halves, resamples=2)))


def test_the_order_of_the_verdicts_changes_nothing() -> None:
    duels = simulated([0.5, 0.0, -0.5], 10, 2)
    one, two = fit(duels), fit(duels[::-1])
    assert [s.model for s in one.strengths] == [s.model for s in two.strengths]
    for a, b in zip(one.strengths, two.strengths, strict=True):
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))
    assert fit(duels, seed=1).strengths == fit(duels, seed=1).strengths
    assert fit(duels, seed=1).strengths != fit(duels, seed=2).strengths


def test_counts_are_of_duels() -> None:
    worths = [("a", "b", 1.0), ("b", "a", 1.0), ("a", "b", 0.5), ("b", "a", 0.0)]
    found = fit([Duel(*worth, str(n)) for n, worth in enumerate(worths)], resamples=10)
    best = found.strengths[0]
    assert (best.model, best.wins, best.losses, best.ties) == ("a", 2, 1, 1)
    assert (found.questions, found.duels) == (4, 4)


def test_elo_is_rakuda_s() -> None:
    assert elo(0) == 1000
    assert elo(math.log(10)) == pytest.approx(1400)


def test_questions_are_resampled_and_not_duels() -> None:
    """Verdicts repeated within their questions bring no certainty; as questions they would."""
    duels = simulated([0.6, 0.0, -0.6], 15, 8)
    repeated = fit(duels * 4)
    for once, again in zip(fit(duels).strengths, repeated.strengths, strict=True):
        assert (again.low, again.high) == pytest.approx((once.low, once.high), abs=1e-6)
    apart = fit([replace(d, question=f"{d.question}-{n}") for n in range(4) for d in duels])
    for once, alone in zip(repeated.strengths, apart.strengths, strict=True):
        assert alone.high - alone.low < 0.65 * (once.high - once.low)


def test_intervals_cover_the_truth() -> None:
    truths = [1.2, 0.2, -0.4, -1.0]
    hits, seen = 0, 0
    for seed in range(60):
        found = fit(simulated(truths, 15, seed, position=0.2, ties=0), resamples=200)
        assert found.position is not None
        held = [(one.low, truths[int(one.model[1])], one.high) for one in found.strengths]
        held.append((found.position.low, 0.2, found.position.high))
        hits += sum(low <= truth <= high for low, truth, high in held)
        seen += len(held)
    assert 0.91 <= hits / seen <= 0.99


def test_models_are_told_apart_by_paired_differences() -> None:
    """All lean on the same questions, so intervals overlap and differences are plain."""
    duels = []
    for question in range(30):
        lean = 0.3 * (-1) ** question
        for first, second, worth in (("a", "c", 0.62), ("b", "c", 0.6), ("a", "b", 0.52)):
            worth += lean if second == "c" else 0.0
            duels.append(Duel(first, second, worth, f"q{question}"))
            duels.append(Duel(second, first, 1 - worth, f"q{question}"))
    a, b, c = fit(duels).strengths
    assert (a.model, b.model, c.model) == ("a", "b", "c")
    assert a.low < b.value < a.value < b.high
    assert (a.group, b.group) == (1, 2)


def test_equals_share_a_group_and_others_do_not() -> None:
    found = fit(simulated([1.5, 1.5, -1.5, -1.5], 30, 6))
    groups = {one.model: one.group for one in found.strengths}
    assert groups == {"m0": 1, "m1": 1, "m2": 2, "m3": 2}


def test_a_biased_judge_shows() -> None:
    fair = fit(simulated([0.5, 0.0, -0.5], 30, 4)).position
    second = fit(simulated([0.5, 0.0, -0.5], 30, 4, position=-0.8)).position
    assert fair is not None
    assert second is not None
    assert fair.p > 0.05
    assert fair.low < 0 < fair.high
    assert second.p < 0.001
    assert second.high < 0


def test_a_judge_that_always_says_first_is_caught() -> None:
    duels = simulated([0.0, 0.0, 0.0], 10, 0)
    found = fit([replace(duel, worth=1.0) for duel in duels])
    assert found.position is not None
    assert found.position.value == math.inf
    assert (found.position.low, found.position.high) == (-math.inf, math.inf)
    assert found.position.ratio == pytest.approx(2 * len(duels) * math.log(2))
    assert found.position.p < 1e-9
    assert strengths(found) == pytest.approx({"m0": 0, "m1": 0, "m2": 0}, abs=1e-9)
    assert {one.group for one in found.strengths} == {1}


def test_who_won_or_lost_everything_is_named_and_gets_no_number() -> None:
    duels = simulated([0.4, 0.0, -0.4], 10, 9)
    others = [
        Duel(a, b, worth, f"q{n}")
        for n in range(4)
        for a, b, worth in (("m0", "queen", 0.0), ("pawn", "m1", 0.0), ("moon", "sun", 0.5))
    ]
    found = fit(duels + others)
    alone = fit(duels)
    assert found.unranked == {"queen": "above", "pawn": "below", "moon": "apart", "sun": "apart"}
    assert found.strengths == alone.strengths
    assert (found.duels, found.questions) == (len(duels), 10)


def test_the_likelihood_has_its_limit_where_the_circle_is_fitted() -> None:
    """Scipy, left to run, carries off who won everything and leaves the others where we say."""
    duels = simulated([0.4, 0.0, -0.4], 8, 2)
    found = fit([*duels, *(Duel("queen", f"m{n}", 1.0, "q0") for n in range(3))])
    wanted, _, likelihood = optimum(
        [*duels, *(Duel("queen", f"m{n}", 1.0, "q0") for n in range(3))], positioned=True
    )
    gap = wanted["m0"] - wanted["m2"]
    assert wanted["queen"] > 10
    assert strengths(found)["m0"] - strengths(found)["m2"] == pytest.approx(gap, abs=1e-3)
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-3)


def test_a_single_win_is_in_every_resample() -> None:
    """One win in forty: resamples of whole questions would leave it out every third time."""
    duels = [Duel("a", "b", float(n % 2), f"q{n}") for n in range(40)]
    duels += [Duel("c", "a", float(n == 0), f"q{n}") for n in range(40)]
    last = fit(duels).strengths[-1]
    assert last.model == "c"
    assert -15 < last.low < last.value < last.high < 0


def test_no_circle_is_an_error_that_names_the_models() -> None:
    with pytest.raises(ValueError, match="a, b, c have no finite estimate"):
        fit([Duel("a", "b", 1.0, "q"), Duel("b", "c", 1.0, "q"), Duel("a", "c", 1.0, "q")])


def test_one_question_says_nothing() -> None:
    found = fit([Duel("a", "b", 1.0, "q"), Duel("b", "a", 0.5, "q")])
    assert {(one.low, one.high) for one in found.strengths} == {(-math.inf, math.inf)}
    assert {one.group for one in found.strengths} == {1}


@pytest.mark.parametrize(
    ("duels", "fault"),
    [
        ([], "no duels"),
        ([Duel("a", "a", 1.0, "q")], "a meets itself"),
        ([Duel("a", "b", 3.0, "q")], "0 to 1, not 3"),
        ([Duel("a", "b", math.nan, "q")], "0 to 1, not nan"),
    ],
)
def test_what_is_no_duel_is_refused(duels: list[Duel], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        fit(duels)
