"""What was acknowledged survives kill -9 and a full disk."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

WRITE = """
import asyncio, sys
from db.store import Store
from tests.support.rows import attempt, completion

async def one(store, n, text):
    await store.claim(attempt(f"{n}", f"k{n}"))
    await store.settle(attempt(f"{n}", f"k{n}", outcome="ok"), completion(f"k{n}", text))
    sys.stdout.write(f"k{n}\\n")
    sys.stdout.flush()

async def main(url, text):
    with Store.open(url) as store:
        for start in range(0, 100_000, 16):
            await asyncio.gather(*(one(store, n, text) for n in range(start, start + 16)))

"""
FOREVER = WRITE + "asyncio.run(main(sys.argv[1], '答え' * 200))"
UNTIL_FULL = (
    WRITE
    + """
import resource, signal
from data.errors import StoreError
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    asyncio.run(main(sys.argv[1], '答え' * 2000))
except StoreError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""
)


def writer(code: str, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, f"sqlite:///{file}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check(file: Path, acknowledged: set[str]) -> None:
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    kept = {key for (key,) in connection.execute("SELECT key FROM completions")}
    settled = connection.execute("SELECT key FROM attempts WHERE outcome = 'ok'")
    assert acknowledged <= kept
    assert kept == {key for (key,) in settled}
    connection.close()


def test_a_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    for round_ in range(3):
        file = tmp_path / f"{round_}.sqlite"
        process = writer(FOREVER, file)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(random.randrange(100, 400))]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.communicate()
        check(file, {line.strip() for line in lines if line.endswith("\n")})


def test_a_full_disk_is_told_and_keeps_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "k.sqlite"
    process = writer(UNTIL_FULL, file)
    out, told = process.communicate(timeout=300)
    assert process.returncode == 1
    assert told.startswith(f"{file}: ")
    assert told.count("\n") == 1
    assert len(out.split()) > 10
    check(file, set(out.split()))
