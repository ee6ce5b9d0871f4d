"""A call is right by its name, its arguments and the types its tool asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from data.errors import SuiteError
from data.suites.item import Item
from judges.rules import check_item, validate

TOOL = {
    "type": "function",
    "function": {
        "name": "search_books",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "maxLength": 20},
                "limit": {"type": "integer", "default": 10},
                "sort": {"enum": ["new", "old"]},
            },
            "required": ["query"],
        },
    },
}
TARGET = {"name": "search_books", "arguments": {"query": "川端康成"}}
ITEM = Item(
    "q", "関数", ("川端康成の本を探して。",), "search",
    target=TARGET, rule={"kind": "function_call"}, tools=(TOOL,),
)  # fmt: skip


def worth(item: Item, **arguments: Any) -> float | None:
    call = json.dumps({"name": "search_books", "arguments": arguments}, ensure_ascii=False)
    return check_item(item, call).value


def test_an_argument_left_out_is_worth_its_default() -> None:
    assert worth(ITEM, query="川端康成") == 1
    assert worth(ITEM, query="川端康成", limit=10) == 1
    assert worth(ITEM, query="川端康成", limit=5) == 0.75
    wanted = replace(ITEM, target={**TARGET, "arguments": {"query": "川端康成", "limit": 10}})
    assert worth(wanted, query="川端康成") == 1


def test_types_are_those_of_the_tool() -> None:
    wanted = replace(ITEM, target={**TARGET, "arguments": {"query": "川端康成", "limit": 3}})
    assert worth(wanted, query="川端康成", limit=3) == 1
    assert worth(wanted, query="川端康成", limit="3") == 0.75


def test_of_a_free_argument_only_the_type_counts() -> None:
    free = replace(ITEM, rule={"kind": "function_call", "free": ["query"]})
    assert worth(free, query="川端 小説") == 1
    assert worth(free, query="") == 0.5
    assert worth(free, query=3) == 0.5
    assert worth(free, query="長" * 21) == 0.5
    assert worth(free) == 0.5
    assert worth(free, query="川端", sort="new") == 0.75


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rule": {"kind": "function_call", "free": ["author"]}}, "no argument of the tool"),
        ({"rule": {"kind": "function_call", "free": "query"}}, "`free`"),
        ({"rule": {"kind": "function_call", "free": ["query"]}, "target": None}, "without a call"),
        ({"target": {**TARGET, "arguments": {"author": "x"}}}, "none of the tool's"),
        ({"target": {**TARGET, "arguments": {"query": 3}}}, "does not fit the tool: the value: 3"),
    ],
)
def test_a_target_its_own_tool_would_refuse_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        validate([replace(ITEM, **change)])
