"""From a reply to proposals: whatever a model writes is read or refused, never obeyed."""

from __future__ import annotations

import json

import pytest

from optimizer.proposers.discovery.faults import Fault
from optimizer.proposers.discovery.reading import Form, brief, form, proposals
from tests.support.discoveries import UNREADABLE, proposal, reply


@pytest.mark.parametrize(
    "said",
    [
        "考えました。\n```json\n" + reply(proposal()) + "\n```\n以上です。",
        '{まず} {"note": 1} 次に ' + reply(proposal()),
        json.dumps({"analysis": {"a": [1, {}]}, "proposals": [proposal()]}),
        "{" * 50 + reply(proposal()),
    ],
    ids=["fenced", "after other braces", "not the first key", "after noise"],
)
def test_the_json_is_found_among_words(said: str) -> None:
    assert proposals(said) == [proposal()]


@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
def test_what_holds_no_proposals_is_nothing(said: str) -> None:
    assert proposals(said) is None


def test_a_proposal_is_read_with_what_belongs_to_it() -> None:
    read = form(proposal(aggregation_prompt="文"))
    assert isinstance(read, Form)
    assert (read.thought, read.name, read.parents, read.expected_score) == (
        "案",
        "名前",
        ["12345678"],
        7.5,
    )
    assert read.aggregation_prompt == "文"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (7, "dictionary"),
        ({"thought": "案"}, "ensemble"),
        (proposal([]), "ensemble"),
        (proposal(name="半 \ud800"), "name"),
        (proposal(name="あ" * 1000), "name"),
        (proposal(expected_score=float("inf")), "expected_score"),
        (proposal(parents=["a"] * 100), "parents"),
        (proposal(aggregation_prompt=["文"]), "aggregation_prompt"),
        (proposal({"layers": json.loads("[" * 30 + "]" * 30)}), "nested too deep"),
    ],
)
def test_what_is_no_proposal_is_refused_with_its_place(raw: object, said: str) -> None:
    found = form(raw)
    assert isinstance(found, Fault)
    assert found.code == "schema"
    assert said in found.sentence


@pytest.mark.parametrize("depth", [19, 21, 254, 500, *range(970, 990, 3), 5000])
def test_however_deep_it_is_nested(depth: int) -> None:
    for nested in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        for written in (f'{{"ensemble": {{"layers": {nested}}}}}', nested):
            for raw in proposals(f'{{"proposals": [{written}]}}') or ():
                assert isinstance(form(raw), Fault) or depth < 20
                assert len(brief(raw)) <= 4000
