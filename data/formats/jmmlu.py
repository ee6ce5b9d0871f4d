"""JMMLU: four options, answered by letter; one file a subject.

The published files are CSV without a header, most of them with a byte order mark; a folder of
them is one suite. The same rows as JSON lines are read too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import Field

from data.errors import SuiteError
from data.formats.base import Foreign, choice, row
from data.lines import Line, Lines, check, read_bytes, scan_lines
from data.row import Row
from data.rule_forms import Text

_COLUMNS = ("question", "A", "B", "C", "D", "answer")


class _Question(Foreign):
    subject: Text
    number: int = Field(validation_alias="row")
    question: Text
    A: Text
    B: Text
    C: Text
    D: Text
    answer: Literal["A", "B", "C", "D"]


def jmmlu(line: Line) -> Row:
    """Read a question; its id is subject and row, counted from 0, however the file is written."""
    question = check(_Question, line.value, place=line.place)
    options = {letter: str(getattr(question, letter)) for letter in "ABCD"}
    fields = {
        "id": f"{question.subject}-{question.number}",
        "category": question.subject,
        **choice(question.question, options, question.answer),
    }
    return row(fields, line)


def jmmlu_lines(source: Traversable, shown: str) -> Lines:
    """Yield the rows of a CSV file, of all CSV files of a folder, or of a file of JSON lines.

    Raises:
        SuiteError: The file cannot be read, or the folder holds no CSV file.
    """
    if source.is_dir():
        found = sorted(file.name for file in source.iterdir() if file.name.endswith(".csv"))
        if not found:
            raise SuiteError("no CSV file in this folder", place=shown)
        for name in found:
            yield from _csv_lines(source / name, f"{shown.rstrip('/')}/{name}")
    elif source.name.endswith(".csv"):
        yield from _csv_lines(source, shown)
    else:
        yield from scan_lines(source, shown)


def _csv_lines(source: Traversable, shown: str) -> Lines:
    try:
        text = read_bytes(source, shown).decode()
    except UnicodeDecodeError:
        yield SuiteError("not UTF-8", place=shown, remedy="save the file as UTF-8")
        return
    subject = source.name.removesuffix(".csv")
    for number, (position, cells) in enumerate(_rows(text)):
        place = f"{shown}:{position}"
        if len(cells) != len(_COLUMNS):
            fault = f"{len(cells)} columns, not {len(_COLUMNS)}: {', '.join(_COLUMNS)}"
            yield SuiteError(fault, place=place, remedy="close every quoted text")
            continue
        fields = dict(zip(_COLUMNS, cells, strict=True))
        yield Line(place, number + 1, {"subject": subject, "row": number, **fields})


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""))
    begins = 1
    for cells in reader:
        if cells:
            yield begins, cells
        begins = reader.line_num + 1
