"""Suites: what is asked, in two halves."""

from __future__ import annotations

from data.formats import PublicSuite, published
from data.suites.item import Document, Item, Split, Suite
from data.suites.loader import BUNDLED, load_suite

__all__ = [
    "BUNDLED",
    "Document",
    "Item",
    "PublicSuite",
    "Split",
    "Suite",
    "load_suite",
    "published",
]
