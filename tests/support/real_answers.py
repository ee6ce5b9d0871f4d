"""Answers of real models to real questions, from the shared data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from data.suites.item import Item

SUITES = ("elyza100", "tengu", "jamt1shot", "rakuda")


class Real(NamedTuple):
    """One answer of one model, its turns in order."""

    model: str
    item: Item
    texts: tuple[str, ...]


def real_answers(folder: Path) -> Iterator[Real]:
    """Yield 1,600 answers of five models in four suites, and 640 in Japanese MT-Bench."""
    yield from _shaberi(folder / "shaberi_shisa")
    bench = folder / "japanese_mt_bench"
    yield from _bench(bench, "question_full.jsonl", "model_answer")
    yield from _bench(bench, "question_80x2_shisa.jsonl", "model_answer_80x2_shisa")


def _shaberi(folder: Path) -> Iterator[Real]:
    asked = {
        (suite, row["item"]): row
        for suite in SUITES
        for row in _rows(folder / "items" / f"{suite}.jsonl")
    }
    for path in sorted((folder / "answers").iterdir()):
        for row in _rows(path):
            item = asked[row["suite"], row["item"]]
            reference = item.get("output") or item.get("Answer")
            yield Real(
                path.name.removesuffix(".jsonl.gz"),
                _item(row["suite"], (item["Question"],), (reference,) if reference else ()),
                (row["answer"],),
            )


def _bench(folder: Path, questions: str, answers: str) -> Iterator[Real]:
    asked = {int(row["question_id"]): row["turns"] for row in _rows(folder / questions)}
    for path in sorted((folder / answers).iterdir()):
        for row in _rows(path):
            texts = tuple(row["choices"][0]["turns"])
            turns = tuple(asked[int(row["question_id"])])[: len(texts)]
            yield Real(path.name.partition(".jsonl")[0], _item("mt_bench", turns, ()), texts)


def _item(category: str, turns: tuple[str, ...], reference: tuple[str, ...]) -> Item:
    return Item("q", category, turns, "search", reference=reference)


def _rows(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
