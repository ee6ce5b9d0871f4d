"""Ensembles have one canonical form: equal ensembles are equal, and have equal digests."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from data.errors import ConfigError
from moa import prompts
from moa.ensemble import Agent, Ensemble, single, told_apart

PROMPT = "sha256:" + "0" * 64


def _ensemble(*agents: Agent) -> Ensemble:
    return Ensemble((agents,), Agent("z", 0.0, prompt=PROMPT))


def test_the_order_agents_are_written_in_does_not_matter() -> None:
    agents = (Agent("b", 0.7), Agent("a", 0.7), Agent("a", 0.0))
    digests = {_ensemble(*order).digest for order in itertools.permutations(agents)}
    assert len(digests) == 1


def test_equal_agents_become_one_with_more_draws() -> None:
    assert _ensemble(Agent("a", 0.7), Agent("a", 0.7, 2)) == _ensemble(Agent("a", 0.7, 3))


def test_temperature_zero_is_drawn_once() -> None:
    ensemble = _ensemble(Agent("a", 0.0, 3), Agent("a", 0.0))
    assert ensemble.layers == ((Agent("a", 0.0),),)


def test_an_integer_temperature_is_the_same_agent() -> None:
    assert _ensemble(Agent("a", 0)).digest == _ensemble(Agent("a", 0.0)).digest
    assert len({Ensemble((), Agent("a", t)).digest for t in (0, 0.0, -0.0)}) == 1
    written = {
        "layers": [[{"model": "a", "temperature": 0}]],
        "aggregator": {"model": "z", "temperature": 0},
    }
    assert Ensemble.from_json(written, prompt=PROMPT) == _ensemble(Agent("a", 0.0))


def test_the_digest_is_sha256_of_the_canonical_json() -> None:
    ensemble = Ensemble((), Agent("カラクリ", 0.7))
    canonical = '{"aggregator":{"model":"カラクリ","temperature":0.7},"layers":[]}'
    assert ensemble.digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_json_and_back() -> None:
    ensemble = Ensemble(
        ((Agent("a", 0.7, 2), Agent("b", 0.0)), (Agent("a", 0.7, prompt="sha256:x"),)),
        Agent("b", 0.0, prompt=PROMPT),
    )
    assert Ensemble.from_json(ensemble.to_json(), prompt="another") == ensemble


def test_fields_at_their_default_are_left_out() -> None:
    assert single("a", 0.0).to_json() == {
        "layers": [],
        "aggregator": {"model": "a", "temperature": 0.0},
    }


def test_calls_counts_every_draw_and_the_aggregation() -> None:
    assert _ensemble(Agent("a", 0.7, 3), Agent("b", 0.0)).calls == 5
    assert single("a", 0.0).calls == 1


def test_who_reads_references_has_a_prompt_and_nobody_else() -> None:
    written = {
        "layers": [[{"model": "a", "prompt": "sha256:useless"}], [{"model": "a"}]],
        "aggregator": {"model": "b", "temperature": 0.0, "prompt": "sha256:own"},
    }
    ensemble = Ensemble.from_json(written, prompt=PROMPT)
    assert [layer[0].prompt for layer in ensemble.layers] == [None, PROMPT]
    assert ensemble.aggregator.prompt == "sha256:own"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ([], "not of the form"),
        ({"layers": []}, "aggregator"),
        ({"layer": [], "aggregator": {"model": "a"}}, "not of the form"),
        ({"layers": [[]], "aggregator": {"model": "a"}}, "without agents"),
        ({"layers": {}, "aggregator": {"model": ""}}, "without a model"),
        ({"layers": [{"model": "a"}], "aggregator": {"model": "a"}}, "list of lists"),
        ({"aggregator": {"model": "a", "temprature": 1}}, "'temprature'"),
        ({"aggregator": {"model": "a", "temperature": "hot"}}, "hot"),
        ({"aggregator": {"model": "a", "temperature": 3}}, "temperature 3"),
        ({"aggregator": {"model": "a", "temperature": 10**400}}, "beyond all bounds"),
        ({"aggregator": {"model": "a", "temperature": float("nan")}}, "temperature nan"),
        ({"layers": [[{"model": "a", "n": 0}]], "aggregator": {"model": "a"}}, "n 0"),
        ({"layers": [[{"model": "a", "n": True}]], "aggregator": {"model": "a"}}, "`n`"),
    ],
)
def test_what_is_no_ensemble_is_refused_in_one_line(written: object, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as caught:
        Ensemble.from_json(written, prompt=PROMPT)
    assert "\n" not in str(caught.value)


def test_a_label_says_the_prompt_only_where_it_tells_two_apart() -> None:
    ours, other = prompts.digest("aggregate_en"), "sha256:" + "5" * 64

    def read_under(last: str) -> Ensemble:
        middle = (Agent("a", 0.7, 2, PROMPT), Agent("b", 0.0, 1, PROMPT))
        return Ensemble(((Agent("a", 0.0),), middle), Agent("z", 0.0, prompt=last))

    alike = [read_under(ours), read_under(other), single("z", 0.0), read_under(ours)]
    assert told_apart(alike) == [
        "a → 2*a@0.7 + b → z[aggregate_en]",
        "a → 2*a@0.7 + b → z[555555]",
        "z",
        "a → 2*a@0.7 + b → z[aggregate_en]",
    ]
    assert told_apart([alike[1], alike[1]]) == [alike[1].label] * 2
    assert told_apart([]) == []


def test_a_model_may_be_called_what_a_layer_looks_like() -> None:
    pair = Ensemble(((Agent("a", 0.0), Agent("b", 0.0)),), Agent("c", 0.0))
    odd = Ensemble(((Agent("a + b", 0.0),),), Agent("c", 0.0))
    assert told_apart([pair, odd]) == ["a + b → c"] * 2
