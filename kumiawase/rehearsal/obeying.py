"""A simulated server that holds its models to the JSON schema of a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_VERDICT = re.compile(r"\s*\[\[[^\[\]]*\]\]\s*$")


def held_to(properties: Mapping[str, Mapping[str, Any]], text: str) -> str:
    """Return what a model has to say as an object of these properties, in their order.

    Of listed values it gives the one behind the marker that ends its text, else the first; any
    other property is the text before the marker.
    """
    found = _VERDICT.search(text)
    said = found[0].strip().strip("[]") if found else ""
    words = _VERDICT.sub("", text)
    value = {name: _value(kind.get("enum"), said, words) for name, kind in properties.items()}
    return json.dumps(value, ensure_ascii=False)


def _value(listed: list[object] | None, said: str, words: str) -> object:
    if listed is None:
        return words
    return next((one for one in listed if str(one) == said), listed[0])
