"""The benchmarks' server and log: what is measured is what was done."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.bound import lower_bound
from benchmarks.scenario import HOST, Played, Scenario, classic, play, various
from endpoints import residence

MEDIANS = {"a": 0.004, "b": 0.003, "c": 0.002, "d": 0.001}


def test_a_host_is_sent_one_model_after_another_and_counts_its_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(residence, "LINGER", 0.3)  # longer than a busy machine holds us up
    ensembles = [classic("abcd", 0)]
    played = play(Scenario(MEDIANS, {HOST: 4}, "d", ensembles, 6, 1, swap=0.02))
    assert len(played.entries) == played.distinct == 6 * (4 + 4 + 1 + 1)
    models = [entry["model"] for entry in sorted(played.entries, key=lambda e: e["left"])]
    changes = 1 + sum(a != b for a, b in pairwise(models))
    assert max(entry["loads"] for entry in played.entries) == changes <= 10


def test_no_run_beats_the_bound_and_none_pays_twice() -> None:
    ensembles = various("abcd", 4)
    scenario = Scenario(MEDIANS, dict.fromkeys(MEDIANS, 2), "d", ensembles, 5, 4)
    played = play(scenario)
    assert played.wall >= lower_bound(played.calls(scenario), scenario.slots)
    assert len(played.entries) == played.distinct
    # Of four models each layer has all, and only the aggregator and its verdict differ.
    assert len(played.entries) == 5 * (4 + 4 + 2 * len({e.aggregator for e in ensembles}))


def test_a_request_sent_twice_is_seen() -> None:
    played = play(Scenario(MEDIANS, dict.fromkeys(MEDIANS, 2), "d", [classic("abcd", 0)], 1, 1))
    assert Played(0.0, 0.0, [*played.entries, played.entries[0]]).distinct == len(played.entries)
