"""Prompt texts of the judges, one file each; their digests are part of a judge's digest."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from data.digest import text_digest

_SHOWN = ("documents_ja", "tools_ja", "target_ja", "reference_ja", "points_ja")

RUBRIC = (
    "rubric_ja",
    "rubric_five_ja",
    "rubric_points_ja",
    "criteria_ja",
    "foreign_ja",
    "handling_ja",
    "history_ja",
    "marker_rating_ja",
    "schema_rating_ja",
    "extract_rating_ja",
    *_SHOWN,
)
"""What an absolute judge says, whatever an item has."""

PAIRWISE = (
    "pairwise_ja",
    "marker_preference_ja",
    "schema_preference_ja",
    "extract_preference_ja",
    *_SHOWN,
)
"""What a comparing judge says."""

_FIELD = re.compile(r"\{([a-z_]+)\}")


@cache
def text(name: str) -> str:
    """Return a prompt of ours by the name of its file."""
    return files(__name__).joinpath(f"{name}.txt").read_text("utf-8").rstrip("\n")


def digests(names: tuple[str, ...]) -> dict[str, str]:
    """Return the digest of each prompt by its name."""
    return {name: text_digest(text(name)) for name in names}


def fill(template: str, **values: str) -> str:
    """Return the template with each `{name}` replaced by its value, in one pass.

    What a value holds is never read again: `{answer}` or `{0.__class__}` in it stays as it is.

    Raises:
        KeyError: The template names a value that is not given.
    """
    return _FIELD.sub(lambda field: values[field[1]], template)
