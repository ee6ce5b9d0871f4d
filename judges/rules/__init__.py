"""Rules: what an answer is worth without a model; none ever costs a call.

Each kind is described in docs/design/suite.md; what one is made of, in `judges.rules.kind`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from data.errors import SuiteError
from data.suites.item import Item
from judges.rules import calls, form, grounded, likeness, structure, written
from judges.rules.kind import Kind
from judges.score import Score

RULES_VERSION = "2"
"""Part of a judge's digest: changes with what any rule reads or what it is worth."""

RULE = "rule"

KINDS: Final[Mapping[str, Kind]] = {
    **written.KINDS,
    **structure.KINDS,
    **calls.KINDS,
    **form.KINDS,
    **grounded.KINDS,
    **likeness.KINDS,
}


def check(rule: Mapping[str, Any], target: object, answer: str) -> Score:
    """Return what a rule says of one answer to an item that is nothing but rule and target.

    Raises:
        SuiteError: The rule or its target cannot be used.
    """
    return check_item(Item("", "", (), "search", target=target, rule=rule), answer)


def check_item(item: Item, answer: str) -> Score:
    """Return what an item's rule says of one answer; an empty answer is worth 0.

    `exact` {normalize}: the texts are equal, of several targets one. `short_answer` {partial}:
    the same of the text behind the answer marker alone; `partial` gives the share of signs that
    agree. `numeric` {tolerance, span}: the last number, behind an answer marker if there is one;
    with `span`, worth falls from 1 at the tolerance to 0 at that distance from the target.
    `choice` {choices}: the one choice named. `json` {keys}: the share of the target's keys with
    the right value; all or nothing for values that are no object. `json_schema` {schema}: 1 for
    JSON that fits. `function_call` {free}: 0 for another function or several different calls;
    for the right one a half, and the other half times the share of right arguments, among those
    expected and those given, where one left out is worth its default in the tool's schema and a
    `free` one has only to fit the schema; with the target null, 1 for making no call. `format`
    {characters, items, sentences, paragraphs, lines, script, keywords, forbidden}: the share of
    demands met. `grounded` {cites, quotes}: the share of citations that exist, of those wanted
    that are there, of quotations that stand in the documents. `overlap` {unit}: F1 of characters
    or words.

    Args:
        item: One with a rule: `{"kind": …}` with its options.
        answer: The text of the last turn, without reasoning.

    Raises:
        SuiteError: The rule or its target cannot be used.
    """
    rule = item.rule or {}
    if fault := _fault(item):
        raise SuiteError(fault, place="rule")
    if not answer.strip():
        return Score(RULE, 0.0, explanation="empty answer")
    value, explanation = KINDS[rule["kind"]].check(rule, item, answer)
    return Score(RULE, value, explanation=explanation)


def validate(items: Iterable[Item]) -> None:
    """Refuse a suite whose rules could not be checked, before anything is asked.

    Raises:
        SuiteError: Names the first such item.
    """
    for item in items:
        fault = "" if item.rule is None else _fault(item)
        if fault:
            raise SuiteError(fault, place=f"item {item.id}: rule", remedy="mend the suite")


def _fault(item: Item) -> str:
    rule = item.rule or {}
    kind = KINDS.get(str(rule.get("kind")))
    if kind is None:
        return f"`kind` is {rule.get('kind')!r}, not one of {', '.join(KINDS)}"
    for name, value in rule.items():
        if name != "kind" and (name not in kind.options or not kind.options[name](value)):
            return f"`{name}` is {value!r} in a rule of kind {rule['kind']}"
    if not kind.fits(item.target):
        return f"the target is {item.target!r}, not {kind.wanted}"
    return kind.misfit(rule, item)
