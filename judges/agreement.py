"""How far two judges, or one judge twice, say the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from judges.bradley_terry import Duel
from judges.item_analysis import correlation

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judges over the answers both scored.

    Attributes:
        answers: Number of them.
        equal: Share with the very same score, 0 to 1.
        spearman, kappa, weighted_kappa: See the functions of those names.
    """

    answers: int
    equal: float
    spearman: float | None
    kappa: float | None
    weighted_kappa: float | None


@dataclass(frozen=True, slots=True)
class Preferences:
    """Two judges over the pairs of answers to the same item.

    Attributes:
        agreed: Pairs in which both prefer the same answer, or neither prefers one.
        opposed: Pairs in which each prefers another one.
        half: Pairs in which only one of them has a preference.
    """

    agreed: int
    opposed: int
    half: int

    @property
    def share(self) -> float | None:
        """Share of the pairs agreed upon; None without pairs."""
        pairs = self.agreed + self.opposed + self.half
        return self.agreed / pairs if pairs else None


@dataclass(frozen=True, slots=True)
class Consistency:
    """One judge over the pairs of answers it saw in both orders.

    Attributes:
        same: Pairs with the same verdict both times.
        first, second: Pairs in which it preferred what stood first, or second, both times.
        half: Pairs in which it saw a tie one time only.
    """

    same: int
    first: int
    second: int
    half: int

    @property
    def share(self) -> float | None:
        """Share of the pairs with the same verdict; None without pairs."""
        pairs = self.same + self.first + self.second + self.half
        return self.same / pairs if pairs else None


def agreement(a: Mapping[_Key, float], b: Mapping[_Key, float]) -> Agreement:
    """Return how far two judges agree on the answers both scored.

    Args:
        a: Answer → score, in any unit; what the judge left unscored is left out.
        b: The same of the other.

    Raises:
        ValueError: They share no answer.
    """
    both = [key for key in a if key in b]
    if not both:
        raise ValueError("no answer was scored by both")
    own, other = [a[key] for key in both], [b[key] for key in both]
    return Agreement(
        len(both),
        _equal(own, other),
        spearman(own, other),
        kappa(own, other),
        weighted_kappa(own, other),
    )


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return the correlation of ranks, equal scores sharing the middle of theirs, -1 to 1.

    None where there are fewer than three, or where one gave all the same score.
    """
    return correlation(_ranks(a), _ranks(b))


def kappa(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return what share of the agreement chance leaves open is reached (Cohen 1960), up to 1.

    None where both gave all the same mark, so that chance leaves nothing open.
    """
    marks, others = Counter(_marks(a)), Counter(_marks(b))
    chance = sum(count * others[mark] for mark, count in marks.items()) / len(a) ** 2
    return (_equal(a, b) - chance) / (1 - chance) if chance < 1 else None


def weighted_kappa(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return kappa with disagreements weighed by the square of their distance (Cohen 1968).

    Distances are those of the scores themselves, so marks that nobody gave change nothing. It
    equals Lin's concordance (1989). None where both gave all the same mark.
    """
    x, y = np.array(_marks(a)), np.array(_marks(b))
    chance = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return 1 - float(((x - y) ** 2).mean()) / chance if chance else None


def preferences(
    a: Mapping[tuple[str, str], float], b: Mapping[tuple[str, str], float]
) -> Preferences:
    """Return how often two judges prefer the same of two answers to an item.

    Args:
        a: (item, model) → score, in any unit; only the answers both scored count.
        b: The same of the other.
    """
    by_item: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for key in a:
        if key in b:
            by_item[key[0]].append((a[key], b[key]))
    verdicts = Counter(
        _verdict(_sign(one[0], two[0]), _sign(one[1], two[1]))
        for answers in by_item.values()
        for one, two in combinations(answers, 2)
    )
    return Preferences(verdicts["same"], verdicts["opposed"], verdicts["half"])


def consistency(duels: Iterable[Duel]) -> Consistency:
    """Return how often a judge says the same of two answers in both orders.

    Verdicts of one order are averaged where there are several; pairs seen in one order only are
    left out.
    """
    seen: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for duel in duels:
        seen[duel.question, duel.first, duel.second].append(duel.worth)
    verdicts: Counter[str] = Counter()
    for (question, first, second), worths in seen.items():
        back = seen.get((question, second, first))
        if back and first < second:
            forth = _sign(sum(worths), len(worths) / 2)
            turned = _sign(sum(back), len(back) / 2)
            verdict = _verdict(forth, -turned)
            verdicts["first" if verdict == "opposed" and forth > 0 else verdict] += 1
    return Consistency(verdicts["same"], verdicts["first"], verdicts["opposed"], verdicts["half"])


def _marks(values: Iterable[float]) -> list[float]:
    """Return scores without what rounding adds, which would part equal ones."""
    return [round(value, 9) for value in values]


def _equal(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x == y for x, y in zip(_marks(a), _marks(b), strict=True)) / len(a)


def _sign(a: float, b: float) -> int:
    ahead = round(a - b, 9)
    return (ahead > 0) - (ahead < 0)


def _verdict(one: int, two: int) -> str:
    return "same" if one == two else "opposed" if one == -two else "half"


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Return mid-ranks."""
    _, place, counts = np.unique(_marks(values), return_inverse=True, return_counts=True)
    middle: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return middle[place]
