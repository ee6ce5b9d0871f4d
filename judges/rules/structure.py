"""Rules that read JSON: `json` compares it with the target, `json_schema` with a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from data.suites.item import Item
from judges.rules.bounded_schema import faults, schema_fault
from judges.rules.kind import (
    Kind,
    Options,
    Seen,
    is_anything,
    is_given,
    is_texts,
    share,
    short,
    shown,
)
from judges.structured import find_json, same

_TYPES: Final = {"object": dict, "array": list}


def _json(rule: Options, item: Item, answer: str) -> Seen:
    target = item.target
    try:
        value = find_json(answer, type(target))
    except ValueError as error:
        return Seen(0.0, str(error))
    if not isinstance(target, Mapping) or not target:
        return Seen(float(same(target, value)), f"read: {shown(value)}")
    if not isinstance(value, Mapping):
        return Seen(0.0, f"no JSON object: {shown(value)}")
    keys = rule.get("keys") or list(target)
    right = {key: key in value and same(target[key], value[key]) for key in keys}
    return share(right, f"read: {shown(value)}")


def _json_schema(rule: Options, _item: Item, answer: str) -> Seen:
    schema = rule["schema"]
    try:
        value = find_json(answer, _TYPES.get(str(schema.get("type")), dict))
    except ValueError as error:
        return Seen(0.0, str(error))
    if found := faults(schema, value):
        return Seen(0.0, short("; ".join(found)))
    return Seen(1.0, "fits the schema")


def _keys_misfit(rule: Options, item: Item) -> str:
    missing = set(rule.get("keys", ())) - set(
        item.target if isinstance(item.target, Mapping) else ()
    )
    return f"the target lacks the key {min(missing)!r}" if missing else ""


def _schema_misfit(rule: Options, _item: Item) -> str:
    fault = schema_fault(rule["schema"]) if "schema" in rule else "there is none"
    return f"`schema`: {fault}" if fault else ""


KINDS: Final = {
    "json": Kind(_json, {"keys": is_texts}, is_given, "a JSON value", _keys_misfit),
    "json_schema": Kind(
        _json_schema,
        {"schema": lambda v: isinstance(v, Mapping)},
        is_anything,
        "anything",
        _schema_misfit,
    ),
}
