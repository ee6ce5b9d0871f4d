"""Files in which a judge marks one answer at a time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import Field

from data.errors import SuiteError
from data.formats.base import Foreign
from data.lines import Line, check
from data.rule_forms import Text
from data.verdicts.rows import Scale, Task, Terms, Verdict, read_mark
from data.verdicts.texts import brief_digest, prompt_and_question

SHABERI = {
    "elyza": ("ELYZA-tasks-100", Scale(1, 5)),
    "tengu": ("Tengu-Bench", Scale(0, 10)),
    "mt": ("Japanese MT-Bench", Scale(1, 10)),
    "rakuda": ("Rakuda", Scale(1, 10)),
}
"""What stands in a folder's or column's name → the suite and its marks."""

CRITERIA = (
    "Roleplay Adherence",
    "Consistency",
    "Contextual Understanding",
    "Expressiveness",
    "Creativity",
    "Naturalness of Japanese",
    "Enjoyment of the Dialogue",
    "Appropriateness of Turn-Taking",
)
FIVE, TEN, PERCENT = Scale(1, 5), Scale(1, 10), Scale(0, 100)

_SHABERI_NAME = re.compile("elyza|tengu|rakuda|ja-?mt|mt-bench", re.IGNORECASE)
_LAYOUT = "keep Shaberi's folders: <judge>/<suite>/<model>.json"
_ROUNDING = 0.005  # a recorded mean may be rounded to hundredths


class _ShaberiCell(Foreign):
    judge: Text
    suite: Text
    model: Text
    item: Text
    score: str


class _ShaberiAnswer(Foreign):
    question: Text = Field(validation_alias="Question")
    answer: str | None = Field(None, validation_alias="ModelAnswer")
    score: Any


class _Dialogue(Foreign):
    target_model_name: Text
    user_model_name: str = ""
    judge_model_names: list[str] | str = Field(default=[])
    id: int | Text
    individual_evaluations: list[Any] | str


class _Single(Foreign):
    question_id: int | Text
    model: Text
    judge: list[str] | str
    score: Any
    turn: int = 1
    user_prompt: str = ""
    tstamp: float | None = None


class _Annotation(Foreign):
    instruction: Text
    generator_1: Text
    generator_2: Text
    annotator: str = ""
    dataset: str = ""
    preference: Any


class _Graded(Foreign):
    grade: Any
    reason: str


def shaberi(line: Line, file: Path) -> Iterator[Verdict]:
    """Read Shaberi's judgements: JSON lines in folders, or one table of many judges."""
    if file.name.endswith((".csv", ".csv.gz")):
        cell = check(_ShaberiCell, line.value, place=line.place)
        suite, scale = _shaberi_suite(cell.suite, line)
        value, fault = read_mark(cell.score, scale, text=True)
        task = Task(suite, cell.item, "")
        yield Verdict(line.place, _slashed(cell.model), task, Terms(cell.judge), value, fault)
        return
    marked = check(_ShaberiAnswer, line.value, place=line.place)
    judge, folder = file.resolve().parts[-3:-1]
    suite, scale = _shaberi_suite(folder, line)
    value, fault = read_mark(marked.score, scale)
    yield Verdict(
        place=line.place,
        model=_slashed(re.sub(r"\.(jsonl?)(\.gz)?$", "", file.name)),
        task=Task(suite, marked.question, ""),
        terms=Terms(judge.removeprefix("judge_")),
        value=value,
        fault=fault,
        answer=brief_digest(marked.answer or ""),
    )


def japanese_rp_bench(line: Line, file: Path) -> Iterator[Verdict | SuiteError]:  # noqa: ARG001 - a reader's form
    """Read dialogues with the marks of each of their judges, eight criteria from 1 to 5.

    Yields, beside them, a remark where the mean that is recorded is not that of the judges.
    """
    dialogue = check(_Dialogue, line.value, place=line.place)
    marks = [_marks(one, line) for one in _listed(dialogue.individual_evaluations, line)]
    if not marks:
        raise SuiteError("`individual_evaluations` is empty", place=line.place)
    names = _listed(dialogue.judge_model_names, line)
    terms = [
        Terms(str(own.get("judge_model_name") or name), f"user {dialogue.user_model_name}")
        for own, name in zip(marks, [*names, *[""] * len(marks)], strict=False)
    ]
    for criterion in CRITERIA:
        task = Task("", str(dialogue.id), criterion)
        found = [
            Verdict(line.place, dialogue.target_model_name, task, one, *read_mark(raw, FIVE))
            for one, raw in zip(terms, (own.get(criterion) for own in marks), strict=True)
        ]
        yield from found
        yield from _unlike(found, line.value.get(criterion), line)


def fastchat_single(line: Line, file: Path) -> Iterator[Verdict]:  # noqa: ARG001 - a reader's form
    """Read FastChat's marks of one turn, 1 to 10; -1 is none."""
    row = check(_Single, line.value, place=line.place)
    prompt, question = prompt_and_question(row.user_prompt)
    value, fault = read_mark(row.score, TEN)
    yield Verdict(
        place=line.place,
        model=row.model,
        task=Task("", str(row.question_id), f"turn {row.turn}"),
        terms=Terms(*named_judge(row.judge), prompt, question),
        value=value,
        fault=fault,
        at=row.tstamp,
    )


def alpaca_eval(line: Line, file: Path) -> Iterator[Verdict]:  # noqa: ARG001 - a reader's form
    """Read AlpacaEval's preferences: 1 the baseline to 2 the model, in old files 0 for a draw."""
    row = check(_Annotation, line.value, place=line.place)
    raw, fault = read_mark(row.preference, Scale(1, 2))
    if raw == 0:
        raw, fault = 1.5, None
    yield Verdict(
        place=line.place,
        model=row.generator_2,
        task=Task("", brief_digest(f"{row.dataset}\n{row.instruction}"), ""),
        terms=Terms(row.annotator, f"against {row.generator_1}"),
        value=None if raw is None else 100 * (raw - 1),
        fault=fault,
    )


def gpt4_autoeval(line: Line, file: Path) -> Iterator[Verdict]:
    """Read grades from 1 to 5 in the order of ELYZA-tasks-100; the folder is named as the model.

    Several files of one folder are runs of the same judge on the same answers.
    """
    row = check(_Graded, line.value, place=line.place)
    value, fault = read_mark(row.grade, FIVE)
    task, folder = Task("", str(line.number), ""), file.resolve().parent.name
    take = file.name.partition(".")[0]
    yield Verdict(line.place, folder, task, Terms(""), value, fault, take=take)


def named_judge(judge: list[str] | str) -> tuple[str, str]:
    """Return who judged and with which prompt, as FastChat names both in one field."""
    names = [judge] if isinstance(judge, str) else judge
    return (names or [""])[0], f"prompt {names[1]}" if len(names) > 1 else ""


def _shaberi_suite(name: str, line: Line) -> tuple[str, Scale]:
    found = _SHABERI_NAME.search(name)
    if found is None:
        raise SuiteError(
            f"no suite of Shaberi is called {name!r}", place=line.place, remedy=_LAYOUT
        )
    word = found[0].lower()
    return SHABERI[word if word in SHABERI else "mt"]


def _slashed(name: str) -> str:
    """Return a model's name; in file names two low lines stand for the slash."""
    return name.replace("__", "/", 1)


def _listed(value: list[Any] | str, line: Line) -> list[Any]:
    """Return a list, which may be written as a Python literal."""
    if not isinstance(value, str):
        return value
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise SuiteError("a list in text form cannot be read", place=line.place)
    return found


def _marks(one: object, line: Line) -> Mapping[str, object]:
    if not isinstance(one, Mapping):
        raise SuiteError("`individual_evaluations` holds no object", place=line.place)
    return one


def _unlike(found: list[Verdict], raw: object, line: Line) -> Iterator[SuiteError]:
    recorded, _ = read_mark(raw, FIVE)
    own = [one.value for one in found if one.value is not None]
    if recorded is None or len(own) < len(found) or abs(fmean(own) - recorded) <= _ROUNDING:
        return
    criterion = found[0].task.part
    fault = f"{criterion}: {recorded:g} recorded, but the judges' mean is {fmean(own):g}"
    yield SuiteError(fault, place=line.place)
