"""The rule `function_call`: name, arguments and types of the one call an answer makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from data.suites.item import Item
from judges.rules.bounded_schema import faults, schema_fault
from judges.rules.kind import Kind, Options, Seen, is_texts, short, shown
from judges.structured import Call, find_calls, same

_FREE = "free"


def _function_call(rule: Options, item: Item, answer: str) -> Seen:
    calls, target = find_calls(answer), item.target
    if target is None:
        return Seen(float(not calls), f"calls {calls[0].name}" if calls else "makes no call")
    if len(calls) != 1:
        names = ", ".join(call.name for call in calls)
        return Seen(0.0, f"several calls: {short(names)}" if calls else "makes no call")
    return _compared(rule, item, calls[0])


def _compared(rule: Options, item: Item, call: Call) -> Seen:
    target: Mapping[str, Any] = item.target
    if call.name != target["name"]:
        return Seen(0.0, f"calls {short(call.name)}")
    if not isinstance(call.arguments, dict):
        return Seen(0.5, f"arguments are no object: {shown(call.arguments)}")
    properties, free = _properties(item, call.name), set(rule.get(_FREE, ()))
    wanted = {**_defaults(properties), **(target.get("arguments") or {})}
    given = {**_defaults(properties), **call.arguments}
    named = (target.get("arguments") or {}).keys() | call.arguments.keys() | free
    right = {name: _right(name, wanted, given, properties, name in free) for name in sorted(named)}
    wrong = [name for name, holds in right.items() if not holds]
    value = 0.5 + (1 - len(wrong) / len(right) if right else 1.0) / 2
    told = f"wrong: {', '.join(wrong)}; read: {shown(call.arguments)}"
    return Seen(value, short(told) if wrong else "all as expected")


def _right(
    name: str,
    wanted: Mapping[str, Any],
    given: Mapping[str, Any],
    properties: Mapping[str, Any],
    free: bool,
) -> bool:
    if free:
        # Its worth is left to a rubric; here it has to be there, and of its type.
        blank = isinstance(given.get(name), str) and not given[name].strip()
        return name in given and not blank and not faults(properties[name], given[name])
    return name in wanted and name in given and same(wanted[name], given[name])


def _defaults(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what arguments are worth that are left out."""
    return {
        name: form["default"]
        for name, form in properties.items()
        if isinstance(form, Mapping) and "default" in form
    }


def _properties(item: Item, name: str) -> Mapping[str, Any]:
    for tool in item.tools:
        function = tool.get("function", tool)
        if function.get("name") == name:
            found = (function.get("parameters") or {}).get("properties")
            return found if isinstance(found, Mapping) else {}
    return {}


def _is_call(target: object) -> bool:
    return target is None or (
        isinstance(target, Mapping)
        and isinstance(target.get("name"), str)
        and isinstance(target.get("arguments", {}), Mapping)
    )


def _misfit(rule: Options, item: Item) -> str:
    if item.target is None:
        return "`free` without a call in the target" if _FREE in rule else ""
    properties = _properties(item, item.target["name"])
    free = rule.get(_FREE, ())
    if unknown := set(free) - properties.keys():
        return f"`free` names {min(unknown)!r}, no argument of the tool"
    if told := [fault for name in free if (fault := schema_fault(properties[name]))]:
        return f"`free`: the tool's schema cannot be checked: {told[0]}"
    return next(_argument_faults(rule, item, properties), "")


def _argument_faults(rule: Options, item: Item, properties: Mapping[str, Any]) -> Iterator[str]:
    for name, value in (item.target.get("arguments") or {}).items():
        if not properties or name in rule.get(_FREE, ()):
            continue
        if name not in properties:
            yield f"the target's argument {name!r} is none of the tool's"
        elif not schema_fault(properties[name]) and (found := faults(properties[name], value)):
            yield f"the target's argument {name!r} does not fit the tool: {found[0]}"


KINDS: Final = {
    "function_call": Kind(
        _function_call,
        {_FREE: lambda v: isinstance(v, list | tuple) and is_texts(v)},
        _is_call,
        "{name, arguments} or null",
        _misfit,
    ),
}
