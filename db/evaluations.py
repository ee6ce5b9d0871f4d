"""Evaluations with their answers and scores."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from data.suites.item import Item, Split
from db.records import Evaluation, Result, State
from db.remarks import kept, shown
from db.statements import Work, insert_new
from db.tables import AnswerRow, EvaluationRow, ScoreRow
from judges.inspection import inspect
from judges.score import Score
from judges.statistics import Estimate
from moa.answer import Answer, Lost, Shortened
from moa.ensemble import Ensemble

_TABLE = EvaluationRow.__table__


def begin(
    study: str, half: Split, judge: str, judge_name: str, ensemble: Ensemble, origin: str
) -> Work[Evaluation]:
    """Start an evaluation, or return the one there is; a failed one runs again."""
    row = {
        "study": study,
        "half": half,
        "judge": judge,
        "judge_name": judge_name,
        "digest": ensemble.digest,
        "ensemble": ensemble.to_json(),
        "origin": origin,
        "state": "RUNNING",
        "started": time.time(),
    }
    query = _where(study, half, judge, ensemble.digest)
    reopened = (
        update(EvaluationRow)
        .where(EvaluationRow.id.in_(query.with_only_columns(EvaluationRow.id)))
        .where(EvaluationRow.state == "FAILED")
        .values(state="RUNNING", value=None, low=None, high=None, closed=None)
    )

    def work(connection: Connection) -> Evaluation:
        connection.execute(insert_new(connection, EvaluationRow), row)
        connection.execute(reopened)
        return _evaluation(connection.execute(query).one())

    return work


def add(evaluation: int, item: Item, answer: Answer, scores: tuple[Score, ...]) -> Work[Result]:
    """Keep an answer with its scores; the first for an item stays, and is returned."""
    given = Result(item.id, item.category, answer, scores, inspect(item, answer))
    row = _answer_row(evaluation, given)
    verdicts = [
        {"evaluation": evaluation, "item": item.id, "position": position, **asdict(score)}
        for position, score in enumerate(scores)
    ]

    def work(connection: Connection) -> Result:
        written = insert_new(connection, AnswerRow).returning(AnswerRow.item)
        if connection.execute(written, row).first() is None:
            return _results(connection, evaluation, item.id)[0]
        if verdicts:
            connection.execute(insert_new(connection, ScoreRow), verdicts)
        return given

    return work


def close(
    evaluation: int,
    state: State,
    estimate: Estimate | None,
    items: int,
    unscored: int,
    marked: int,
) -> Work[None]:
    """End an evaluation; one that is COMPLETE or PRUNED already stays as it is."""
    statement = (
        update(EvaluationRow)
        .where(EvaluationRow.id == evaluation, EvaluationRow.state.in_(["RUNNING", "FAILED"]))
        .values(
            state=state,
            value=estimate.value if estimate else None,
            low=estimate.low if estimate else None,
            high=estimate.high if estimate else None,
            items=items,
            unscored=unscored,
            marked=marked,
            closed=time.time(),
        )
    )

    def work(connection: Connection) -> None:
        connection.execute(statement)

    return work


def find(study: str, half: Split, judge: str, digest: str) -> Work[Evaluation | None]:
    """Return one evaluation."""

    def work(connection: Connection) -> Evaluation | None:
        row = connection.execute(_where(study, half, judge, digest)).one_or_none()
        return None if row is None else _evaluation(row)

    return work


def all_of(study: str, half: Split | None) -> Work[list[Evaluation]]:
    """Return the evaluations of a study, oldest first."""
    query = select(_TABLE).where(EvaluationRow.study == study).order_by(EvaluationRow.id)
    if half is not None:
        query = query.where(EvaluationRow.half == half)
    return lambda connection: [_evaluation(row) for row in connection.execute(query)]


def results(evaluation: int) -> Work[list[Result]]:
    """Return the answers of an evaluation with their scores, ordered by item."""
    return lambda connection: _results(connection, evaluation)


def answers(study: str, half: Split, digest: str) -> Work[dict[str, Answer]]:
    """Return what an ensemble answered, by item, whoever judged it; the oldest answer counts."""
    query = (
        select(AnswerRow.__table__)
        .join(EvaluationRow, AnswerRow.evaluation == EvaluationRow.id)
        .where(EvaluationRow.study == study, EvaluationRow.half == half)
        .where(EvaluationRow.digest == digest)
        .order_by(AnswerRow.evaluation.desc())
    )
    return lambda connection: {row.item: _answer(row) for row in connection.execute(query)}


def _where(study: str, half: Split, judge: str, digest: str) -> Select[Any]:
    return select(_TABLE).where(
        EvaluationRow.study == study,
        EvaluationRow.half == half,
        EvaluationRow.judge == judge,
        EvaluationRow.digest == digest,
    )


def _results(connection: Connection, evaluation: int, item: str | None = None) -> list[Result]:
    answers = select(AnswerRow.__table__).where(AnswerRow.evaluation == evaluation)
    verdicts = select(ScoreRow.__table__).where(ScoreRow.evaluation == evaluation)
    if item is not None:
        answers = answers.where(AnswerRow.item == item)
        verdicts = verdicts.where(ScoreRow.item == item)
    scores: dict[str, list[Score]] = defaultdict(list)
    for row in connection.execute(verdicts.order_by(ScoreRow.item, ScoreRow.position)):
        scores[row.item].append(Score(row.judge, row.value, row.reason, row.explanation))
    return [
        Result(
            row.item,
            row.category,
            _answer(row),
            tuple(scores[row.item]),
            shown(row.inspection),
        )
        for row in connection.execute(answers.order_by(AnswerRow.item))
    ]


def _evaluation(row: Row[Any]) -> Evaluation:
    return Evaluation(
        id=row.id,
        study=row.study,
        half=row.half,
        judge=row.judge,
        judge_name=row.judge_name,
        digest=row.digest,
        ensemble=Ensemble.from_json(row.ensemble, prompt="", place=f"evaluation {row.id}"),
        origin=row.origin,
        state=row.state,
        value=row.value,
        low=row.low,
        high=row.high,
        items=row.items,
        unscored=row.unscored,
        marked=row.marked,
    )


def _answer_row(evaluation: int, result: Result) -> dict[str, Any]:
    answer = result.answer
    return {
        "evaluation": evaluation,
        "item": result.item_id,
        "category": result.category,
        "value": result.value,
        "texts": list(answer.texts),
        "aggregator": answer.aggregator,
        "models": sorted(answer.models),
        "completion_keys": list(answer.keys),
        "lost": [asdict(lost) for lost in answer.lost],
        "cut": answer.cut,
        "seconds": answer.seconds,
        "calls": answer.calls,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "usd": answer.usd,
        "shortened": [asdict(cut) for cut in answer.shortened],
        "inspection": kept(result.inspection),
    }


def _answer(row: Row[Any]) -> Answer:
    return Answer(
        texts=tuple(row.texts),
        aggregator=row.aggregator,
        models=frozenset(row.models),
        keys=tuple(row.completion_keys),
        lost=tuple(Lost(**lost) for lost in row.lost),
        cut=row.cut,
        seconds=row.seconds,
        calls=row.calls,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        usd=row.usd,
        shortened=tuple(Shortened(**cut) for cut in row.shortened),
    )
