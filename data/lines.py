"""A user's file of JSON objects, one a line: read within bounds, with a place for every fault."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from data.errors import SuiteError

MAX_BYTES = 64 * 2**20
"""Largest file that is read; the largest public suite is under a tenth of it."""

NOT_BLANK = r"\S"
"""The pattern of a text that says something."""

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Line:
    """One JSON object and where it stands.

    Attributes:
        place: `file:line`, for messages.
        number: Counted from 1 over the lines that are not blank.
        value: The object.
    """

    place: str
    number: int
    value: Mapping[str, object]


Lines = Iterator[Line | SuiteError]
"""What a file holds in its order, with the fault of each line that cannot be read."""


def scan_lines(source: Traversable, shown: str) -> Lines:
    """Yield the objects of a file in its order; blank lines count for nothing.

    Args:
        source: The file.
        shown: What messages call it.

    Raises:
        SuiteError: No such file, or too large.
    """
    number = 0
    for position, raw in enumerate(read_bytes(source, shown).split(b"\n"), start=1):
        if raw.strip():
            number += 1
            place = f"{shown}:{position}"
            try:
                yield Line(place, number, json_object(raw, place))
            except SuiteError as fault:
                yield fault


def read_lines(source: Traversable, shown: str) -> Iterator[Line]:
    """Yield the objects of a file as `scan_lines` does, up to the first fault.

    Raises:
        SuiteError: No such file, too large, not UTF-8, or a line that is no JSON object.
    """
    for found in scan_lines(source, shown):
        if isinstance(found, SuiteError):
            raise found
        yield found


def check(model: type[ModelT], value: object, *, place: str, remedy: str = "") -> ModelT:
    """Return `value` as the model.

    Args:
        model: What the value must be.
        value: What came in.
        place: Where it stands.
        remedy: What to do about keys that are unknown or missing.

    Raises:
        SuiteError: The value does not fit: the first fault, in one line, with its `others`.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = [_fault(one, place, remedy) for one in _errors(error)]
        found[0].others = tuple(found[1:])
        raise found[0] from None


def brief(value: object) -> str:
    """Return a user's value as a message may quote it: one line, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_bytes(source: Traversable, shown: str) -> bytes:
    """Return what a file holds, without a byte order mark.

    Raises:
        SuiteError: No such file, or larger than `MAX_BYTES`.
    """
    try:
        if not source.is_file():
            raise SuiteError("no such file", place=shown, remedy="paths start at the config file")
        with source.open("rb") as file:
            content: bytes = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SuiteError(f"cannot be read ({error.strerror})", place=shown) from error
    if len(content) > MAX_BYTES:
        raise SuiteError(
            f"larger than {MAX_BYTES // 2**20} MiB", place=shown, remedy="give a part of it"
        )
    return content.removeprefix(b"\xef\xbb\xbf")


def json_object(raw: bytes, place: str) -> Mapping[str, object]:
    """Return the one JSON object that the bytes hold.

    Raises:
        SuiteError: Not UTF-8, no JSON, a key twice, or another value than an object.
    """
    try:
        text = raw.decode()
        orjson.loads(text)  # strict about NaN, depth and surrogates, but blind to equal keys
        value = json.loads(text, object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise SuiteError("not UTF-8", place=place, remedy="save the file as UTF-8") from None
    except ValueError as error:
        fault = f"no JSON ({str(error).partition(': line')[0]})"
        raise SuiteError(fault, place=place, remedy="write one JSON object a line") from None
    if not isinstance(value, dict):
        raise SuiteError("no JSON object", place=place, remedy="write one JSON object a line")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value: dict[str, object] = {}
    for key, inner in pairs:
        if key in value:
            raise ValueError(f"key {brief(key)} occurs twice")
        value[key] = inner
    return value


def _errors(error: ValidationError) -> Iterator[ErrorDetails]:
    """Yield the faults one by one: a validator of ours says all of its own, a line each."""
    for details in error.errors(include_url=False):
        for message in details["msg"].splitlines() or [""]:
            yield {**details, "msg": message}


def _fault(error: ErrorDetails, place: str, remedy: str) -> SuiteError:
    where = ".".join(str(part) for part in error["loc"])
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return SuiteError(f"`{where}` is missing", place=place, remedy=remedy)
        case "extra_forbidden":
            return SuiteError(f"unknown key {brief(where)}", place=place, remedy=remedy)
        case "union_tag_invalid":
            known = str(context.get("expected_tags")).replace("'", "")
            fault = f"unknown {where} kind {brief(context.get('tag'))}"
            return SuiteError(fault, place=place, remedy=f"use one of {known}")
        case "union_tag_not_found":
            return SuiteError(f"`{where}.kind` is missing", place=place)
        case "string_pattern_mismatch" if context.get("pattern") == NOT_BLANK:
            return SuiteError(f"`{where}` is empty", place=place)
    fault = error["msg"].removeprefix("Value error, ")
    return SuiteError(f"{brief(where)}: {fault}" if where else fault, place=place)
