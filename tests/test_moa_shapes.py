"""The named shapes are those of the papers."""

from __future__ import annotations

import pytest

from moa.ensemble import Agent, Ensemble
from moa.shapes import SHAPES, build

SEVEN = ("a", "b", "c", "d", "e", "f", "g")
PROMPT = "sha256:test"


@pytest.mark.parametrize(
    ("name", "calls", "layers"),
    [("single", 1, 0), ("self-moa", 7, 1), ("moa-lite", 7, 1), ("moa", 13, 2)],
)
def test_a_shape_has_the_calls_of_its_paper(name: str, calls: int, layers: int) -> None:
    ensemble = build(SHAPES[name], SEVEN, "z", prompt=PROMPT)
    assert (ensemble.calls, len(ensemble.layers)) == (calls, layers)


def test_only_those_who_read_references_have_a_prompt() -> None:
    ensemble = build(SHAPES["moa"], SEVEN, "z", prompt=PROMPT)
    first, second = ensemble.layers
    assert [a.model for a in first] == [a.model for a in second] == list(SEVEN[:6])
    assert {a.prompt for a in first} == {None}
    assert {a.prompt for a in second} == {ensemble.aggregator.prompt} == {PROMPT}


def test_proposers_and_aggregator_have_temperatures_of_their_own() -> None:
    ensemble = build(SHAPES["self-moa"], ["a"], "a", prompt=PROMPT, aggregator_temperature=0.2)
    assert ensemble == Ensemble(((Agent("a", 0.7, 6),),), Agent("a", 0.2, prompt=PROMPT))
    assert build(SHAPES["single"], (), "a", prompt=PROMPT) == Ensemble((), Agent("a", 0.0))
