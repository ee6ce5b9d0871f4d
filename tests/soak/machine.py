"""The store's state machine at full length, and the bugs that are planted in it."""

from __future__ import annotations

import traceback
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soak.bars import Bar
from tests.test_db_machine import BUGS, PLANTED, QUICK, Machine

RUNS, STEPS = 200, 50


def play(_: Path) -> list[Bar]:
    """Run it; a history that breaks a promise is printed."""
    whole = settings(QUICK, max_examples=RUNS, stateful_step_count=STEPS)
    clean, found = _keeps(Machine, whole, say=True), [_keeps(bug, PLANTED) for bug in BUGS]
    return [
        Bar(f"machine: faults in {RUNS} runs of {STEPS} steps", int(not clean), 0),
        Bar("machine: planted bugs found", found.count(False), len(BUGS), len(BUGS)),
    ]


def _keeps(machine: type[Machine], how: settings, *, say: bool = False) -> bool:
    try:
        run_state_machine_as_test(machine, settings=how)
    except AssertionError:
        if say:
            traceback.print_exc()
        return False
    return True
