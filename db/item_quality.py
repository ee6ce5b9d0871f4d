"""How good each item of a suite proved in a study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from data.suites.item import Split
from db.pins import judged_by, roles_of, scale_of
from db.statements import Work
from db.store import Store
from db.studies import begun
from db.tables import AnswerRow, EvaluationRow, ScoreRow
from judges.common_scale import CommonScale
from judges.item_analysis import CEILING, FLOOR, disagreement, discrimination
from judges.pairwise import PAIRWISE
from judges.rules import RULE

_POOLED = frozenset({RULE, PAIRWISE, "panel", "self"})
"""What may stand behind an item's score and is no judge: a rule, a mean of judges or of orders."""


@dataclass(frozen=True, slots=True)
class ItemQuality:
    """What the answers to one item tell of it, under the judge that counts for its half.

    Attributes:
        answers: How many ensembles answered it.
        mean: Their mean score, 0 to 1; None where none was scored.
        discrimination: Correlation with the rest of the half, -1 to 1; None where it says
            nothing (fewer than three ensembles, or all of them alike).
        ceiling, floor: Shares of the scored answers worth at least 0.95 and at most 0.05.
        disagreement: Mean distance of two judges of an answer, 0 to 1, on their common scale
            where they have one; None with one judge.
        unscored: Share of the answers without a score.
    """

    item: str
    category: str
    half: Split
    answers: int
    mean: float | None
    discrimination: float | None
    ceiling: float
    floor: float
    disagreement: float | None
    unscored: float

    @property
    def order(self) -> tuple[float, float, float, str]:
        """What the worst items come first by: nothing told, or the wrong thing."""
        flat = max(self.ceiling, self.floor)
        return self.discrimination or 0.0, -flat, -self.unscored, self.item

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; shares and correlations as they are, scores of ten."""
        found = asdict(self)
        for name in ("mean", "disagreement"):
            found[name] = None if found[name] is None else round(10 * found[name], 4)
        return found


@dataclass(slots=True)
class _Seen:
    category: str
    half: Split
    answers: int = 0
    scores: dict[int, float] = field(default_factory=dict)
    verdicts: dict[int, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))


def item_quality(store: Store, study: str) -> list[ItemQuality]:
    """Return the items of a study that were answered, the worst first.

    Baselines and ensembles that were stopped early count as well as those seen whole.

    Raises:
        StudyError: Nothing was searched under this name.
    """
    pins = begun(store, study)
    judges = judged_by(pins)
    seen = store.read(_seen(study, judges))
    for half, role in roles_of(pins).items():
        kept = scale_of(pins, role)
        if kept is not None:
            _rescale((one for one in seen.values() if one.half == half), kept)
    found: dict[str, float | None] = {}
    for half in judges:
        found |= discrimination({key: s.scores for key, s in seen.items() if s.half == half})
    qualities = (_quality(item, one, found[item]) for item, one in seen.items())
    return sorted(qualities, key=lambda quality: quality.order)


def _seen(study: str, judges: Mapping[Split, str]) -> Work[dict[str, _Seen]]:
    """Read answers and verdicts under the judges that count; two queries."""
    answers = _of(study, judges, AnswerRow).add_columns(
        AnswerRow.category, EvaluationRow.half, AnswerRow.value
    )
    verdicts = (
        _of(study, judges, ScoreRow)
        .add_columns(ScoreRow.judge, ScoreRow.value)
        .where(ScoreRow.position > 0, ScoreRow.value.is_not(None))
        .where(ScoreRow.judge.not_in(_POOLED))
    )

    def work(connection: Connection) -> dict[str, _Seen]:
        seen: dict[str, _Seen] = {}
        for evaluation, item, category, half, value in connection.execute(answers):
            one = seen.setdefault(item, _Seen(category, half))
            one.answers += 1
            if value is not None:
                one.scores[evaluation] = value
        for evaluation, item, judge, value in connection.execute(verdicts):
            if item in seen:  # answered between the two queries
                seen[item].verdicts[evaluation][judge] = value
        return seen

    return work


def _rescale(seen: Iterable[_Seen], kept: Mapping[str, Any]) -> None:
    """Read verdicts as the scores made of them do: a mild and a harsh judge may well agree."""
    scale = CommonScale.from_json(kept)
    for one in seen:
        for marks in one.verdicts.values():
            marks |= {judge: scale.read(judge, mark) for judge, mark in marks.items()}


def _of(
    study: str, judges: Mapping[Split, str], table: type[AnswerRow | ScoreRow]
) -> Select[int, str]:
    counts = or_(
        *(and_(EvaluationRow.half == half, EvaluationRow.judge == j) for half, j in judges.items())
    )
    return (
        select(table.evaluation, table.item)
        .join(EvaluationRow, table.evaluation == EvaluationRow.id)
        .where(EvaluationRow.study == study, counts)
    )


def _quality(item: str, seen: _Seen, correlation: float | None) -> ItemQuality:
    values = list(seen.scores.values())
    scored = max(len(values), 1)
    return ItemQuality(
        item=item,
        category=seen.category,
        half=seen.half,
        answers=seen.answers,
        mean=sum(values) / scored if values else None,
        discrimination=correlation,
        ceiling=sum(value >= CEILING for value in values) / scored,
        floor=sum(value <= FLOOR for value in values) / scored,
        disagreement=disagreement(list(seen.verdicts.values())),
        unscored=1 - len(values) / seen.answers,
    )
