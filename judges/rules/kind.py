"""What a kind of rule is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from data.suites.item import Item

Options = Mapping[str, Any]


class Seen(NamedTuple):
    """What a rule saw in an answer.

    Attributes:
        value: What it is worth, 0 to 1.
        explanation: What was read, or what is missing.
    """

    value: float
    explanation: str


def nothing(_rule: Options, _item: Item) -> str:
    """Return that nothing is wrong between a rule and its item."""
    return ""


class Kind(NamedTuple):
    """A kind of rule.

    Attributes:
        check: Given the rule, its item and an answer that is not empty, returns what it saw.
        options: The rule's options with what each must be.
        fits: What the item's target must be.
        wanted: The same in words.
        misfit: Given a rule whose options and target fit each by itself, returns what is wrong
            between them or the rest of the item; empty if nothing is.
    """

    check: Callable[[Options, Item, str], Seen]
    options: Mapping[str, Callable[[Any], bool]]
    fits: Callable[[Any], bool]
    wanted: str
    misfit: Callable[[Options, Item], str] = nothing


def is_flag(value: object) -> bool:
    """Whether an option is true or false."""
    return isinstance(value, bool)


def is_texts(value: object) -> bool:
    """Whether it is a text or several."""
    several = value if isinstance(value, list | tuple) else [value]
    return bool(several) and all(isinstance(text, str) and text for text in several)


def is_anything(_value: object) -> bool:
    """Whether it is a target for rules that need none."""
    return True


def is_given(value: object) -> bool:
    """Whether there is a target."""
    return value is not None


def texts(value: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    """Return one text or several as a list."""
    return [value] if isinstance(value, str) else list(value)


def shown(value: object) -> str:
    """Return a JSON value as a short text."""
    return short(json.dumps(value, ensure_ascii=False))


def short(text: str) -> str:
    """Return at most 200 signs of a text."""
    return text if len(text) <= 200 else text[:199] + "…"


def share(checks: Mapping[str, bool], read: str = "") -> Seen:
    """Return the share of checks that hold, and which do not; one at least."""
    wrong = [name for name, holds in checks.items() if not holds]
    told = "; ".join(filter(None, (f"wrong: {', '.join(wrong)}", read)))
    return Seen(1 - len(wrong) / len(checks), short(told) if wrong else "all as expected")
