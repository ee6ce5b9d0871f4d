"""One way to name a thing by its content."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the one JSON text of `value`: sorted keys, no blanks, UTF-8.

    Text that is no valid Unicode (a lone surrogate from a model) is escaped, so that it has
    a digest as well.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the SHA-256 of the canonical JSON of `value`, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def text_digest(text: str) -> str:
    """Return `sha256:` and the hex digest of a text as UTF-8: how prompts are known."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
