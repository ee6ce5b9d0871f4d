"""Four processes on one database: two searches, a rival of the first, and a reader."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.soak.bars import Bar
from tests.support import postgres
from tests.support.program import Run, pool, prepare, run, settings, started

READERS = (
    ("status", "--json"),
    ("leaderboard", "--json"),
    ("show", "0", "--json"),
    ("export", "-o", "best.yaml"),
)
YET = ("nothing was searched yet", "no study", "no ensemble")  # what a reader may be told
RIVAL = ("is searching it",)
LOCK = ("is locked", "could not obtain lock", "deadlock", "could not serialize")

DONE = """SELECT count(*) FROM evaluations WHERE half = 'search' AND origin != 'baseline'
AND state IN ('COMPLETE', 'PRUNED')"""
TWICE = "SELECT count(*) - count(DISTINCT 1000000 * study_id + number) FROM trials"
OPEN = "SELECT count(*) FROM trials WHERE state IN ('RUNNING', 'WAITING')"


@dataclass(frozen=True, slots=True)
class _Played:
    """What the commands of each kind said until the time was over."""

    folder: Path
    ends: float
    searches: list[Run] = field(default_factory=list)
    rivals: list[Run] = field(default_factory=list)
    looks: list[Run] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.ends

    def own(self, name: str) -> Path:
        """Return a folder of one's own with the same settings and suite."""
        found = self.folder / name
        found.mkdir()
        for file in ("kumiawase.yaml", "questions.jsonl"):
            shutil.copy(self.folder / file, found)
        return found

    def search(self, name: str, *, rival: bool) -> None:
        """Search one study after the other, with somebody who wants the same ones."""
        folder, studies = self.own(name), 0
        other = self.own(f"rival of {name}") if rival else None
        while not (studies and self.over):
            command = ("search", "--study", f"{name}-{studies}")
            with started(folder, *command) as searching:
                searching.until(lambda: searching.err, "it has begun", 600.0)
                if other:
                    searching.signal(signal.SIGSTOP)  # it must not end before its rival has begun
                    self.rivals.append(run(other, *command))
                    searching.signal(signal.SIGCONT)
                self.searches.append(searching.end(600.0))
            studies += 1

    def read(self) -> None:
        """Look at the first study again and again, in every way there is."""
        folder, looks = self.own("reader"), 0
        while not (looks >= len(READERS) and self.over):
            verb, *rest = READERS[looks % len(READERS)]
            self.looks.append(run(folder, verb, *rest, "--study", "one-0"))
            looks += 1


def play(
    folder: Path, seconds: float = 600.0, storage: str = "", trials: int = 12, items: int = 24
) -> list[Bar]:
    """Let them work for so long; each begins anew when it is done, and works once at least."""
    storage = storage or f"sqlite:///{folder / 'kumiawase.sqlite'}"
    played = _Played(folder, time.monotonic() + seconds)
    with pool(folder / "log.jsonl", time_scale=0.02) as served:
        search = {"trials": trials, "layers": 1, "width": 3, "n": 2, "confirm": 1}
        prepare(folder, settings(served.url, search=search, storage=storage), items=items)
        doing: Sequence[Callable[[], None]] = (
            lambda: played.search("one", rival=True),
            lambda: played.search("two", rival=False),
            played.read,
        )
        with ThreadPoolExecutor(len(doing)) as together:
            for one in [together.submit(do) for do in doing]:
                one.result()
    return _bars(played, storage, trials)


def on_postgresql(folder: Path, seconds: float = 120.0) -> list[Bar]:
    """Play the same on a PostgreSQL server."""
    folder.mkdir()
    with postgres.database() as url:
        return play(folder, seconds, url)


def _bars(played: _Played, storage: str, trials: int) -> list[Bar]:
    searches, rivals, looks = played.searches, played.rivals, played.looks
    with create_engine(storage).connect() as connection:
        done, twice, left = (connection.scalar(text(query)) for query in (DONE, TWICE, OPEN))
    wanted = trials * len(searches)
    locked = sum(_says(one, LOCK) for one in (*searches, *rivals, *looks))
    told = [one for one in looks if one.code and not (one.code == 2 and _says(one, YET))]
    admitted = [one for one in rivals if not (one.code == 2 and _says(one, RIVAL))]
    what = f"processes: {storage.partition(':')[0].partition('+')[0]}: "
    return [
        Bar(f"{what}searches", len(searches), None, 2),
        Bar(f"{what}searches that failed", sum(one.code != 0 for one in searches), 0),
        Bar(f"{what}looks", len(looks), None, len(READERS)),
        Bar(f"{what}looks that failed", len(told), 0),
        Bar(f"{what}rivals", len(rivals), None, 1),
        Bar(f"{what}rivals that were not refused", len(admitted), 0),
        Bar(f"{what}commands that told of a lock", locked, 0),
        Bar(f"{what}trials evaluated", done, wanted, wanted),
        Bar(f"{what}trials asked twice", twice, 0),
        Bar(f"{what}trials left open", left, 0),
    ]


def _says(found: Run, texts: Sequence[str]) -> bool:
    return any(one in found.out + found.err for one in texts)
