"""A suite's files as rows, each with its place, and what is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from data.errors import SuiteError
from data.formats import FORMATS, Format, ReadReference
from data.lines import Line, brief, read_lines
from data.row import Row

BUNDLED = {"kumiawase-ja": "kumiawase_ja.jsonl"}
"""Suites that come with the program: name → file beside this module."""


class Placed(NamedTuple):
    """A row and where it stands, `file:line`."""

    place: str
    row: Row


def read_rows(form: Format, path: str, folder: Path) -> tuple[list[Placed], list[SuiteError]]:
    """Return the rows of a suite and the faults of what is none, both in the file's order.

    Raises:
        SuiteError: The file cannot be read at all.
    """
    placed: dict[str, Placed] = {}
    faults: list[SuiteError] = []
    for found in form.lines(_source(path, folder), path):
        if isinstance(found, SuiteError):
            faults.append(found)
            continue
        try:
            row = form.row(found)
        except SuiteError as fault:
            faults += (fault, *fault.others)
            continue
        first = placed.setdefault(row.id, Placed(found.place, row))
        if first.row is not row:
            faults.append(_again(row, found, first))
    return list(placed.values()), faults


def referenced(
    rows: Sequence[Row], path: str, read: ReadReference, reference: str, folder: Path
) -> Iterator[Row]:
    """Yield the rows of the suite at `path` with the answers of a file of references.

    Args:
        rows: Of the suite.
        path: What messages call the suite.
        read: Reads a line of the references.
        reference: Their file.
        folder: Where relative paths start.

    Raises:
        SuiteError: The references cannot be read or are not of this suite.
    """
    texts: dict[str, list[str]] = {}
    for line in read_lines(_source(reference, folder), reference):
        key, turns = read(line)
        if key in texts:
            raise SuiteError(f"a second reference for item {brief(key)}", place=line.place)
        texts[key] = turns
    if not any(row.id in texts for row in rows):
        fault = f"no reference for any item of {path}"
        raise SuiteError(fault, place=reference, remedy="give the file of the same suite")
    for row in rows:
        yield _with_reference(row, texts.get(row.id, []), reference)


def _source(path: str, folder: Path) -> Traversable:
    if path in BUNDLED:
        return files("data.suites") / BUNDLED[path]
    file = folder / Path(path).expanduser()
    if Path(path).name == path and not Path(path).suffix and not file.exists():
        raise SuiteError(
            "no suite of that name, and no such file", place=path, remedy=_meant(path)
        )
    return file


def _meant(name: str) -> str:
    if name in FORMATS:
        return f"it is a format: write {{path: FILE, format: {name}}}"
    close = difflib.get_close_matches(name, BUNDLED, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are {', '.join(BUNDLED)}; paths of files start at the config file"


def _again(row: Row, line: Line, first: Placed) -> SuiteError:
    fault = f"id {brief(row.id)} again, first in {first.place}"
    return SuiteError(fault, place=line.place, remedy="give each item its own id")


def _with_reference(row: Row, texts: list[str], place: str) -> Row:
    if texts and len(texts) != len(row.questions):
        fault = f"item {brief(row.id)} has {len(row.questions)} turns, its reference {len(texts)}"
        raise SuiteError(fault, place=place)
    return row.model_copy(update={"reference": texts})
