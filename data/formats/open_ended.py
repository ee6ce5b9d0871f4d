"""Suites whose answers a judge rates: Rakuda, ELYZA-tasks-100, Tengu-Bench, Japanese MT-Bench.

Shaberi asks the four of them, one turn each, under its own names for the columns; its files of
answers and judgements hold the same columns and more, so they are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import AliasChoices, Field

from data.formats.base import Foreign, row
from data.lines import Line, check
from data.row import Row
from data.rule_forms import Text

_BULLET = re.compile(r"^[-・*]\s*")


class _RakudaQuestion(Foreign):
    question_id: Text
    category: Text
    text: Text | None = Field(None, validation_alias=AliasChoices("text", "Question"))
    turns: list[Text] = Field(default=[])


class _ElyzaTask(Foreign):
    input: Text = Field(validation_alias=AliasChoices("input_text", "input", "Question"))
    output: Text = Field(validation_alias=AliasChoices("output_text", "output"))
    eval_aspect: str = ""


class _TenguQuestion(Foreign):
    category: Text = Field(validation_alias="Category")
    question: Text = Field(validation_alias="Question")
    criteria: Text = Field(validation_alias="Criteria")
    # The key must be there: its absence is another format, null an item without a reference.
    answer: Text | None = Field(validation_alias="Answer")


class _FastChatQuestion(Foreign):
    # An integer in the question file, text in some of the reference files.
    question_id: int | Text = Field(validation_alias=AliasChoices("question_id", "id"))
    category: Text
    turns: list[Text] = Field(default=[])
    text: Text | None = Field(None, validation_alias="Question")


class _FastChatChoice(Foreign):
    turns: list[Text] = Field(min_length=1)


class _FastChatAnswer(Foreign):
    question_id: int | Text
    choices: list[_FastChatChoice] = Field(min_length=1)


def rakuda(line: Line) -> Row:
    """Read Rakuda v1 (`text`), v2 (`turns`) or Shaberi's (`Question`)."""
    question = check(_RakudaQuestion, line.value, place=line.place)
    asked = {"turns": question.turns} if question.text is None else {"text": question.text}
    return row({"id": question.question_id, "category": question.category, **asked}, line)


def elyza(line: Line) -> Row:
    """Read ELYZA-tasks-100, which knows neither ids nor categories."""
    task = check(_ElyzaTask, line.value, place=line.place)
    aspects = (aspect.strip().removeprefix("-").strip() for aspect in task.eval_aspect.split("\n"))
    fields = {
        "id": str(line.number),
        "category": "ELYZA-tasks-100",
        "text": task.input,
        "rubric": [aspect for aspect in aspects if aspect],
        "reference": [task.output],
        "scale": "1-5",
    }
    return row(fields, line)


def tengu(line: Line) -> Row:
    """Read Tengu-Bench, which has no ids; criteria that stand under another stay with it."""
    question = check(_TenguQuestion, line.value, place=line.place)
    fields = {
        "id": str(line.number),
        "category": question.category,
        "text": question.question,
        "rubric": list(_criteria(question.criteria)),
        "reference": [] if question.answer is None else [question.answer],
        "scale": "points",
    }
    return row(fields, line)


def mt_bench(line: Line) -> Row:
    """Read Japanese MT-Bench: two turns (`turns`), or one (`Question`) in Shaberi's files."""
    question = check(_FastChatQuestion, line.value, place=line.place)
    asked = {"turns": question.turns} if question.text is None else {"text": question.text}
    return row({"id": str(question.question_id), "category": question.category, **asked}, line)


def mt_bench_reference(line: Line) -> tuple[str, list[str]]:
    """Read a line of a file of model answers as the reference to the question of its id."""
    answer = check(_FastChatAnswer, line.value, place=line.place)
    return str(answer.question_id), answer.choices[0].turns


def _criteria(text: str) -> Iterator[str]:
    """Yield the points at the margin, each with the lines indented below it."""
    point = ""
    for line in filter(str.strip, text.splitlines()):
        if point and line[0].isspace():
            point += f"\n{line.rstrip()}"
            continue
        if point:
            yield point
        point = _BULLET.sub("", line.strip())
    if point:
        yield point
