"""Suites: what is asked, in two halves."""

from __future__ import annotations

from data.formats import PublicSuite, published
from data.suites.item import Document, Item, Split, Suite
from data.suites.loader import Scan, load_suite, scan_suite
from data.suites.reading import BUNDLED

__all__ = [
    "BUNDLED",
    "Document",
    "Item",
    "PublicSuite",
    "Scan",
    "Split",
    "Suite",
    "load_suite",
    "published",
    "scan_suite",
]
