"""Prompt texts, one file each, known by the digest of their text."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from data.digest import text_digest

AGGREGATE = ("aggregate_ja", "aggregate_en")
_SHOWN = 6  # characters of a digest


@cache
def text(name: str) -> str:
    """Return a prompt of ours by the name of its file."""
    return files(__name__).joinpath(f"{name}.txt").read_text("utf-8").rstrip("\n")


def digest(name: str) -> str:
    """Return the digest by which ensembles name a prompt of ours."""
    return text_digest(text(name))


def called(known: str) -> str:
    """Return what the prompt of a digest is called in one word: ours by name, others by digest."""
    ours = {digest(name): name for name in AGGREGATE}
    return ours.get(known, known.removeprefix("sha256:")[:_SHOWN])


def library() -> dict[str, str]:
    """Return our aggregate-and-synthesize prompts, digest → text."""
    return {digest(name): text(name) for name in AGGREGATE}
