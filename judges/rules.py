"""Rules: an answer compared with its item's target, without a model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from data.errors import SuiteError
from data.suites.item import Item
from judges.japanese import normalize, unify
from judges.numerals import Number, clause, read_number, segments
from judges.score import Score
from judges.short_answer import agrees, overlap, read_short
from judges.structured import Call, find_calls, find_json, same

RULES_VERSION = "1"
"""Part of a judge's digest: changes with what any rule reads or what it is worth."""

RULE = "rule"
_NEGATED = r"(?!\s*[」』)】*]*\s*(?:では|じゃ|で)な)"


class _Seen(NamedTuple):
    value: float
    explanation: str


def check(rule: Mapping[str, Any], target: object, answer: str) -> Score:
    """Return what a rule says of one answer; an empty answer is worth 0.

    `exact` {normalize}: the texts are equal, of several targets one. `short_answer` {partial}:
    the same of the text behind the answer marker alone; `partial` gives the share of signs that
    agree. `numeric` {tolerance, span}: the last number, behind an answer marker if there is one;
    with `span`, worth falls from 1 at the tolerance to 0 at that distance from the target.
    `choice` {choices}: the one choice named. `json` {keys}: the share of the target's keys with
    the right value; all or nothing for values that are no object. `function_call`: 0 for another
    function or several different calls; for the right one a half, and the other half times the
    share of right arguments, among those expected and those given; with the target null, 1 for
    making no call.

    Args:
        rule: `{"kind": …}` with its options.
        target: What the item expects.
        answer: The text of the last turn, without reasoning.

    Raises:
        SuiteError: The rule or its target cannot be used.
    """
    fault = _fault(rule, target)
    if fault:
        raise SuiteError(fault, place="rule")
    if not answer.strip():
        return Score(RULE, 0.0, explanation="empty answer")
    value, explanation = _KINDS[rule["kind"]].check(rule, target, answer)
    return Score(RULE, value, explanation=explanation)


def validate(items: Iterable[Item]) -> None:
    """Refuse a suite whose rules could not be checked, before anything is asked.

    Raises:
        SuiteError: Names the first such item.
    """
    for item in items:
        fault = "" if item.rule is None else _fault(item.rule, item.target)
        if fault:
            raise SuiteError(fault, place=f"item {item.id}: rule", remedy="mend the suite")


def _exact(rule: Mapping[str, Any], target: Any, answer: str) -> _Seen:  # noqa: ANN401
    form: Callable[[str], str] = normalize if rule.get("normalize", True) else str
    accepted = [target] if isinstance(target, str) else target
    read = form(answer)
    return _Seen(float(read in map(form, accepted)), f"read: {_short(read)}")


def _short_answer(rule: Mapping[str, Any], target: Any, answer: str) -> _Seen:  # noqa: ANN401
    accepted = [target] if isinstance(target, str) else target
    read = read_short(answer)
    value = 1.0 if agrees(read, accepted) else 0.0
    if rule.get("partial", False):
        value = max(value, overlap(read, accepted))
    return _Seen(value, f"read: {_short(read)}")


def _numeric(rule: Mapping[str, Any], target: Any, answer: str) -> _Seen:  # noqa: ANN401
    number, wanted = read_number(answer), _number(target)
    if number is None or wanted is None:
        return _Seen(0.0, "no number in the answer")
    tolerance, read = Fraction(str(rule.get("tolerance", 0))), f"read: {number.text}"
    if number.near(wanted, tolerance) or "span" not in rule:
        return _Seen(float(number.near(wanted, tolerance)), read)
    span = Fraction(str(rule["span"]))
    left = (span - number.distance(wanted)) / (span - tolerance)
    return _Seen(max(float(left), 0.0), read)


def _choice(rule: Mapping[str, Any], target: Any, answer: str) -> _Seen:  # noqa: ANN401
    named = _named([normalize(str(choice)) for choice in rule["choices"]], unify(answer))
    if len(named) > 1:
        return _Seen(0.0, f"names several: {', '.join(sorted(named))}")
    if not named:
        return _Seen(0.0, "names no choice")
    (read,) = named
    return _Seen(float(read == normalize(str(target))), f"read: {read}")


def _json(rule: Mapping[str, Any], target: Any, answer: str) -> _Seen:  # noqa: ANN401
    try:
        value = find_json(answer, type(target))
    except ValueError as error:
        return _Seen(0.0, str(error))
    if not isinstance(target, Mapping) or not target:
        return _Seen(float(same(target, value)), f"read: {_shown(value)}")
    if not isinstance(value, Mapping):
        return _Seen(0.0, f"no JSON object: {_shown(value)}")
    keys = rule.get("keys") or list(target)
    wrong = [key for key in keys if key not in value or not same(target[key], value[key])]
    return _Seen(1 - len(wrong) / len(keys), _share(wrong, value))


def _function_call(_: Mapping[str, Any], target: Any, answer: str) -> _Seen:  # noqa: ANN401
    calls = find_calls(answer)
    if target is None:
        return _Seen(float(not calls), f"calls {calls[0].name}" if calls else "makes no call")
    if len(calls) != 1:
        names = ", ".join(call.name for call in calls)
        return _Seen(0.0, f"several calls: {names}" if calls else "makes no call")
    return _compared(target, calls[0])


def _compared(target: Mapping[str, Any], call: Call) -> _Seen:
    if call.name != target["name"]:
        return _Seen(0.0, f"calls {_short(call.name)}")
    wanted = target.get("arguments") or {}
    if not isinstance(call.arguments, dict):
        return _Seen(0.5, f"arguments are no object: {_shown(call.arguments)}")
    names = sorted(wanted.keys() | call.arguments.keys())
    wrong = [
        name
        for name in names
        if name not in wanted
        or name not in call.arguments
        or not same(wanted[name], call.arguments[name])
    ]
    right = 1 - len(wrong) / len(names) if names else 1.0
    return _Seen(0.5 + right / 2, _share(wrong, call.arguments))


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


def _share(wrong: list[str], value: object) -> str:
    return f"wrong: {', '.join(wrong)}; read: {_shown(value)}" if wrong else "all as expected"


def _shown(value: object) -> str:
    return _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"


def _width(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < 1e30


def _texts(target: object) -> bool:
    several = target if isinstance(target, list | tuple) else [target]
    return bool(several) and all(isinstance(text, str) and text for text in several)


def _labels(choices: object) -> bool:
    """Whether they are texts or whole numbers, all different once normalised."""
    if not isinstance(choices, list | tuple) or not all(type(c) in {str, int} for c in choices):
        return False
    forms = {normalize(str(choice)) for choice in choices}
    return bool(forms) and "" not in forms and len(forms) == len(choices)


def _call(target: object) -> bool:
    return target is None or (
        isinstance(target, Mapping)
        and isinstance(target.get("name"), str)
        and isinstance(target.get("arguments", {}), Mapping)
    )


class _Kind(NamedTuple):
    """A kind of rule: its options with what they must be, and what its target must be."""

    check: Callable[[Mapping[str, Any], Any, str], _Seen]
    options: Mapping[str, Callable[[Any], bool]]
    fits: Callable[[Any], bool]
    wanted: str


_KINDS = {
    "exact": _Kind(_exact, {"normalize": lambda v: isinstance(v, bool)}, _texts, "a text"),
    "short_answer": _Kind(
        _short_answer, {"partial": lambda v: isinstance(v, bool)}, _texts, "a text"
    ),
    "numeric": _Kind(
        _numeric,
        {"tolerance": lambda v: _width(v) or v == 0, "span": _width},
        lambda target: _number(target) is not None,
        "a number",
    ),
    "choice": _Kind(_choice, {"choices": _labels}, lambda target: target is not None, "a choice"),
    "json": _Kind(_json, {"keys": _texts}, lambda target: target is not None, "a JSON value"),
    "function_call": _Kind(_function_call, {}, _call, "{name, arguments} or null"),
}


def _fault(rule: Mapping[str, Any], target: object) -> str:
    kind = _KINDS.get(str(rule.get("kind")))
    if kind is None:
        return f"`kind` is {rule.get('kind')!r}, not one of {', '.join(_KINDS)}"
    for name, value in rule.items():
        if name != "kind" and (name not in kind.options or not kind.options[name](value)):
            return f"`{name}` is {value!r} in a rule of kind {rule['kind']}"
    if not kind.fits(target):
        return f"the target is {target!r}, not {kind.wanted}"
    return _misfit(rule, target)


def _misfit(rule: Mapping[str, Any], target: Any) -> str:  # noqa: ANN401
    """Return what is wrong between a rule's options and its target, each right by itself."""
    if rule["kind"] == "choice" and target not in rule.get("choices", ()):
        return f"the target {target!r} is not among `choices`"
    if "span" in rule and rule["span"] <= rule.get("tolerance", 0):
        return "`span` is not wider than `tolerance`"
    missing = set(rule.get("keys", ())) - set(target if isinstance(target, Mapping) else ())
    return f"the target lacks the key {min(missing)!r}" if missing else ""
