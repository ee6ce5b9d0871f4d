"""An evaluation with the numbers of its answers, as the leaderboard compares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Executable, Text, select, type_coerce

from db.evaluations import all_of
from db.records import MARKED, Evaluation
from db.statements import Work
from db.tables import AnswerRow, EvaluationRow
from db.types import decode, read_json
from judges.statistics import COVERAGE, Estimate, estimate, mean


@dataclass(slots=True)
class Seen:
    """An evaluation and what it saw.

    Attributes:
        scores: Item → score 0..1, unscored items left out.
        strata: Item → category.
        seconds: Latency of each answer, ascending.
        calls, tokens, usd: Sums over the answers.
        shown: What each answer shows, as it is stored.
    """

    evaluation: Evaluation
    scores: dict[str, float] = field(default_factory=dict)
    strata: Mapping[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    shown: Sequence[str] = ()
    _means: dict[str, float] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        """Whether the evaluation has ended."""
        return self.evaluation.state != "RUNNING"

    @property
    def items(self) -> int:
        """Items seen."""
        return self.evaluation.items if self.closed else len(self.seconds)

    @property
    def unscored(self) -> int:
        """Items asked that have no score."""
        if self.closed:
            return self.evaluation.unscored
        return len(self.seconds) - len(self.scores)

    @property
    def coverage(self) -> float:
        """Share of the items asked that were scored."""
        asked = len(self.scores) + self.unscored
        return len(self.scores) / asked if asked else 0.0

    @property
    def rankable(self) -> bool:
        """Whether its score may be compared with others'."""
        few_marked = self.evaluation.marked <= MARKED * max(self.items, 1)
        whole = self.evaluation.state in {"COMPLETE", "PRUNED"}
        return whole and bool(self.scores) and few_marked and self.coverage >= COVERAGE

    def percentile(self, q: float) -> float:
        """Return a percentile of the answers' latency, in seconds."""
        if not self.seconds:
            return 0.0
        place, last = q / 100 * (len(self.seconds) - 1), len(self.seconds) - 1
        below, above = self.seconds[int(place)], self.seconds[min(int(place) + 1, last)]
        return below + place % 1 * (above - below)

    @property
    def micro(self) -> float | None:
        """The mean over all items, whatever their category; shown beside what is ranked."""
        return sum(self.scores.values()) / len(self.scores) if self.scores else None

    @property
    def inspections(self) -> list[list[Any]]:
        """What each answer shows, in the form of `db.remarks.kept`."""
        found: list[list[Any]] = read_json(f"[{','.join(self.shown)}]")
        return found

    @property
    def by_category(self) -> Mapping[str, float]:
        """Category → the mean over its scored items, sorted."""
        if not self._means and self.scores:
            names, places, sizes = _places(tuple(self.strata[item] for item in self.scores))
            means = np.bincount(places, list(self.scores.values())) / sizes
            self._means = dict(zip(names, means.tolist(), strict=True))
        return self._means

    def bounds(
        self, known: Mapping[str, str], weights: Mapping[str, float]
    ) -> tuple[float, float] | None:
        """Return its score with the unscored at worst and at best; None where nothing is known.

        Args:
            known: Item → category, of the items of its half that anybody answered.
            weights: Category → its share.
        """
        whole = self.evaluation.state in {"COMPLETE", "FAILED"}
        strata = {**known, **self.strata} if whole else self.strata
        if not strata:
            return None
        if len(strata) == len(self.scores):
            value = mean(self.by_category, {name: name for name in self.by_category}, weights)
            return value, value
        low, high = (
            mean({**dict.fromkeys(strata, end), **self.scores}, strata, weights)
            for end in (0.0, 1.0)
        )
        return low, high

    def estimate(self, weights: Mapping[str, float]) -> Estimate | None:
        """Return its score with the interval: as stored, or of what there is so far."""
        kept = self.evaluation
        if kept.value is not None and kept.low is not None and kept.high is not None:
            return Estimate(kept.value, kept.low, kept.high, len(self.scores))
        return estimate(self.scores, self.strata, weights) if self.scores else None


@lru_cache(maxsize=64)
def _places(
    categories: tuple[str, ...],
) -> tuple[list[str], NDArray[np.intp], NDArray[np.intp]]:
    """Return the names, sorted, which of them stands at each place, and how often each does."""
    names, places, sizes = np.unique(categories, return_inverse=True, return_counts=True)
    return names.tolist(), places, sizes


class _Strata(dict[tuple[tuple[str, ...], tuple[str, ...]], Mapping[str, str]]):
    """Columns of items and categories as stored → item to category; most evaluations share one."""

    def __missing__(self, stored: tuple[tuple[str, ...], tuple[str, ...]]) -> Mapping[str, str]:
        items, categories = (map(decode, column) for column in stored)
        return self.setdefault(stored, dict(zip(items, categories, strict=True)))


def seen(study: str) -> Work[list[Seen]]:
    """Return the evaluations of a study with their numbers, oldest first; two queries."""
    query = (
        select(
            AnswerRow.evaluation,
            type_coerce(AnswerRow.item, Text),  # as it is stored: a study has 100,000 of them
            type_coerce(AnswerRow.category, Text),
            AnswerRow.value,
            AnswerRow.seconds,
            AnswerRow.calls,
            AnswerRow.prompt_tokens + AnswerRow.completion_tokens,
            AnswerRow.usd,
            type_coerce(AnswerRow.inspection, Text),
        )
        .join(EvaluationRow, AnswerRow.evaluation == EvaluationRow.id)
        .where(EvaluationRow.study == study)
        .order_by(AnswerRow.evaluation, AnswerRow.item)
    )

    def work(connection: Connection) -> list[Seen]:
        found = {e.id: Seen(e) for e in all_of(study, None)(connection)}
        strata = _Strata()
        for evaluation, rows in groupby(_fetched(connection, query), itemgetter(0)):
            one = found.get(evaluation)
            if one is not None:  # begun between the two queries
                _fill(one, zip(*rows, strict=True), strata)
        return list(found.values())

    return work


def _fetched(connection: Connection, query: Executable) -> Sequence[tuple[Any, ...]]:
    """Return the driver's own rows: SQLAlchemy's would cost as much again as the query."""
    cursor = connection.execute(query).cursor
    assert cursor is not None
    return cursor.fetchall()


def _fill(one: Seen, columns: Iterable[tuple[Any, ...]], strata: _Strata) -> None:
    _, items, categories, values, seconds, calls, tokens, usd, one.shown = columns
    one.strata = strata[items, categories]
    scores = zip(one.strata, values, strict=True)
    one.scores = {item: value for item, value in scores if value is not None}
    one.seconds = sorted(seconds)
    one.calls, one.tokens, one.usd = sum(calls), sum(tokens), sum(usd)
