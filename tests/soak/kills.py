"""A search killed again and again, at random moments, with many requests in flight."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from kumiawase.rehearsal.config import config
from kumiawase.rehearsal.pool import Pool as Simulated
from tests.soak.bars import Bar
from tests.support.program import Pool, Served, pool, query, started

GRACE = 0.15  # seconds between the last byte of a reply and its commit
PACE = 0.4  # seconds of the quickest replies: the processor is not what is measured
LONGEST = 3.0  # seconds of work between a start and its kill
FIRST_CALL = 5.0  # seconds to the first new call with so many
LAST_RUN = 3600.0  # seconds until the last run must have ended
STORED = 10_000  # completions

TWICE = "SELECT count(*) - count(DISTINCT key) FROM attempts WHERE outcome = 'ok'"
IN_FLIGHT = "SELECT count(*) FROM attempts WHERE outcome = 'sent'"  # at the kills


def keys(folder: Path) -> set[str]:
    """Return what anybody can read now: committed completions."""
    if not (folder / "kumiawase.sqlite").exists():
        return set()
    try:
        return {key for (key,) in query(folder, "SELECT key FROM completions")}
    except sqlite3.OperationalError:
        return set()  # no table yet


def kill_once(folder: Path, served: Pool, seconds: float) -> tuple[float, int, int]:
    """Start the search and kill it; return when, rows lost, and whether the file is whole."""
    already = served.replies
    with started(folder, "search") as search:
        search.until(lambda: served.replies > already, "a reply")
        time.sleep(seconds)
        committed = keys(folder)
        at = search.kill()
    whole = query(folder, "PRAGMA integrity_check") == [("ok",)]
    return at, len(committed - keys(folder)), whole


def repeated(log: Sequence[Served], kills: Sequence[float], grace: float) -> int:
    """Return how many answers, sent so long before a kill, were asked for again after it.

    One that was sent when who had asked was dead already was never received.
    """
    received: dict[str, float] = {}
    found = 0
    for line in sorted(log, key=lambda line: line.arrived):
        before = received.get(line.sha256)
        if before is not None:
            found += any(before < at - grace and line.arrived > at for at in kills)
        elif line.answered and not any(line.arrived < at < line.sent for at in kills):
            received[line.sha256] = line.sent
    return found


def play(
    folder: Path, kills: int, trials: int, items: int | None = None, pace: float = PACE
) -> list[Bar]:
    """Kill the search so many times, let it finish, and look at what is there."""
    rng = random.Random(kills)
    folder.mkdir()
    with pool(folder / "log.jsonl", time_scale=pace) as served:
        form = config(Simulated(0), served.url, trials=trials)
        if items is not None:
            form["suite"] = {"path": "kumiawase-ja", "limit": items}
        (folder / "kumiawase.yaml").write_text(yaml.safe_dump(form, allow_unicode=True), "utf-8")
        longest = LONGEST * pace / PACE
        hard = [kill_once(folder, served, rng.uniform(0, longest)) for _ in range(kills)]
        with started(folder, "search") as search:
            done = search.end(LAST_RUN)
        log = served.served
    at = [moment for moment, _, _ in hard]
    states = dict(query(folder, "SELECT state, count(*) FROM trials GROUP BY state"))
    finished = states.pop("COMPLETE", 0) + states.pop("PRUNED", 0)
    tried = "SELECT count(*) FROM evaluations WHERE half = 'search' AND origin != 'baseline'"
    tried += " AND state IN ('COMPLETE', 'PRUNED')"
    gone = repeated(log, at, GRACE)
    again = repeated(log, at, 0.0) - query(folder, IN_FLIGHT)[0][0]
    return [
        Bar("kills: exit code of the last run", done.code, 0, 0),
        Bar("kills: files whole after a kill", sum(whole for _, _, whole in hard), kills, kills),
        Bar("kills: committed rows lost", sum(lost for _, lost, _ in hard), 0),
        Bar(f"kills: replies sent {GRACE} s before a kill and asked for again", gone, 0),
        Bar("kills: other replies asked for again, a kill", _excused(log, at) / kills, 1),
        Bar("kills: answers kept and paid for again", query(folder, TWICE)[0][0], 0),
        Bar("kills: requests made again that were not in flight", max(0, again), 0),
        Bar("kills: trials evaluated", query(folder, tried)[0][0], trials, trials),
        Bar("kills: trials neither complete nor pruned", sum(states.values()), 0),
        Bar("kills: trials asked and told", finished, None, trials),
    ]


def _excused(log: Sequence[Served], kills: Sequence[float]) -> int:
    return repeated(log, kills, 0.0) - repeated(log, kills, GRACE)


def start(folder: Path, trials: int) -> list[Bar]:
    """Measure how long a search with a full store takes to its first new call."""
    with pool(folder / "again.jsonl", time_scale=PACE) as served:
        file = folder / "kumiawase.yaml"
        form = yaml.safe_load(file.read_text("utf-8"))
        form["endpoints"]["simulated"]["base_url"] = served.url
        file.write_text(yaml.safe_dump(form, allow_unicode=True), "utf-8")
        begun = time.monotonic()
        with started(folder, "search", "--trials", str(trials)) as search:
            search.until(lambda: served.replies, "a reply")
            first = served.served[0].arrived - begun
    return [
        Bar("start: completions stored", len(keys(folder)), None, STORED),
        Bar("start: seconds to the first new call", first, FIRST_CALL),
    ]
