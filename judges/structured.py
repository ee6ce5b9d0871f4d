"""JSON values and function calls found in an answer, and how much of them is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from judges.japanese import normalize

_FENCED = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)```", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_MOST_FAILURES = 1000
_NAMES = ("name", "tool_name")
_ARGUMENTS = ("arguments", "parameters")


class Call(NamedTuple):
    """One function call as the answer writes it."""

    name: str
    arguments: Any


def find_json(text: str, like: type) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value an answer gives.

    The last one in a fenced block, else the last complete one of the wanted type in the text,
    else the last complete one; an answer that is nothing but a scalar is that scalar.

    Args:
        text: The answer.
        like: `dict`, `list` or a scalar's type: what the target is.

    Raises:
        ValueError: There is none.
    """
    try:
        return _decode(text.strip())
    except ValueError:
        pass
    fenced = [value for block in _FENCED.findall(text) for value in _values(block)]
    found = fenced or list(_values(text))
    if not found:
        raise ValueError("no JSON in the answer")
    return next((value for value in reversed(found) if isinstance(value, like)), found[-1])


def find_calls(text: str) -> list[Call]:
    """Return the distinct function calls in an answer, as text or in OpenAI's form."""
    calls: list[Call] = []
    for value in _values(text):
        calls.extend(call for call in _calls(value) if call not in calls)
    return calls


def same(target: object, value: object) -> bool:
    """Whether two JSON values are the same: 1 is 1.0 but not true, texts as in `normalize`."""
    if isinstance(target, Mapping):
        return (
            isinstance(value, Mapping)
            and target.keys() == value.keys()
            and all(same(target[key], value[key]) for key in target)
        )
    if isinstance(target, list | tuple):
        return (
            isinstance(value, list) and len(target) == len(value) and all(map(same, target, value))
        )
    if isinstance(target, str):
        return isinstance(value, str) and normalize(target) == normalize(value)
    if isinstance(target, bool) or isinstance(value, bool) or target is None:
        return target is value
    return bool(target == value)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _decode(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _values(text: str) -> Iterator[Any]:
    """Yield the outermost complete objects and lists in a text, first to last.

    Gives up after many openings that lead nowhere, so that a hostile text costs little.
    """
    position, failures = 0, 0
    while failures < _MOST_FAILURES and (opening := _OPENING.search(text, position)):
        try:
            value, position = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position, failures = opening.end(), failures + 1
        else:
            yield value


def _calls(value: object) -> Iterator[Call]:
    if isinstance(value, list):
        for element in value:
            yield from _calls(element)
    if not isinstance(value, dict):
        return
    if isinstance(value.get("tool_calls"), list):
        yield from _calls(value["tool_calls"])
    elif isinstance(value.get("function"), dict):
        yield from _calls(value["function"])
    elif (name := _first(value, _NAMES)) and _first(value, _ARGUMENTS):
        yield Call(str(value[name]), _arguments(value[_first(value, _ARGUMENTS)]))


def _first(value: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in value), "")


def _arguments(value: object) -> object:
    """Return arguments as a value; OpenAI's form holds them as JSON in a text."""
    if not isinstance(value, str):
        return value or {}
    try:
        return _decode(value)
    except ValueError:
        return value
