"""Files in which a judge chooses between two answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.errors import SuiteError
from data.formats.base import Foreign
from data.lines import Line, check
from data.rule_forms import Text
from data.verdicts.absolute import named_judge
from data.verdicts.rows import Comparison, Fault, Scale, Task, Terms, read_mark
from data.verdicts.texts import brief_digest, prompt_and_question

_WON = {1.0: 1.0, 2.0: 0.0, 3.0: 0.5}  # Rakuda: first, second, draw


class _Review(Foreign):
    question_id: int | Text
    question_text: str = ""
    model1_id: Text
    model2_id: Text
    reviewer_id: int | str = ""
    score: Any


class _Pair(Foreign):
    question_id: int | Text
    model_1: Text
    model_2: Text
    g1_winner: str
    g2_winner: str | None = None
    judge: list[str] | str
    turn: int = 1
    g1_user_prompt: str = ""
    tstamp: float | None = None


def rakuda(line: Line, file: Path) -> Iterator[Comparison]:  # noqa: ARG001 - a reader's form
    """Read Rakuda's reviews: 1 the first answer, 2 the second, 3 a draw, -1 no verdict."""
    row = check(_Review, line.value, place=line.place)
    code, fault = read_mark(row.score, Scale(1, 3))
    value = None if code is None else _WON.get(code)
    if value is None and fault is not Fault.UNPARSED:
        fault = Fault.OUT_OF_RANGE
    judge = row.reviewer_id if isinstance(row.reviewer_id, str) else f"reviewer {row.reviewer_id}"
    yield Comparison(
        place=line.place,
        first=row.model1_id,
        second=_other(row.model2_id, row.model1_id, line),
        task=Task("", str(row.question_id), ""),
        terms=Terms(judge, question=brief_digest(row.question_text)),
        value=value,
        fault=fault,
    )


def fastchat_pairwise(line: Line, file: Path) -> Iterator[Comparison]:  # noqa: ARG001 - a reader's form
    """Read FastChat's games: the same two answers shown in both orders."""
    row = check(_Pair, line.value, place=line.place)
    other = _other(row.model_2, row.model_1, line)
    prompt, question = prompt_and_question(row.g1_user_prompt)
    task = Task("", str(row.question_id), f"turn {row.turn}")
    terms = Terms(*named_judge(row.judge), prompt, question)
    names = {"model_1": row.model_1, "model_2": row.model_2}
    games = ((row.model_1, other, row.g1_winner), (other, row.model_1, row.g2_winner))
    for first, second, winner in games:
        if winner is None:
            continue
        value = 0.5 if winner == "tie" else None
        if winner in names:
            value = float(names[winner] == first)
        fault = Fault.UNPARSED if value is None else None
        yield Comparison(line.place, first, second, task, terms, value, fault, row.tstamp)


def _other(name: str, than: str, line: Line) -> str:
    if name == than:
        raise SuiteError(f"{name} is compared with itself", place=line.place)
    return name
