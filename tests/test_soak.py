"""The soak in small: five kills and a run among faults. `make soak` is the whole of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data.errors import ConfigError
from kumiawase.rehearsal.faults import FAULTS, NIGHT, SPELL, Faults
from tests.soak import faults, kills
from tests.soak.bars import Bar
from tests.support.program import ROOT


def missed(bars: list[Bar]) -> list[str]:
    return [bar.line for bar in bars if not bar.met]


def test_an_evaluation_among_all_faults_is_the_one_without(tmp_path: Path) -> None:
    assert missed(faults.run(tmp_path, ensembles=3, items=16)) == []


def test_the_memory_of_whoever_started_the_soak_is_not_counted() -> None:
    ask = "from tests.soak.ensembles import largest; print(largest())"
    run = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ask!r}])"
    done = subprocess.run(
        [sys.executable, "-c", f"held = b'k' * 2**29; {run}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert 10 < float(done.stdout) < 2**9


def test_five_kills_lose_nothing_and_pay_for_nothing_twice(tmp_path: Path) -> None:
    bars = kills.play(tmp_path / "kills", kills=5, trials=1, items=12, pace=0.25)
    # How soon a reply is kept is a figure of time: `make soak` holds it.
    assert missed([bar for bar in bars if "replies" not in bar.what]) == []


def test_the_night_is_a_fifth_of_the_requests_and_every_fault() -> None:
    assert set(NIGHT) == set(FAULTS)
    assert sum(NIGHT.values()) == pytest.approx(0.2)


def test_faults_are_read_and_one_models_own_come_first() -> None:
    found = Faults.parse("night, hang=0.1, slow@sim/yokan-8b=1")
    assert found.shares == {**NIGHT, "hang": 0.1}
    drawn = found.drawer(clock=lambda: 0.0)
    assert {drawn("sim/yokan-8b") for _ in range(20)} == {"slow"}
    assert len({drawn("sim/dango-14b") for _ in range(500)}) > 5
    assert {Faults.parse("").drawer()("a") for _ in range(50)} == {None}


def test_the_spells_a_model_is_away_for_are_counted_from_the_start() -> None:
    def spells(start: float) -> list[int]:
        now = [start]
        drawn = Faults.parse("away=0.25").drawer(clock=lambda: now[0])
        found = []
        for spell in range(400):
            now[0] = start + (spell + 0.5) * SPELL
            found += [spell] if drawn("sim/dango-14b") == "away" else []
        return found

    assert 60 < len(spells(0.0)) < 140
    assert spells(0.0) == spells(1_234_567.8)


NONE = ["nigth", "hang", "hang=2", "hang=-1", "hang=x", "5xx=0.6,429=0.6", "hang@=1", "hang@gpt=1"]


@pytest.mark.parametrize("text", NONE)
def test_faults_that_cannot_be_are_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Faults.parse(text)
    assert str(caught.value).startswith(f"--faults {text}: ")
    assert "\n" not in str(caught.value)
