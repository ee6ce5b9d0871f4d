"""Verdicts as JSON, of a judge that its server holds to a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from data.errors import VerdictError

_T = TypeVar("_T")

EXPLANATION = "explanation"
_OPENING = re.compile(r"\{")
_SHOWN = 40


def schema(field: str, allowed: Mapping[int, _T] | Mapping[str, _T]) -> dict[str, Any]:
    """Return the JSON schema of an explanation and, behind it, a verdict.

    Verdicts are listed one by one: not every server heeds the bounds of a number.
    """
    kind = "string" if any(isinstance(value, str) for value in allowed) else "integer"
    return {
        "type": "object",
        "properties": {
            EXPLANATION: {"type": "string"},
            field: {"type": kind, "enum": list(allowed)},
        },
        "required": [EXPLANATION, field],
        "additionalProperties": False,
    }


def read(reply: str, field: str, allowed: Mapping[int, _T] | Mapping[str, _T]) -> _T:
    """Return the verdict of the object with which a reply ends.

    What a model thinks aloud may stand before it. Behind it nothing may but the end of a code
    block, so that an object quoted from an answer is no verdict.

    Raises:
        VerdictError: There is no such object, or it breaks `schema`.
    """
    value = _last_object(reply)
    if list(value) != [EXPLANATION, field]:
        raise VerdictError(f'the reply does not end with {{"{EXPLANATION}": …, "{field}": …}}')
    given = value[field]
    for verdict, meaning in allowed.items():
        if type(given) is type(verdict) and given == verdict:  # neither true nor 1.0 is 1
            return meaning
    written = json.dumps(given, ensure_ascii=False)[:_SHOWN]
    raise VerdictError(f"{written} is none of {', '.join(map(str, allowed))}")


def _last_object(reply: str) -> dict[str, Any]:
    text = reply.rstrip().removesuffix("```")
    for opening in _OPENING.finditer(text):
        try:
            value: dict[str, Any] = json.loads(text[opening.start() :], strict=False)
        except ValueError:
            continue
        except RecursionError:
            break  # tried from each opening, a hostile text would cost seconds
        return value
    return {}
