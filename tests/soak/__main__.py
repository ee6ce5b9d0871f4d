"""`python -m tests.soak [NAME...]`: all parts, or those named; exit 1 on a miss."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from tests.soak import faults, kills, machine, neighbours, processes, silence
from tests.soak.bars import Bar

KILLS, TRIALS = 50, 42


def _kills(folder: Path) -> list[Bar]:
    place = folder / "kills"
    return [*kills.play(place, KILLS, TRIALS), *kills.start(place, TRIALS + 2)]


def _processes(folder: Path) -> list[Bar]:
    return [*processes.play(folder), *processes.on_postgresql(folder / "postgresql")]


PARTS: dict[str, Callable[[Path], list[Bar]]] = {
    "faults": faults.run,
    "kills": _kills,
    "neighbours": neighbours.play,
    "machine": machine.play,
    "silence": silence.play,
    "processes": _processes,
}


def main(names: list[str]) -> int:
    """Run the parts named, or all of them, and print a table of figures and bars."""
    unknown = set(names) - set(PARTS)
    if unknown:
        click.echo(f"no part {min(unknown)!r}; there are {', '.join(PARTS)}", err=True)
        return 2
    met = True
    for name in names or PARTS:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kumiawase-soak-") as folder:
            bars = PARTS[name](Path(folder))
        for bar in bars:
            click.echo(bar.line)
            met &= bar.met
        click.echo(f"({name}: {time.monotonic() - begun:.0f} s)")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
