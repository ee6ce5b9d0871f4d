"""Column types: text as received and JSON, in every database alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from data.digest import canonical_json

ESCAPED = "escaped:"  # what follows is the JSON string of a text no database would take as it is


def encode(text: str) -> str:
    """Return `text` as the tables hold it: itself, unless a database refuses it.

    PostgreSQL refuses NUL, and both refuse a lone surrogate; models send either.
    """
    if "\0" in text or text.startswith(ESCAPED) or not (text.isascii() or _is_unicode(text)):
        return ESCAPED + json.dumps(text)
    return text


def decode(stored: str) -> str:
    """Return the text that `encode` was given."""
    if not stored.startswith(ESCAPED):
        return stored
    text: str = json.loads(stored.removeprefix(ESCAPED))
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


Processor = Callable[[str | None], str | None]


class Verbatim(TypeDecorator[str]):
    """Text that comes back exactly as it was given."""

    impl = Text
    cache_ok = True

    # Not `process_bind_param`: through its wrappers eight texts a reply cost a tenth of a commit.
    def bind_processor(self, dialect: Dialect) -> Processor:  # noqa: ARG002 - the same in all
        """Escape what the database would refuse."""
        return lambda value: None if value is None else encode(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:  # noqa: ARG002
        """Undo the escape."""
        return lambda value: None if value is None else decode(value)


class Json(TypeDecorator[Any]):
    """Any JSON value, readable as text; None is JSON's null."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ANN401, ARG002
        """Write canonical JSON."""
        return canonical_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        """Read it."""
        return None if value is None else read_json(value)


def read_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse JSON that may hold lone surrogates, which the quick parser refuses."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
