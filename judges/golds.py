"""Whether an item's own gold passes its own rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from data.errors import SuiteError
from data.suites.item import Item
from judges.rules import check_item, validate


def gold_faults(item: Item) -> Iterator[str]:
    """Yield what keeps a right answer to the item from being worth 1.

    Looked at are the target written as an answer, the reference to the last turn, and of a
    choice the wrong options, each written as an answer, which must be worth less.
    """
    if item.rule is None:
        return
    try:
        validate([item])
    except SuiteError as error:
        yield error.fault
        return
    for answer in _right(item):
        if (value := _worth(item, answer)) < 1:
            yield f"the target, written as {answer!r}, is worth {value:.2g}: {_seen(item, answer)}"
    for choice in item.rule.get("choices", ()):
        if choice != item.target and _worth(item, _marked(choice)) == 1:
            yield f"the wrong choice {choice!r} is read as the target"
    if item.rule["kind"] == "overlap":
        return  # a reference may say it in other words
    if item.reference and (value := _worth(item, item.reference[-1])) < 1:
        yield f"the reference is worth {value:.2g}: {_seen(item, item.reference[-1])}"


def _right(item: Item) -> Iterator[str]:
    """Yield the target as answers would give it; that no call be made is no text at all."""
    kind = item.rule["kind"] if item.rule else ""
    if kind in {"exact", "overlap"}:
        yield from _accepted(item.target)
    elif kind == "short_answer":
        yield from map(_marked, _accepted(item.target))
    elif kind in {"numeric", "choice"}:
        text = _plain(item.target)
        yield from (text, _marked(text))
    elif kind in {"json", "function_call"} and item.target is not None:
        yield json.dumps(item.target, ensure_ascii=False)


def _accepted(target: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    return [target] if isinstance(target, str) else list(target)


def _plain(target: object) -> str:
    return f"{Decimal(str(target)):f}" if isinstance(target, float) else str(target)


def _marked(target: object) -> str:
    return f"答え: {target}"


def _worth(item: Item, answer: str) -> float:
    return check_item(item, answer).value or 0.0


def _seen(item: Item, answer: str) -> str:
    return check_item(item, answer).explanation
