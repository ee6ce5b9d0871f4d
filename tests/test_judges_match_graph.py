"""What the match graph says of the likelihood is what a linear program finds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse.csgraph
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from judges.match_graph import position_limits, reachable


@st.composite
def results(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each model, standing first, won from and lost to each other one."""
    size = draw(st.integers(2, 5))
    marks = st.lists(
        st.sampled_from([(0, 0), (0, 0), (1, 0), (0, 1), (1, 1)]),
        min_size=size**2,
        max_size=size**2,
    )
    grid = np.array(draw(marks), dtype=np.float64).reshape(size, size, 2)
    grid[range(size), range(size)] = 0
    return grid[..., 0], grid[..., 1]


def circle(won: NDArray[np.float64], lost: NDArray[np.float64]) -> bool:
    return scipy.sparse.csgraph.connected_components(won + lost.T, connection="strong")[0] == 1


@given(results())
def test_reachable_is_the_transitive_closure(
    case: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    won = case[0] + case[1].T
    steps = scipy.sparse.csgraph.shortest_path(won > 0, unweighted=True)
    assert (reachable(won) == np.isfinite(steps)).all()


@given(results())
def test_limits_of_the_position_term_are_those_of_a_linear_program(
    case: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Unbounded above: the term can go up by one, and no duel need become unlikelier."""
    assume(circle(*case))
    bounded = []
    for direction in (-1.0, 1.0):
        rows, limits = [], []
        for won, sign in ((case[0], -1.0), (case[1], 1.0)):
            for i, j in np.argwhere(won > 0):
                row = np.zeros(len(won))
                row[i], row[j] = sign, -sign
                rows.append(row)
                limits.append(-sign * direction)
        found = scipy.optimize.linprog(
            np.zeros(len(case[0])), A_ub=rows, b_ub=limits, bounds=(None, None)
        )
        bounded.append(found.status == 2)
    assert position_limits(*case) == tuple(bounded)


@pytest.mark.parametrize(
    ("won", "lost", "limits"),
    [
        ([[0, 1], [1, 0]], [[0, 1], [1, 0]], (True, True)),
        ([[0, 1], [1, 0]], [[0, 0], [0, 0]], (True, False)),  # the first always wins
        ([[0, 0], [0, 0]], [[0, 1], [1, 0]], (False, True)),
        ([[0, 1], [0, 0]], [[0, 1], [0, 0]], (False, False)),  # one order only
    ],
)
def test_known_limits(
    won: list[list[int]], lost: list[list[int]], limits: tuple[bool, bool]
) -> None:
    assert position_limits(np.array(won, float), np.array(lost, float)) == limits
