"""A server that falls silent for longer than a deadline: the soak's long silence in short."""

from __future__ import annotations

from pathlib import Path

from tests.soak import silence


def test_a_server_that_comes_back_costs_its_absence_and_nothing_else(tmp_path: Path) -> None:
    bars = silence.play(tmp_path, seconds=4.5, deadline=3.0, trials=3, items=8, pace=0.05)
    assert [bar.line for bar in bars if not bar.met] == []
