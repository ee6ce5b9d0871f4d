"""A server's list of models, in whichever shape it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from endpoints.dialects import words


def by_name(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the entries by every name under which the server answers."""
    out: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        aliases = entry.get("aliases")
        names = [entry.get(key) for key in ("id", "model", "name")]
        names += aliases if isinstance(aliases, list) else []
        for name in names:
            if isinstance(name, str) and name:
                out.setdefault(name, entry)
    return out


def context_told(entry: Mapping[str, Any]) -> int | None:
    """Return the context an entry states, in tokens of prompt and reply; None if it does not."""
    for keys in words.CONTEXT_KEYS:
        value: object = entry
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if type(value) is int and value > 0:
            return value
    return None
