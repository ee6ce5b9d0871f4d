"""What the simulated models know of the world: the items of our own suite, and nothing else.

A question is known by its text and by how many turns came before, as it stands in a request.
Every other question belongs to a category by the digest of its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.digest import text_digest
from data.suites import Item, load_suite
from kumiawase.rehearsal import draws
from kumiawase.rehearsal.pool import CATEGORIES
from moa.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a simulated model understands it.

    Attributes:
        key: What its difficulty and everybody's errors depend on.
        category: Index of one of `CATEGORIES`.
        item: The item whose rule its answer must satisfy, if it is known and has one.
    """

    key: str
    category: int
    item: Item | None = None


class World:
    """Knows some items by heart."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._known = {
            (conversation.messages(("",) * turn)[-1]["content"], turn + 1): (item, turn)
            for item in items
            for conversation in (Conversation.of(item),)
            for turn in range(len(item.turns))
        }

    @classmethod
    def of_our_suite(cls) -> World:
        """Return the world of the suite that comes with the program."""
        return cls(load_suite("kumiawase-ja", Path()).items)

    def question(self, text: str, turns: int) -> Question:
        """Return what a model makes of the last user message and the number of turns so far."""
        key = f"{turns} {text_digest(text)}"
        item, turn = self._known.get((text, turns), (None, 0))
        if item is None or item.category not in CATEGORIES:
            return Question(key, draws.whole("category", key) % len(CATEGORIES))
        ruled = item.rule is not None and turn == len(item.turns) - 1
        return Question(key, CATEGORIES.index(item.category), item if ruled else None)


def bare(item: Item) -> bool:
    """Tell whether an answer to the item may hold nothing but the answer."""
    return item.rule is not None and item.rule["kind"] == "exact"


def stated(item: Item, *, right: bool, salt: object) -> str:
    """Return the part of an answer that the item's rule reads.

    Args:
        item: An item with a rule.
        right: Whether it is the target or a plausible mistake.
        salt: Picks the mistake.
    """
    assert item.rule is not None
    kind, target = item.rule["kind"], item.target
    if kind == "function_call":
        return _call(target if right else _miscalled(item))
    if kind in ("exact", "short_answer"):
        accepted = target if isinstance(target, str) else target[0]
        text = accepted if right else "わかりません"
        return text if kind == "exact" else f"答え: {text}"
    if kind == "json":
        value = target if right else _spoilt(target, item.rule.get("keys"))
        return f"```json\n{json.dumps(value, ensure_ascii=False)}\n```"
    if not right:
        target = _other(item.rule, target, draws.whole("mistake", item.id, salt))
    return f"答え: {target}"


def _other(rule: Mapping[str, Any], target: Any, pick: int) -> Any:  # noqa: ANN401 - JSON
    if rule["kind"] == "choice":
        others = [choice for choice in rule["choices"] if choice != target]
        return others[pick % len(others)]
    return target + (1 + pick % 3) * max(1, 2 * (rule.get("tolerance") or 0))


def _spoilt(value: Any, keys: Sequence[str] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value that differs: in an object every other key, the first among them."""
    if isinstance(value, Mapping):
        wrong = set(list(keys or value)[::2])
        return {key: _spoilt(v) if key in wrong else v for key, v in value.items()}
    if isinstance(value, list | tuple):
        return list(value)[:-1] if value else ["不明"]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return "不明"


def _call(target: Mapping[str, Any] | None) -> str:
    """Return a call as our own prompt asks for it; no call is no text."""
    if target is None:
        return ""
    call = {"name": target["name"], "arguments": target.get("arguments", {})}
    return json.dumps(call, ensure_ascii=False)


def _miscalled(item: Item) -> Mapping[str, Any]:
    names = [tool["function"]["name"] for tool in item.tools] or ["unknown"]
    if item.target is None:
        return {"name": names[0]}
    arguments = item.target.get("arguments") or {}
    if not arguments:
        return {"name": "unknown"}
    return {"name": item.target["name"], "arguments": _spoilt(arguments)}
