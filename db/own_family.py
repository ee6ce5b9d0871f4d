"""Whether judges favour answers that models of their own family took part in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from data.suites.item import Split
from db.of_ten import difference_json
from db.pins import judged_by, roles_of, scale_of
from db.statements import Work
from db.store import Store
from db.tables import AnswerRow, EvaluationRow, ScoreRow
from judges.common_scale import CommonScale
from judges.statistics import Difference, difference


@dataclass(frozen=True, slots=True)
class Residual:
    """How much more a judge gives to its own family than judges of other families do.

    Attributes:
        half: The items it was seen on.
        difference: Its marks less those of judges of families that took no part in the answer,
            on answers of its own family, less the same on all others; -1..1, over items.
    """

    judge: str
    family: str
    half: Split
    difference: Difference

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, of ten."""
        found = difference_json(self.difference)
        return {
            "judge": self.judge,
            "family": self.family,
            "half": self.half,
            "difference": found["difference"],
            "ci": found["ci"],
            "items": self.difference.items,
        }


@dataclass(slots=True)
class _Seen:
    """One answer: its category, the families in it, and what each judge gave."""

    item: str
    category: str
    families: frozenset[str]
    marks: dict[str, float] = field(default_factory=dict)


def own_family(store: Store, study: str, pins: Mapping[str, Any]) -> list[Residual]:
    """Return the residual of each judge of a panel whose family took part in answers."""
    families: Mapping[str, str] = pins.get("families") or {}
    found: list[Residual] = []
    for half, role in roles_of(pins).items():
        judges = list(pins[role]["models"])
        if len(judges) > 1 and families.keys() >= set(judges):
            answers = store.read(_answers(study, half, judged_by(pins)[half], judges, families))
            _rescale(answers, scale_of(pins, role))
            seen = (_residual(judge, half, answers, families, pins) for judge in judges)
            found += [one for one in seen if one is not None]
    return found


def _residual(
    judge: str,
    half: Split,
    answers: list[_Seen],
    families: Mapping[str, str],
    pins: Mapping[str, Any],
) -> Residual | None:
    family = families[judge]
    own: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[float]] = defaultdict(list)
    strata: dict[str, str] = {}
    for one in answers:
        apart = [
            mark
            for name, mark in one.marks.items()
            if families[name] not in {*one.families, family}
        ]
        if judge in one.marks and apart:
            strata[one.item] = one.category
            group = own if family in one.families else others
            group[one.item].append(one.marks[judge] - fmean(apart))
    a, b = ({item: fmean(gaps) for item, gaps in group.items()} for group in (own, others))
    if not a.keys() & b.keys():
        return None
    return Residual(judge, family, half, difference(a, b, strata, pins["suite"]["weights"]))


def _rescale(answers: list[_Seen], kept: Mapping[str, Any] | None) -> None:
    if kept is None:
        return
    scale = CommonScale.from_json(kept)
    for one in answers:
        one.marks = {judge: scale.read(judge, mark) for judge, mark in one.marks.items()}


def _answers(
    study: str, half: Split, digest: str, judges: list[str], families: Mapping[str, str]
) -> Work[list[_Seen]]:
    """Read the answers with their judges' marks; two queries."""
    answers = _of(study, half, digest, AnswerRow).add_columns(AnswerRow.category, AnswerRow.models)
    marks = (
        _of(study, half, digest, ScoreRow)
        .add_columns(ScoreRow.judge, ScoreRow.value)
        .where(ScoreRow.judge.in_(judges), ScoreRow.value.is_not(None))
    )

    def work(connection: Connection) -> list[_Seen]:
        found: dict[tuple[int, str], _Seen] = {}
        for evaluation, item, category, models in connection.execute(answers):
            took_part = frozenset(families.get(model, model) for model in models)
            found[evaluation, item] = _Seen(item, category, took_part)
        for evaluation, item, judge, value in connection.execute(marks):
            if (evaluation, item) in found:  # answered between the two queries
                found[evaluation, item].marks[judge] = value
        return list(found.values())

    return work


def _of(
    study: str, half: Split, digest: str, table: type[AnswerRow | ScoreRow]
) -> Select[int, str]:
    counts = and_(
        EvaluationRow.study == study, EvaluationRow.half == half, EvaluationRow.judge == digest
    )
    return (
        select(table.evaluation, table.item)
        .join(EvaluationRow, table.evaluation == EvaluationRow.id)
        .where(counts)
    )
