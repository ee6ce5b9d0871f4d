"""A fixed list of ensembles on a pool that fails in every way, and on one that does not."""

from __future__ import annotations

import bisect
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kumiawase.rehearsal.config import config
from kumiawase.rehearsal.faults import FAULTS, NIGHT
from kumiawase.rehearsal.pool import Pool as Simulated
from tests.soak.bars import Bar
from tests.support.program import ROOT, Served, environment, pool

EARLY = 0.01  # seconds: a rest begins a moment before its notice
LAYERS, WIDTH, N = 2, 4, 2
OVERFLOWING = "sim/monaka-3b"


@dataclass(frozen=True, slots=True)
class Played:
    """A list of ensembles evaluated.

    Attributes:
        outcomes: By digest: state, mean, ranked, scored, items.
        pauses: When a rest was heard of, and for how long.
        sent: When requests left, by the same clock.
    """

    code: int
    outcomes: dict[str, Any]
    pauses: Sequence[tuple[float, float]]
    sent: Sequence[float]
    log: Sequence[Served]
    megabytes: float


def play(folder: Path, ensembles: int, faults: str, items: int | None = None) -> Played:
    """Evaluate the list from nothing against a pool with faults, in a process of its own."""
    folder.mkdir()
    with pool(folder / "log.jsonl", time_scale=0.002, faults=faults) as served:
        form = config(Simulated(0), served.url, trials=0, patient=False)
        # Its window is found out by overflows: what is cut goes by their order, faults or not.
        del form["models"][OVERFLOWING]
        form["search"] |= {"layers": LAYERS, "width": WIDTH, "n": N}
        if items is not None:
            form["suite"] = {"path": "kumiawase-ja", "limit": items}
        (folder / "kumiawase.yaml").write_text(yaml.safe_dump(form, allow_unicode=True), "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "tests.soak.ensembles", str(folder), str(ensembles)],
            cwd=ROOT,
            env=environment({}),
            stdout=subprocess.PIPE,
            check=False,
        )
        nothing = b'{"outcomes": {}, "pauses": [], "sent": [], "megabytes": 0}'
        return Played(
            code=done.returncode, log=served.served, **json.loads(done.stdout or nothing)
        )


def run(folder: Path, ensembles: int = 40, items: int | None = None) -> list[Bar]:
    """Play both and compare."""
    clean = play(folder / "clean", ensembles, "", items)
    wrong = play(folder / "faults", ensembles, "night", items)
    asked = {line.sha256 for line in wrong.log}
    answered = Counter(line.sha256 for line in wrong.log if line.answered)
    gaps = [
        abs(10 * (wrong.outcomes[digest][1] - one[1])) if digest in wrong.outcomes else 10.0
        for digest, one in clean.outcomes.items()
    ]
    hit = Counter(line.fault for line in wrong.log if line.fault in FAULTS)
    whole = [one for one in wrong.outcomes.values() if one[0] == "COMPLETE" and one[2]]
    return [
        Bar("faults: exit code", wrong.code, 0, 0),
        Bar("faults: kinds that hit, of those there are", len(hit), None, _kinds(len(wrong.log))),
        Bar("faults: share of the requests hit", hit.total() / len(wrong.log), None, 0.1),
        Bar("faults: ensembles evaluated and ranked", len(whole), ensembles, ensembles),
        Bar("faults: answered requests paid twice", _twice(answered), 0),
        Bar("faults: requests sent / needed", len(wrong.log) / len(asked), 1.5),
        Bar("faults: requests sent before Retry-After", early(wrong), 0),
        Bar("faults: largest distance of a mean from the faultless run, of 10", max(gaps), 0.1),
        Bar("faults: memory in MB", wrong.megabytes, 500),
    ]


def _kinds(requests: int) -> int:
    """Return how many kinds must have hit something: rare ones need many requests, or time."""
    return sum(requests * share > 8 for name, share in NIGHT.items() if name != "away")


def _twice(answered: Counter[str]) -> int:
    return sum(times - 1 for times in answered.values())


def early(played: Played) -> int:
    """Return how many requests were sent although a 429 that was read had asked for a rest."""
    sent = sorted(played.sent)
    found = 0
    for heard, seconds in played.pauses:
        first = bisect.bisect_right(sent, heard)
        found += max(0, bisect.bisect_left(sent, heard + seconds - EARLY) - first)
    return found
