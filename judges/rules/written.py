"""Rules that read a text, a number or a choice: `exact`, `short_answer`, `numeric`, `choice`."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Final

from data.suites.item import Item
from judges.japanese import normalize, unify
from judges.numerals import Number, clause, read_number, segments
from judges.rules.kind import Kind, Options, Seen, is_flag, is_given, is_texts, short, texts
from judges.short_answer import agrees, overlap, read_short

_NEGATED = r"(?!\s*[」』)】*]*\s*(?:では|じゃ|で)な)"


def _exact(rule: Options, item: Item, answer: str) -> Seen:
    form: Callable[[str], str] = normalize if rule.get("normalize", True) else str
    read = form(answer)
    return Seen(float(read in map(form, texts(item.target))), f"read: {short(read)}")


def _short_answer(rule: Options, item: Item, answer: str) -> Seen:
    accepted, read = texts(item.target), read_short(answer)
    value = 1.0 if agrees(read, accepted) else 0.0
    if rule.get("partial", False):
        value = max(value, overlap(read, accepted))
    return Seen(value, f"read: {short(read)}")


def _numeric(rule: Options, item: Item, answer: str) -> Seen:
    number, wanted = read_number(answer), _number(item.target)
    if number is None or wanted is None:
        return Seen(0.0, "no number in the answer")
    tolerance, read = Fraction(str(rule.get("tolerance", 0))), f"read: {number.text}"
    if number.near(wanted, tolerance) or "span" not in rule:
        return Seen(float(number.near(wanted, tolerance)), read)
    span = Fraction(str(rule["span"]))
    left = (span - number.distance(wanted)) / (span - tolerance)
    return Seen(max(float(left), 0.0), read)


def _choice(rule: Options, item: Item, answer: str) -> Seen:
    named = _named([normalize(str(choice)) for choice in rule["choices"]], unify(answer))
    if len(named) > 1:
        return Seen(0.0, f"names several: {', '.join(sorted(named))}")
    if not named:
        return Seen(0.0, "names no choice")
    (read,) = named
    return Seen(float(read == normalize(str(item.target))), f"read: {read}")


def _named(choices: list[str], text: str) -> set[str]:
    """Return the choices an answer gives: behind its last marker, on a line alone, or at all."""
    pattern = _pattern(choices)
    for part in segments(text):
        if found := _found(pattern, clause(part)):
            return found
    alone = {normalize(line) for line in text.splitlines()} & set(choices)
    return alone or _found(pattern, text)


def _found(pattern: re.Pattern[str], text: str) -> set[str]:
    return {normalize(match[0]) for match in pattern.finditer(text)}


def _pattern(choices: list[str]) -> re.Pattern[str]:
    """Match any choice, the longest first: a letter, figure or kana only where it stands alone."""
    longest = sorted(choices, key=len, reverse=True)
    return re.compile("|".join(_edged(choice) + _NEGATED for choice in longest))


def _edged(choice: str) -> str:
    letters = "0-9A-Za-z" if choice.isascii() else "ァ-ヺー" if len(choice) == 1 else ""
    return rf"(?<![{letters}]){re.escape(choice)}(?![{letters}])" if letters else re.escape(choice)


def _number(target: object) -> Number | None:
    if isinstance(target, bool) or not isinstance(target, int | float | str):
        return None
    return read_number(f"{Decimal(str(target)):f}" if isinstance(target, float) else str(target))


def _width(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < 1e30


def _labels(choices: object) -> bool:
    """Whether they are texts or whole numbers, all different once normalised."""
    if not isinstance(choices, list | tuple) or not all(type(c) in {str, int} for c in choices):
        return False
    forms = {normalize(str(choice)) for choice in choices}
    return bool(forms) and "" not in forms and len(forms) == len(choices)


def _span_misfit(rule: Options, _item: Item) -> str:
    narrow = "span" in rule and rule["span"] <= rule.get("tolerance", 0)
    return "`span` is not wider than `tolerance`" if narrow else ""


def _choice_misfit(rule: Options, item: Item) -> str:
    known = item.target in rule.get("choices", ())
    return "" if known else f"the target {item.target!r} is not among `choices`"


KINDS: Final = {
    "exact": Kind(_exact, {"normalize": is_flag}, is_texts, "a text"),
    "short_answer": Kind(_short_answer, {"partial": is_flag}, is_texts, "a text"),
    "numeric": Kind(
        _numeric,
        {"tolerance": lambda v: _width(v) or v == 0, "span": _width},
        lambda target: _number(target) is not None,
        "a number",
        _span_misfit,
    ),
    "choice": Kind(_choice, {"choices": _labels}, is_given, "a choice", _choice_misfit),
}
