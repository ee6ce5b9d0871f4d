"""The floor of the schedule benchmark: never above the best schedule, and close to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bound import Call, fewest_loads, list_schedule, lower_bound


def best_possible(calls: Sequence[Call], limits: Mapping[str, int]) -> float:
    """Try every order: one of them is the order of starts in an optimal schedule."""
    best = float("inf")
    for order in permutations(calls):
        ends: dict[int, float] = {}
        slots = {endpoint: [0.0] * limit for endpoint, limit in limits.items()}
        for call in order:
            if any(before not in ends for before in call.after):
                break
            mine = slots[call.endpoint]
            slot = mine.index(min(mine))
            start = max([mine[slot], *(ends[before] for before in call.after)])
            mine[slot] = ends[call.id] = start + call.seconds
        else:
            best = min(best, max(ends.values()))
    return best


@st.composite
def small_cases(draw: st.DrawFn) -> tuple[list[Call], dict[str, int]]:
    limits = {"a": draw(st.integers(1, 2)), "b": draw(st.integers(1, 2))}
    calls: list[Call] = []
    for number in range(draw(st.integers(1, 5))):
        after = draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set()
        endpoint = draw(st.sampled_from(sorted(limits)))
        calls.append(Call(number, endpoint, draw(st.integers(1, 9)), tuple(sorted(after))))
    return calls, limits


@given(small_cases())
def test_no_schedule_beats_the_bound(case: tuple[list[Call], dict[str, int]]) -> None:
    best = best_possible(*case)

    assert lower_bound(*case) <= best + 1e-9
    assert list_schedule(*case) >= best - 1e-9


@given(small_cases())
def test_the_bound_is_never_far_below_the_best(case: tuple[list[Call], dict[str, int]]) -> None:
    """Graham: at any time the longest chain moves on or some endpoint is full."""
    assert best_possible(*case) <= (1 + len(case[1])) * lower_bound(*case)


CHAIN = [Call(0, "a", 2.0), Call(1, "b", 3.0, (0,)), Call(2, "a", 4.0, (1,))]
PARALLEL = [Call(n, "a", 1.0) for n in range(6)]
# Four items: a proposal on `a`, an aggregation on `b`, a verdict on `c`.
ITEMS = [
    call
    for item in range(0, 12, 3)
    for call in (
        Call(item, "a", 2.0),
        Call(item + 1, "b", 1.0, (item,)),
        Call(item + 2, "c", 0.5, (item + 1,)),
    )
]
# `b` can begin only when `a` has ended, and a long call on `c` follows whatever ends last.
HEAD_AND_TAIL = [
    Call(0, "a", 5.0),
    *(Call(n, "b", 2.0, (0,)) for n in range(1, 4)),
    *(Call(n + 3, "c", 7.0, (n,)) for n in range(1, 4)),
]


@pytest.mark.parametrize(
    ("calls", "limits", "bound"),
    [
        ([], {"a": 1}, 0.0),
        (CHAIN, {"a": 1, "b": 1}, 9.0),
        (CHAIN, {"a": 2, "b": 2}, 9.0),
        (PARALLEL, {"a": 1}, 6.0),
        (PARALLEL, {"a": 4}, 1.5),
        (ITEMS, {"a": 1, "b": 4, "c": 4}, 8 + 1 + 0.5),
        (ITEMS, {"a": 4, "b": 1, "c": 4}, 2 + 4 + 0.5),
        (HEAD_AND_TAIL, {"a": 1, "b": 1, "c": 3}, 5 + 6 + 7),
        (HEAD_AND_TAIL, {"a": 1, "b": 3, "c": 1}, 5 + 2 + 21),
    ],
)
def test_known_bounds(calls: list[Call], limits: dict[str, int], bound: float) -> None:
    assert lower_bound(calls, limits) == pytest.approx(bound)


def test_only_calls_late_enough_count_behind_a_head() -> None:
    """One early and one late call: the late one's head is not added to both their work."""
    calls = [Call(0, "b", 10.0), Call(1, "a", 3.0), Call(2, "a", 3.0, (0,))]

    assert lower_bound(calls, {"a": 1, "b": 1}) == pytest.approx(13.0)


def test_a_clairvoyant_schedule_comes_close() -> None:
    """A hundred items through three layers: the bound is no idle boast."""
    calls = [
        Call(6 * item + n, f"m{n}", 1.0 + (item * (n + 3)) % 7, after)
        for item in range(100)
        for n, after in enumerate(
            [(), (), (), tuple(6 * item + k for k in range(3)), (6 * item + 3,), (6 * item + 4,)]
        )
    ]
    limits = {f"m{n}": 2 + n for n in range(6)}

    bound = lower_bound(calls, limits)
    assert bound <= list_schedule(calls, limits) <= 1.05 * bound


@pytest.mark.parametrize(
    ("chains", "loads"),
    [
        ([], 0),
        (["a"], 1),
        (["abc"], 3),
        (["abc abc"], 5),  # the last of the first layer begins the second
        (["abcd abcd a d"], 8),  # a b c d, c b a, d
        (["ab b a", "b a b"], 4),  # each alone needs three
        (["a b", "b a"], 3),
    ],
)
def test_the_fewest_loads(chains: list[str], loads: int) -> None:
    assert fewest_loads([[frozenset(s) for s in chain.split()] for chain in chains]) == loads
