"""What a judge gives for length alone, and scores without it.

The slope is that of the score over the binary logarithm of the answer's length in characters,
items and models held fixed: neither items that need long answers nor models that are better and
wordier count as a judge's taste. What is left is length that differs from what its item and its
model would let expect. AlpacaEval 2 holds the same two fixed (Dubois et al. 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judges.clusters import RESAMPLES, cluster_weights, interval

_Floats = NDArray[np.float64]
_Indices = NDArray[np.intp]

_STILL = 1e-9


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """A scored answer and its length.

    Attributes:
        item, model: What was asked, and who answered: a model's or an ensemble's name.
        score: In any unit.
        length: Characters; an answer of none tells nothing of length.
    """

    item: str
    model: str
    score: float
    length: int


@dataclass(frozen=True, slots=True)
class LengthEffect:
    """What length is worth.

    Attributes:
        slope, low, high: Score per doubling of the length, in the score's unit, with the 95 %
            interval over items.
        adjusted: Model → mean score with the length term at its mean.
        answers: Scored answers of at least one character.
        items: Those with lengths that items and models do not explain, on which it rests.
    """

    slope: float
    low: float
    high: float
    adjusted: dict[str, float]
    answers: int
    items: int


def length_effect(
    answers: Sequence[ScoredAnswer], *, resamples: int = RESAMPLES, seed: int = 0
) -> LengthEffect | None:
    """Return the worth of length, or None where items and models explain all lengths.

    The adjusted score of a model is its mean score less the slope times how many doublings its
    answers are, on average, longer than all answers to the same items.
    """
    sized = [answer for answer in answers if answer.length > 0]
    if not sized:
        return None
    item, model = (
        np.unique(names, return_inverse=True)[1]
        for names in ([one.item for one in sized], [one.model for one in sized])
    )
    size = np.log2([answer.length for answer in sized])
    score = np.array([answer.score for answer in sized], dtype=np.float64)
    x, y = (_residuals(values, item, model) for values in (size, score))
    products, squares = (np.bincount(item, x * each) for each in (y, x))
    telling = squares > _STILL
    if not telling.any():
        return None
    products, squares = products[telling], squares[telling]
    slope = float(products.sum() / squares.sum())
    weights = cluster_weights(len(squares), resamples, seed)
    draws = (weights @ products) / (weights @ squares)
    low, high = interval(np.array(slope), draws, len(squares))
    adjusted = _adjusted(answers, sized, slope * _within(size, item))
    return LengthEffect(slope, float(low), float(high), adjusted, len(sized), len(squares))


def _within(values: _Floats, item: _Indices) -> _Floats:
    """Return what values are above the mean of their item."""
    return values - (np.bincount(item, values) / np.bincount(item))[item]


def _residuals(values: _Floats, item: _Indices, model: _Indices) -> _Floats:
    """Return what items and models leave unexplained, by least squares."""
    answers = np.zeros((item.max() + 1, model.max() + 1))
    np.add.at(answers, (item, model), 1.0)
    shares = answers / answers.sum(axis=1, keepdims=True)
    left = _within(values, item)
    normal = np.diag(answers.sum(axis=0)) - answers.T @ shares
    effects = np.linalg.lstsq(normal, np.bincount(model, left))[0]
    return left - _within(effects[model], item)


def _adjusted(
    answers: Sequence[ScoredAnswer], sized: Sequence[ScoredAnswer], gained: _Floats
) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for answer in answers:
        sums.setdefault(answer.model, []).append(answer.score)
    bonus = dict.fromkeys(sums, 0.0)
    for answer, gain in zip(sized, gained.tolist(), strict=True):
        bonus[answer.model] += gain
    return {name: (sum(own) - bonus[name]) / len(own) for name, own in sorted(sums.items())}
