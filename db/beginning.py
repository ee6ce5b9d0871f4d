"""Whether a study has brought anything yet, and how one that has not is begun anew."""

from __future__ import annotations

from sqlalchemy import Connection, column, delete, exists, inspect, select, table

from db.statements import Work
from db.tables import AnswerRow, EvaluationRow, ModelFactsRow, PinRow

# Optuna's tables as far as they are read here: its own import would cost a reader 0.4 s.
STUDIES = table("studies", column("study_id"), column("study_name"))
TRIALS = table("trials", column("trial_id"), column("study_id"), column("number"), column("state"))


def vain(study: str) -> Work[bool]:
    """Tell whether a study holds no answer and no trial.

    Replies alone bind nobody: an audit may have asked for them, and every study uses them.
    """
    answers = exists().where(
        EvaluationRow.study == study, AnswerRow.evaluation == EvaluationRow.id
    )
    trials = exists().where(STUDIES.c.study_name == study, TRIALS.c.study_id == STUDIES.c.study_id)

    def work(connection: Connection) -> bool:
        found = [answers]
        if inspect(connection).has_table(TRIALS.name):
            found.append(trials)
        return not any(connection.execute(select(one)).scalar_one() for one in found)

    return work


def clear(study: str) -> Work[None]:
    """Forget what a study is and what it began in vain; what it sent stays in the ledger."""
    statements = [
        delete(row).where(row.study == study) for row in (PinRow, EvaluationRow, ModelFactsRow)
    ]

    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return work
