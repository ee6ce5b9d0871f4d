"""How long a person waits for `kumiawase --help`, in starts of a bare Python."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.ratio import Ratio

RUNS = 21
GOAL = 5.0


def run() -> list[Ratio]:
    """Time both in turn, so that a busy machine slows both, and compare the medians."""
    program = Path(sys.executable).with_name("kumiawase")
    if not program.is_file():
        raise SystemExit(f"{program.name} is not installed beside this Python: make install")
    commands = {"help": [str(program), "--help"], "bare": [sys.executable, "-c", "pass"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():  # the first start writes bytecode
        _seconds(command)
    for _ in range(RUNS):
        for name, command in commands.items():
            times[name].append(_seconds(command))
    shown, bare = median(times["help"]), median(times["bare"])
    return [
        Ratio(
            f"kumiawase --help {1000 * shown:.0f} ms",
            f"python -c pass {1000 * bare:.0f} ms",
            shown / bare,
            GOAL,
            (f"medians of {RUNS} runs each, in turn",),
        )
    ]


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun
