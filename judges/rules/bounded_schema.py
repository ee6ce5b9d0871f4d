"""JSON Schema (2020-12, by the library jsonschema) for schemas and values nobody vouches for.

A schema may come with a downloaded suite and a value from a model, so nothing is fetched, and
what could take exponential time or memory is refused or counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from judges.rules.kind import short

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MOST_NODES, _MOST_REFERENCES, _DEEPEST = 2_000, 5_000, 40
_MOST_ERRORS = 50
_LONGEST = 256  # signs of a text that a pattern is tried on; a longer one does not fit
_REFUSED: Final = frozenset({"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"})

_GROUP_REPEATED = re.compile(r"\)(?:[*+{]|\?[^:])")
_ASSERTION = re.compile(r"\(\?(?!:)|\\[1-9]")
_UNBOUNDED = re.compile(r"(?<!\\)(?:[*+]|\{\d*,(?:\d{3,})?\}|\{\d{3,})")
_MOST_UNBOUNDED = 2


class _Fault(NamedTuple):
    """A place in a value, and what is wrong there."""

    path: str
    message: str


class _TooMuchError(Exception):
    """A schema whose references multiply."""


def schema_fault(schema: object) -> str:
    """Return what keeps a schema from being used; empty for one that can be.

    Refused besides what is no schema: references to anything but itself, anchors, more than
    2,000 nodes or 40 levels, and patterns that may take exponential time: repeated groups,
    lookarounds, back references, more than two open repetitions.
    """
    if not isinstance(schema, Mapping | bool):
        return "a schema is an object"
    try:
        nodes = list(_nodes(schema))
    except _TooMuchError as error:
        return str(error)
    for node in nodes:
        if isinstance(node, Mapping) and (fault := _node_fault(node)):
            return fault
    return _meta_fault(schema) or _reference_fault(schema, nodes)


def faults(schema: Mapping[str, Any] | bool, value: object) -> list[str]:
    """Return what is wrong with a value, at most fifty, each with its place; none if it fits.

    Args:
        schema: One that has no `schema_fault`.
        value: What JSON gave.
    """
    if sum(1 for _ in _all(value)) > _MOST_NODES:
        return [f"more than {_MOST_NODES} values"]
    try:
        return [f"{fault.path}: {short(fault.message)}" for fault in _faults(schema, value)]
    except _TooMuchError as error:
        return [str(error)]
    except (RecursionError, ArithmeticError):
        return ["it cannot be compared"]


def _faults(schema: Mapping[str, Any] | bool, value: object) -> list[_Fault]:
    found = []
    for error in _validator()(schema).iter_errors(value):
        found.append(_Fault("/".join(map(str, error.absolute_path)) or "the value", error.message))
        if len(found) == _MOST_ERRORS:
            break
    return found


@cache
def _validator() -> Callable[[Any], Any]:
    # A tenth of a second that only those pay whose suites have schemas.
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry

    bounded = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {"pattern": _pattern, "uniqueItems": _unique, "patternProperties": _pattern_properties},
    )

    def make(schema: Any) -> Any:  # noqa: ANN401 - jsonschema has no types of its own
        follow, left = bounded.VALIDATORS["$ref"], iter(range(_MOST_REFERENCES))

        def counted(validator: Any, ref: Any, instance: Any, whole: Any) -> Any:  # noqa: ANN401
            if next(left, None) is None:
                raise _TooMuchError("its references multiply")
            yield from follow(validator, ref, instance, whole) or ()

        once = extend(bounded, {"$ref": counted})  # type: ignore[no-untyped-call]
        return once(schema, registry=Registry())

    return make


def _pattern(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not _fits(pattern, value):
        yield ValidationError(f"{short(value)!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any,  # noqa: ANN401 - jsonschema has no types of its own
    forms: Mapping[str, Any],
    value: object,
    _schema: object,
) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    for pattern, form in forms.items():
        for name in (name for name in value if _fits(pattern, name)):
            yield from validator.descend(value[name], form, path=name, schema_path=pattern)


def _unique(_validator: object, wanted: bool, value: object, _schema: object) -> Iterator[Any]:
    from jsonschema import ValidationError

    if wanted and isinstance(value, list):
        forms = {json.dumps(one, sort_keys=True) for one in value}
        if len(forms) < len(value):
            yield ValidationError("it has equal elements")


def _fits(pattern: str, text: str) -> bool:
    return len(text) <= _LONGEST and re.search(pattern, text) is not None


def _nodes(schema: object) -> Iterator[object]:
    """Yield every value in a schema, few and shallow enough or none at all."""
    level, count = [schema], 0
    for _ in range(_DEEPEST):
        if not level:
            return
        count += len(level)
        if count > _MOST_NODES:
            raise _TooMuchError(f"more than {_MOST_NODES} values")
        yield from level
        level = [inner for node in level for inner in _inside(node)]
    if level:
        raise _TooMuchError(f"more than {_DEEPEST} levels")


def _all(value: object) -> Iterator[object]:
    open_ = [value]
    while open_:
        node = open_.pop()
        yield node
        open_.extend(_inside(node))


def _inside(node: object) -> list[object]:
    if isinstance(node, Mapping):
        return list(node.values())
    return list(node) if isinstance(node, list | tuple) else []


def _node_fault(node: Mapping[str, Any]) -> str:
    if refused := _REFUSED & node.keys():
        return f"`{min(refused)}` is not followed"
    if node.get("$schema", _DIALECT) != _DIALECT:
        return f"`$schema` is not {_DIALECT}"
    reference = node.get("$ref", "#")
    if isinstance(reference, str) and not reference.startswith("#"):
        return f"`$ref` {short(reference)!r} leads out of the schema"
    patterns = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
    if isinstance(node.get("patternProperties"), Mapping):
        patterns += node["patternProperties"]
    return next(filter(None, map(_pattern_fault, patterns)), "")


def _pattern_fault(pattern: str) -> str:
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "x", re.sub(r"\\[\\\[\]().*+?{}]", "x", pattern))
    if _GROUP_REPEATED.search(bare) or _ASSERTION.search(bare):
        return f"`pattern` {short(pattern)!r} repeats a group or looks around"
    if len(_UNBOUNDED.findall(bare)) > _MOST_UNBOUNDED or len(pattern) > _LONGEST:
        return f"`pattern` {short(pattern)!r} has more than {_MOST_UNBOUNDED} open repetitions"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"`pattern` {short(pattern)!r}: {error}"
    return ""


def _meta_fault(schema: Mapping[str, Any] | bool) -> str:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path))
        return short(f"{place}: {error.message}" if place else error.message)
    return ""


def _reference_fault(schema: object, nodes: list[object]) -> str:
    """Return the reference that leads nowhere."""
    for node in nodes:
        reference = node.get("$ref") if isinstance(node, Mapping) else None
        if isinstance(reference, str) and not _leads(schema, reference):
            return f"`$ref` {short(reference)!r} leads nowhere"
    return ""


def _leads(schema: object, reference: str) -> bool:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    try:
        Registry().with_resource("", resource).resolver("").lookup(reference)
    except (Unresolvable, RecursionError):
        return False
    return True
