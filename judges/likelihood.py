"""The likelihood of duels under Bradley and Terry's model with a position term, and its maximum.

Many resamples are fitted at once: every array has them first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Indices = NDArray[np.intp]

_STEPS = 60
_TOLERANCE = 1e-7


class Games(NamedTuple):
    """What i, standing first, played against j and won, [draws, i, j]."""

    played: _Floats
    won: _Floats

    @classmethod
    def of(
        cls, size: int, first: _Indices, second: _Indices, played: _Floats, worth: _Floats
    ) -> Games:
        """Return the games of some duels.

        Args:
            size: Number of models.
            first: Who stood first, [duels].
            second: Who stood second, [duels].
            played: What each duel counts, [draws, duels].
            worth: What the first won of it, [duels].
        """
        cells = first * size + second

        def grid(counts: _Floats) -> _Floats:
            rows = [np.bincount(cells, row, size**2) for row in counts]
            return np.stack(rows).astype(np.float64, copy=False).reshape(-1, size, size)

        return cls(grid(played), grid(played * worth))


def maximise(games: Games, start: _Floats, *, positioned: bool) -> _Floats:
    """Return the parameters of highest likelihood, [draws, models + 1], the position term last.

    Newton's method. A step that moves a logit by r > 1 is shortened to log(1 + r) / r of itself:
    so each step climbs, however far away the start (Bach 2010, self-concordance of the logistic
    loss). Where there is no maximum it ends near the limit.

    Args:
        games: The duels, everyone won and lost among them.
        start: Where to begin, [draws, models + 1].
        positioned: Whether the position term is fitted; else it stays.
    """
    found = start.copy()
    for _ in range(_STEPS):
        step = _newton(games, found, positioned=positioned)
        reach = np.ptp(step[:, :-1], axis=1) + np.abs(step[:, -1])
        longer = np.maximum(reach, 1.0)
        found += step * np.where(reach > 1, np.log1p(longer) / longer, 1.0)[:, None]
        if reach.max() < _TOLERANCE:
            break
    return found


def _newton(games: Games, at: _Floats, *, positioned: bool) -> _Floats:
    size = at.shape[1] - 1
    expected = 0.5 + 0.5 * np.tanh(0.5 * _logits(at))
    surplus = games.won - games.played * expected
    spread = games.played * expected * (1 - expected)
    rows, columns = spread.sum(axis=2), spread.sum(axis=1)
    slope = np.empty(at.shape)
    slope[:, :-1] = surplus.sum(axis=2) - surplus.sum(axis=1)
    slope[:, -1] = surplus.sum(axis=(1, 2))
    bend = np.empty((len(at), size + 1, size + 1))
    total = rows.sum(axis=1)
    # Strengths are known up to a constant; a little of its direction makes the matrix regular.
    bend[:, :-1, :-1] = (total / size**2)[:, None, None] - spread - spread.transpose(0, 2, 1)
    bend[:, :-1, -1] = bend[:, -1, :-1] = rows - columns
    bend[:, -1, -1] = total
    diagonal = np.einsum("rii->ri", bend)
    diagonal[:, :-1] += rows + columns
    diagonal += 1e-12 * total[:, None] + 1e-300
    if not positioned:
        bend[:, :-1, -1] = bend[:, -1, :-1] = slope[:, -1] = 0.0
    return np.linalg.solve(bend, slope[:, :, None])[:, :, 0].astype(np.float64, copy=False)


def _logits(at: _Floats) -> _Floats:
    return at[:, -1, None, None] + at[:, :-1, None] - at[:, None, :-1]


def log_likelihood(games: Games, at: _Floats) -> float:
    """Return the log-likelihood of all draws together at some parameters."""
    logits = _logits(at)
    lost = games.played - games.won
    return -float((games.won * np.logaddexp(0, -logits) + lost * np.logaddexp(0, logits)).sum())
