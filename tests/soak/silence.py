"""A server that falls silent in the middle of a search and comes back, twice.

First it is frozen, with its port open and every request hanging; then it is gone, and nobody
listens at its port.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.soak.bars import Bar
from tests.support.program import Pool, Served, pool, prepare, query, run, settings, started

BEATS = 65.0  # seconds within which a search writes down twice how its endpoints fare
SLACK = 1.5  # seconds until the first look at a server that is back, beside its deadline
PROBE = 30.0  # and at most

TRIED = """SELECT count(*) FROM evaluations
WHERE half = 'search' AND origin != 'baseline' AND state IN ('COMPLETE', 'PRUNED')"""
OPEN = "SELECT count(*) FROM trials WHERE state IN ('RUNNING', 'WAITING')"
TWICE = "SELECT count(*) - count(DISTINCT key) FROM attempts WHERE outcome = 'ok'"

Span = tuple[float, float]


def play(
    folder: Path,
    seconds: float = 70.0,
    deadline: float = 5.0,
    trials: int = 60,
    items: int = 24,
    pace: float = 0.2,
) -> list[Bar]:
    """Let a search's server fall silent for so long in either way."""
    log, told = folder / "log.jsonl", []
    with ExitStack() as stack:
        served = stack.enter_context(pool(log, time_scale=pace))
        search = {"trials": trials, "layers": 1, "width": 3, "n": 2, "confirm": 1}
        form = settings(served.url, search=search)
        form["endpoints"]["pool"]["timeout"] = deadline
        prepare(folder, form, items=items)
        searching = stack.enter_context(started(folder, "search"))
        searching.until(lambda: "\ntrials" in f"\n{searching.err}", "trials", 600.0)
        spans = []
        for number in (signal.SIGSTOP, signal.SIGKILL):
            kept = _kept(folder)
            # Not the server's replies: one that was frozen answers whom it had heard before.
            searching.until(lambda: _kept(folder) > kept + 10, "replies", 600.0)  # noqa: B023
            begun = time.monotonic()
            served.signal(number)
            if number == signal.SIGKILL:
                stack.enter_context(_kept_free(served))
            told.append(_told_meanwhile(folder, seconds))
            if number == signal.SIGSTOP:
                served.signal(signal.SIGCONT)
            else:
                port = urlsplit(served.url).port or 0
                stack.enter_context(pool(log, time_scale=pace, port=port))
            spans.append((begun, time.monotonic()))
        code = searching.end(900.0).code
    whole = [
        Bar("silence: exit code", code, 0, 0),
        Bar("silence: trials evaluated", query(folder, TRIED)[0][0], trials, trials),
        Bar("silence: trials left open", query(folder, OPEN)[0][0], 0),
        Bar("silence: answers kept and paid for again", query(folder, TWICE)[0][0], 0),
        Bar("silence: replies received and asked for again", _again(served, spans, deadline), 0),
    ]
    if seconds >= BEATS:
        whole.append(Bar("silence: models `status` told of meanwhile", min(told), None, 1))
    return [*whole, *_absence(folder, spans, deadline)]


def _kept_free(served: Pool) -> socket.socket:
    """Keep the port of a server that was killed from others, and closed."""
    assert served.process is not None
    served.process.wait()
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind((urlsplit(served.url).hostname, urlsplit(served.url).port))
    return place  # bound and not listening: refuses whoever comes


def _kept(folder: Path) -> int:
    return int(query(folder, "SELECT count(*) FROM completions")[0][0])


def _told_meanwhile(folder: Path, seconds: float) -> int:
    """Wait, and return how many models `status` said do not answer while the server was silent."""
    if seconds < BEATS:
        time.sleep(seconds)
        return 0
    time.sleep(BEATS)
    told = len(_endpoint(folder)["away_now"])
    time.sleep(seconds - BEATS)
    return told


def _absence(folder: Path, spans: Sequence[Span], deadline: float) -> list[Bar]:
    endpoint = _endpoint(folder)
    silent = sum(end - begin for begin, end in spans)
    longest, shortest = (len(spans) * (deadline + extra) for extra in (PROBE, SLACK))
    longest += silent  # a search looks again after as long a time as it has waited already
    told = max(endpoint["away_s"].values(), default=0.0)
    return [
        Bar("silence: kinds of failure told", len(endpoint["failed"]), None, 2),
        Bar("silence: seconds told, at least", told, None, silent - shortest),
        Bar("silence: seconds told, at most", told, silent + longest),
    ]


def _endpoint(folder: Path) -> dict[str, Any]:
    (found,) = run(folder, "status", "--json").json["endpoints"]
    return dict(found)


def _again(served: Pool, spans: Sequence[Span], deadline: float) -> int:
    """Return how many requests came although they had been answered in time.

    A reply that comes late, or while its server is about to be silent, may have nobody waiting.
    """
    received: set[str] = set()
    found = 0
    for line in sorted(served.served, key=lambda line: line.arrived):
        found += line.sha256 in received
        if line.sent - line.arrived < deadline / 2 and not _lost(line, spans):
            received.add(line.sha256)
    return found


def _lost(line: Served, spans: Sequence[Span]) -> bool:
    return any(line.arrived < end and line.sent > begin - 0.2 for begin, end in spans)
