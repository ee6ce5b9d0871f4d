"""What a format is, and what its readers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template

from pydantic import BaseModel, ConfigDict

from data.lines import Line, Lines, check, scan_lines
from data.row import Row

ReadReference = Callable[[Line], tuple[str, list[str]]]
"""Reads a line of a file of references into an item's id and one text a turn."""


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
    """How a file becomes rows of a suite.

    Attributes:
        row: Reads one question.
        reference: Reads one line of a separate file of references; None where a suite has no
            such file.
        public: Where it is published; None for our own format.
        lines: Reads the file; its argument is the file and what messages call it.
    """

    row: Callable[[Line], Row]
    reference: ReadReference | None = None
    public: PublicSuite | None = None
    lines: Callable[[Traversable, str], Lines] = scan_lines


class Foreign(BaseModel):
    """An object of a publisher's; its further columns (notes, dates, answers) are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


def row(fields: Mapping[str, object], line: Line) -> Row:
    """Return what was read as a row of a suite.

    Raises:
        SuiteError: It is none.
    """
    return check(Row, fields, place=line.place)


def asked(name: str, **values: str) -> str:
    """Return a question in the words of the file `<name>.txt` beside this module."""
    text = files(__package__).joinpath(f"{name}.txt").read_text("utf-8").rstrip("\n")
    return Template(text).substitute(values)


def choice(question: str, options: Mapping[str, str], gold: str) -> dict[str, object]:
    """Return the fields of an item that is answered by the letter of one of its options.

    Letters, because options hold one another (0 and 0,1; 人 and 人身事故). An option that
    repeats an earlier one is left out: no answer could tell them apart.

    Args:
        question: What is asked.
        options: Letter → text.
        gold: The letter of the right one.
    """
    letters: dict[str, str] = {}
    for letter, text in options.items():
        letters.setdefault(text.strip(), letter)
    listed = "\n".join(f"{letter}. {text}" for text, letter in letters.items())
    return {
        "text": asked("choice_ja", question=question.strip(), options=listed),
        "target": letters[options[gold].strip()],
        "rule": {"kind": "choice", "choices": list(letters.values())},
    }
