"""JSON is held against a schema, within bounds that no schema and no answer can break."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data.errors import SuiteError
from judges.rules import check
from judges.rules.bounded_schema import faults, schema_fault

BOOK = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "year": {"type": "integer"},
        "isbn": {"type": "string", "pattern": r"^\d{3}-\d{10}$"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["title", "year"],
    "additionalProperties": False,
}


def seen(answer: str, schema: object = BOOK) -> tuple[float | None, str]:
    found = check({"kind": "json_schema", "schema": schema}, None, answer)
    return found.value, found.explanation


@pytest.mark.parametrize(
    "answer",
    [
        '{"title": "雪国", "year": 1937}',
        'こちらです。\n```json\n{"title": "雪国", "year": 1937, "isbn": "978-4101001012"}\n```',
        '{"title": "雪国", "year": 1937, "tags": ["小説", "日本"]}',
    ],
)
def test_json_that_fits(answer: str) -> None:
    assert seen(answer)[0] == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("雪国、1937年", "no JSON"),
        ('{"title": "雪国"}', "'year' is a required property"),
        ('{"title": "雪国", "year": "1937"}', "year: '1937' is not of type 'integer'"),
        ('{"title": "雪国", "year": 1937, "x": 1}', "'x' was unexpected"),
        ('{"title": "雪国", "year": 1937, "isbn": "9"}', "does not match"),
        ('{"title": "雪国", "year": 1937, "tags": ["a", "a"]}', "equal elements"),
        ('[{"title": "雪国", "year": 1937}]', "is not of type 'object'"),
    ],
)
def test_json_that_does_not(answer: str, said: str) -> None:
    value, explanation = seen(answer)
    assert value == 0
    assert said in explanation


def test_a_list_may_be_asked_for() -> None:
    assert seen('まず {"a": 1} です。[1, 2]', {"type": "array", "minItems": 2})[0] == 1


def test_a_schema_may_refer_to_itself() -> None:
    tree = {
        "type": "object",
        "properties": {"child": {"$ref": "#"}, "name": {"$ref": "#/$defs/name"}},
        "required": ["name"],
        "$defs": {"name": {"type": "string"}},
    }
    assert seen('{"name": "a", "child": {"name": "b"}}', tree)[0] == 1
    assert seen('{"name": "a", "child": {"name": 2}}', tree)[0] == 0


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "obj"}, "'obj' is not valid"),
        ({"$ref": "https://example.com/schema.json"}, "leads out"),
        ({"$ref": "other.json"}, "leads out"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"$id": "https://example.com/"}, "not followed"),
        ({"items": {"$dynamicRef": "#x"}}, "not followed"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "`$schema` is not"),
        ({"pattern": "(a+)+$"}, "repeats a group"),
        ({"pattern": "(?:a|a)*$"}, "repeats a group"),
        ({"pattern": "(?=a)a"}, "looks around"),
        ({"pattern": r"(a)\1"}, "looks around"),
        ({"pattern": "a*a*a*a*b"}, "open repetitions"),
        ({"pattern": "a{1,5000}b{2,}c+"}, "open repetitions"),
        ({"pattern": "["}, "unterminated"),
        ({"patternProperties": {"(x+)+": {}}}, "repeats a group"),
        ({"enum": list(range(3000))}, "more than 2000 values"),
    ],
)
def test_a_schema_that_could_do_harm_or_is_none_is_refused(schema: object, said: str) -> None:
    assert said in schema_fault(schema)
    with pytest.raises(SuiteError, match="`schema`"):
        seen("{}", schema)


@pytest.mark.parametrize(
    "pattern", [r"^\d{4}-\d{2}-\d{2}$", "^[A-Z]{2,3}$", "^[ァ-ヶー]+$", "^.*様$"]
)
def test_patterns_people_write_are_taken(pattern: str) -> None:
    assert schema_fault({"type": "string", "pattern": pattern}) == ""


def test_a_schema_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"items": deep}
    assert "levels" in schema_fault(deep)


def test_references_that_multiply_are_given_up() -> None:
    doubled = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)}
    schema = {"$ref": "#/$defs/a0", "$defs": {**doubled, "a30": {"type": "string"}}}
    assert schema_fault(schema) == ""
    assert faults(schema, "x") == ["its references multiply"]


def test_a_reference_in_a_circle_is_given_up() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert schema_fault(schema) == ""
    assert len(faults(schema, 1)) == 1


@pytest.mark.parametrize(
    "value",
    ["x" * 100_000, [[]] * 1500, 1e308, 10**400, "a" * 300],
)
def test_hostile_values_are_compared_or_given_up(value: object) -> None:
    schema = {
        "anyOf": [
            {"type": "array", "uniqueItems": True},
            {"type": "string", "pattern": "a+.+b$"},
            {"type": "number", "multipleOf": 0.1, "maximum": 5},
        ]
    }
    assert schema_fault(schema) == ""
    assert faults(schema, value)


def test_a_value_too_large_or_nested_too_deep_does_not_fit() -> None:
    assert faults({}, list(range(5000))) == ["more than 2000 values"]
    nested = "[" * 900 + "]" * 900
    schema = {"type": "array", "items": {"$ref": "#"}}
    assert seen(nested, schema)[0] == 0


def test_a_pattern_property() -> None:
    schema = {"patternProperties": {"^n_": {"type": "integer"}}}
    assert faults(schema, {"n_a": 1, "x": "y"}) == []
    assert faults(schema, {"n_a": "1"}) == ["n_a: '1' is not of type 'integer'"]


def test_a_schema_keeps_its_nulls_on_the_way_from_a_file(tmp_path: Any) -> None:
    from data.suites import load_suite

    rule = {"kind": "json_schema", "schema": {"enum": [None, 1], "default": None}}
    row = {"id": "a", "category": "c", "text": "x", "rule": rule}
    lines = [json.dumps({**row, "id": name}) for name in "ab"]
    (tmp_path / "s.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (item, _) = load_suite("s.jsonl", tmp_path).items
    assert item.rule == rule
