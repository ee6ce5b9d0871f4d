"""`python -m benchmarks [NAME...]`: run the benchmarks; exit 1 where a goal is missed."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import (
    bench_ask,
    bench_bradley_terry,
    bench_call,
    bench_commit,
    bench_help,
    bench_leaderboard,
    bench_replay,
    bench_resident,
    bench_schedule,
)
from benchmarks.ratio import Ratio

BENCHMARKS: dict[str, Callable[[], list[Ratio]]] = {
    "help": bench_help.run,
    "call": bench_call.run,
    "replay": bench_replay.run,
    "commit": bench_commit.run,
    "leaderboard": bench_leaderboard.run,
    "schedule": bench_schedule.run,
    "resident": bench_resident.run,
    "bradley-terry": bench_bradley_terry.run,
    "ask": bench_ask.run,
}


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all of them."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark {min(unknown)!r}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    met = True
    for name in names or BENCHMARKS:
        for ratio in BENCHMARKS[name]():
            print(f"{name}: ", "\n".join(ratio.lines()), sep="", flush=True)
            met &= ratio.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
