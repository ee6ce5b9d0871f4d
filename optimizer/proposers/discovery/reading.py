"""From a reply to what it proposes: text of a model, of which nothing is taken on trust."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from data.digest import canonical_json
from optimizer.proposers.discovery.faults import Fault

READ = 200_000  # characters of a reply that are looked at, from
DEEPEST = 20  # levels of a proposal; an ensemble has five
STARTS = 200  # opening braces at most: a failed try costs as much as a whole reading
LONGEST = 4000  # characters kept of what could not be used

UNREADABLE = Fault("unreadable", "the reply holds no JSON object with `proposals`")


class Form(BaseModel):
    """One proposal, as the model is asked to write it."""

    thought: str = ""
    name: str = Field(default="", max_length=200)
    parents: list[str] = Field(default_factory=list, max_length=8)
    expected_score: float | None = Field(default=None, allow_inf_nan=False)
    ensemble: dict[str, Any]
    aggregation_prompt: str | None = None


def proposals(reply: str) -> Sequence[object] | None:
    """Return what the reply lists under `proposals`; None where it holds no such object."""
    decoder, text = json.JSONDecoder(), reply[:READ]
    starts = (i for i, char in enumerate(text) if char == "{")
    for start in islice(starts, STARTS):
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        listed = value.get("proposals") if isinstance(value, dict) else None
        if isinstance(listed, list):
            return listed
    return None


def form(raw: object) -> Form | Fault:
    """Return one proposal of the list, or why it is none."""
    if not _shallow(raw, DEEPEST):
        return Fault("schema", "nested too deep")
    try:
        return Form.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "proposal"
        return Fault("schema", f"{where}: {first['msg']}", sorted(Form.model_fields))


def brief(raw: object) -> str:
    """Return the beginning of what was written, to be kept."""
    return canonical_json(raw).decode()[:LONGEST] if _shallow(raw, DEEPEST) else ""


def _shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(one, levels - 1) for one in inner)
