"""Readers of the formats in which suites are published.

The files are the user's own; what each format asks, and what goes wrong with it, is known from
the projects named in `PublicSuite.published_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from data.errors import SuiteError
from data.lines import Line, brief, check
from data.row import Row, Text


@dataclass(frozen=True, slots=True)
class PublicSuite:
    """Where a suite of a known format is published.

    Attributes:
        format: The word for `format:` in kumiawase.yaml.
        items: How many items the published files hold.
        published_at: The repository or page, and the files in it.
        licence: Of the questions; model-written references may have terms of their own.
    """

    format: str
    title: str
    items: str
    published_at: str
    licence: str


@dataclass(frozen=True, slots=True)
class Format:
    """How the lines of a file become rows of a suite.

    Attributes:
        row: Reads one question.
        reference: Reads one line of a separate file of references into (item id, one text a
            turn); None where a suite has no such file.
        public: Where it is published; None for our own format.
    """

    row: Callable[[Line], Row]
    reference: Callable[[Line], tuple[str, list[str]]] | None = None
    public: PublicSuite | None = None


class _Foreign(BaseModel):
    # Publishers add columns (ids of answers, notes, dates) that say nothing about the question.
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _RakudaQuestion(_Foreign):
    question_id: Text
    category: Text
    text: Text | None = None
    turns: list[Text] = []


class _ElyzaTask(_Foreign):
    input: Text = Field(validation_alias=AliasChoices("input_text", "input"))
    output: Text = Field(validation_alias=AliasChoices("output_text", "output"))
    eval_aspect: str = ""


class _FastChatQuestion(_Foreign):
    # An integer in the question file, text in some of the reference files.
    question_id: int | Text
    category: Text
    turns: list[Text]


class _FastChatChoice(_Foreign):
    turns: list[Text] = Field(min_length=1)


class _FastChatAnswer(_Foreign):
    question_id: int | Text
    choices: list[_FastChatChoice] = Field(min_length=1)


def _kumiawase(line: Line) -> Row:
    names = ", ".join(name for name in FORMATS if name != "kumiawase")
    remedy = f"if the file is of another format, name it: {{path, format}} with {names}"
    return check(Row, line.value, place=line.place, remedy=remedy)


def _rakuda(line: Line) -> Row:
    """Read Rakuda v1 (`text`) or v2 (`turns`)."""
    question = check(_RakudaQuestion, line.value, place=line.place)
    asked = {"turns": question.turns} if question.text is None else {"text": question.text}
    return _row({"id": question.question_id, "category": question.category, **asked}, line)


def _elyza(line: Line) -> Row:
    """Read ELYZA-tasks-100, which knows neither ids nor categories."""
    task = check(_ElyzaTask, line.value, place=line.place)
    aspects = (aspect.strip().removeprefix("-").strip() for aspect in task.eval_aspect.split("\n"))
    fields = {
        "id": str(line.number),
        "category": "ELYZA-tasks-100",
        "text": task.input,
        "rubric": [aspect for aspect in aspects if aspect],
        "reference": [task.output],
    }
    return _row(fields, line)


def _mt_bench(line: Line) -> Row:
    question = check(_FastChatQuestion, line.value, place=line.place)
    fields = {
        "id": str(question.question_id),
        "category": question.category,
        "turns": question.turns,
    }
    return _row(fields, line)


def _mt_bench_reference(line: Line) -> tuple[str, list[str]]:
    answer = check(_FastChatAnswer, line.value, place=line.place)
    return str(answer.question_id), answer.choices[0].turns


def _row(fields: Mapping[str, object], line: Line) -> Row:
    return check(Row, fields, place=line.place)


FORMATS: dict[str, Format] = {
    "kumiawase": Format(_kumiawase),
    "rakuda": Format(
        _rakuda,
        public=PublicSuite(
            "rakuda",
            "Rakuda v1, v2",
            "40",
            "github.com/yuzu-ai/japanese-llm-ranking: jrank/data/rakuda_v1, rakuda_v2",
            "Apache-2.0",
        ),
    ),
    "elyza": Format(
        _elyza,
        public=PublicSuite(
            "elyza",
            "ELYZA-tasks-100",
            "100",
            "huggingface.co/datasets/elyza/ELYZA-tasks-100, saved as JSON lines",
            "CC BY-SA 4.0",
        ),
    ),
    "japanese-mt-bench": Format(
        _mt_bench,
        _mt_bench_reference,
        PublicSuite(
            "japanese-mt-bench",
            "Japanese MT-Bench",
            "80 of two turns (an early set: 60)",
            "github.com/Stability-AI/FastChat, branch jp-stable: "
            "fastchat/llm_judge/data/japanese_mt_bench",
            "Apache-2.0; the reference answers under OpenAI's terms",
        ),
    ),
}


def published() -> list[PublicSuite]:
    """Return the public suites that can be read, in the order of their formats' names."""
    return [form.public for _, form in sorted(FORMATS.items()) if form.public is not None]


def known_format(name: str, place: str) -> Format:
    """Return a format by its name.

    Raises:
        SuiteError: There is none of that name.
    """
    if name not in FORMATS:
        remedy = f"use one of {', '.join(FORMATS)}"
        raise SuiteError(f"unknown format {brief(name)}", place=place, remedy=remedy)
    return FORMATS[name]
