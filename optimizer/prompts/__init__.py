"""Prompt texts of the discovery turn."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def text(name: str) -> str:
    """Return a prompt by the name of its file."""
    return files(__name__).joinpath(f"{name}.txt").read_text("utf-8").rstrip("\n")
