"""What a judge gives for length alone.

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
_FEWEST = 3  # items: with two models, what is left of two items is the same but for its sign


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
class Slope:
    """What a doubling of the length goes with, in the score's unit.

    Attributes:
        value, low, high: With the 95 % interval over items.
        answers: Scored answers of at least one character.
        items: Those with lengths that items and models do not explain, on which it rests.
    """

    value: float
    low: float
    high: float
    answers: int
    items: int

    @property
    def significant(self) -> bool:
        """Whether it is more than chance."""
        return not self.low <= 0 <= self.high


def length_effect(
    answers: Sequence[ScoredAnswer], *, resamples: int = RESAMPLES, seed: int = 0
) -> Slope | None:
    """Return what a doubling goes with, or None where items and models explain all lengths."""
    sized = [answer for answer in answers if answer.length > 0]
    if not sized:
        return None
    item, model = (
        np.unique(names, return_inverse=True)[1]
        for names in ([one.item for one in sized], [one.model for one in sized])
    )
    size = np.log2([answer.length for answer in sized])
    score = np.array([answer.score for answer in sized], dtype=np.float64)
    return length_slope(size, score, item, model, resamples=resamples, seed=seed)


def length_slope(
    size: _Floats,
    score: _Floats,
    item: _Indices,
    model: _Indices,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Slope | None:
    """Return what a doubling goes with, or None where items and models explain all lengths.

    None as well where fewer than three items have lengths that they do not explain.

    Args:
        size: Binary logarithm of the length, an answer each.
        score: In any unit.
        item: What it answers, from 0 on without a gap.
        model: Who gave it, likewise.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    x, y = (_residuals(values, item, model) for values in (size, score))
    products, squares = (np.bincount(item, x * each) for each in (y, x))
    telling = squares > _STILL
    if np.count_nonzero(telling) < _FEWEST:
        return None
    products, squares = products[telling], squares[telling]
    value = float(products.sum() / squares.sum())
    weights = cluster_weights(len(squares), resamples, seed)
    draws = (weights @ products) / (weights @ squares)
    # What the models explain takes one item's worth of evidence: without that 95 % are 77 to 90
    # where two models answer three to twelve items.
    low, high = interval(np.array(value), draws, len(squares) - 1)
    return Slope(value, float(low), float(high), len(size), len(squares))


def within(values: _Floats, item: _Indices) -> _Floats:
    """Return what values are above the mean of their item, in which each answer counts."""
    return values - (np.bincount(item, values) / np.bincount(item))[item]


def _residuals(values: _Floats, item: _Indices, model: _Indices) -> _Floats:
    """Return what items and models leave unexplained, by least squares."""
    if model.max() > item.max():  # what is solved is as large as the second of them
        item, model = model, item
    answers = np.zeros((item.max() + 1, model.max() + 1))
    np.add.at(answers, (item, model), 1.0)
    shares = answers / answers.sum(axis=1, keepdims=True)
    left = within(values, item)
    normal = np.diag(answers.sum(axis=0)) - answers.T @ shares
    effects = np.linalg.lstsq(normal, np.bincount(model, left))[0]
    return left - within(effects[model], item)
