"""Who has met whom: without it no strength can be told from the verdicts.

Strengths by maximum likelihood are finite just where everyone can be reached from everyone over
wins (Ford 1957; Zermelo 1929), a tie being half a win of each. With a position term two cycles
more are needed, see `position_limits`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]


def reachable(won: _Floats) -> _Flags:
    """Return who reaches whom over wins, itself included, [n, n].

    Args:
        won: What i won against j in all, [n, n].
    """
    reach = (won > 0) | np.eye(len(won), dtype=np.bool_)
    for _ in range(len(won).bit_length()):
        reach = reach.astype(np.float32) @ reach.astype(np.float32) > 0
    return reach


def position_limits(won: _Floats, lost: _Floats) -> tuple[bool, bool]:
    """Return whether the position term is bounded below and above by the verdicts.

    Let an arc lead from winner to loser, worth +1 where the winner stood first and -1 where it
    stood second. Raising the term for ever costs nothing unless some cycle's worth is negative,
    lowering it unless some cycle's is positive: what keeps the raised term's gains away from
    all losses is a set of difference constraints, and such a set has a solution just where no
    cycle is negative. Unbounded at both ends, it cannot be told from the strengths.

    Args:
        won: What i, standing first, won against j, [n, n]; together with `lost` it leads from
            everyone to everyone.
        lost: What it lost.
    """
    first, second = won > 0, (lost > 0).T
    raised = np.where(second, -1.0, np.where(first, 1.0, np.inf))
    lowered = np.where(first, -1.0, np.where(second, 1.0, np.inf))
    return _negative_cycle(lowered), _negative_cycle(raised)


def _negative_cycle(arcs: _Floats) -> bool:
    """Bellman and Ford: paths that still shorten after n arcs never end."""
    reached = np.zeros(len(arcs))
    for _ in range(len(arcs) + 1):
        before = reached
        reached = np.minimum(before, (before[:, None] + arcs).min(axis=0))
        if np.array_equal(before, reached):
            return False
    return True
