"""The program as its users have it: a process in a folder, and a simulated pool over HTTP."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kumiawase.rehearsal.faults import HARMLESS

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 300.0  # seconds for one command; none takes a tenth of it: this ends what hangs

MEMBERS = ("sim/yokan-8b", "sim/dango-14b", "sim/senbei-8x7b")
JUDGE, REPORT_JUDGE, DISCOVERER = "sim/judge", "sim/judge-2", "sim/discoverer"
#: Stands for the pool in keys and pins, so that another port is the same server.
IDENTITY = "pool of the tests"


@dataclass(frozen=True, slots=True)
class Run:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Served:
    """A request that was answered to the last byte; times are monotonic, equal in all processes.

    Requests with equal bodies are the same request: the seed of a draw stands in the body. One
    that the pool failed on purpose tells with which `fault`.
    """

    arrived: float
    sent: float
    model: str
    sha256: str
    fault: str = ""
    retry_after: float | None = None

    @property
    def answered(self) -> bool:
        """Whether the reply was right: paid for, never to be asked for again."""
        return self.fault in ("", *HARMLESS)


@dataclass(frozen=True, slots=True)
class Pool:
    """A simulated pool that is being served, by a process that can be stopped and killed."""

    url: str
    log: Path
    process: subprocess.Popen[str] | None = None

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal, for example SIGSTOP."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def replies(self) -> int:
        return self._written.count(b"\n")

    @property
    def served(self) -> list[Served]:
        *whole, _ = self._written.split(b"\n")  # the last line may be half written
        return [_served(json.loads(line)) for line in whole]

    @property
    def _written(self) -> bytes:
        return self.log.read_bytes() if self.log.exists() else b""


def run(folder: Path, *arguments: str, **variables: str) -> Run:
    """Run one command to its end; `variables` are added to its environment."""
    done = subprocess.run(
        command(arguments),
        cwd=folder,
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


class Started:
    """A command at work; what it says goes to files, so nothing is lost when it is killed."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self._out, self._err = folder / "stdout.txt", folder / "stderr.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command(arguments), cwd=folder, env=environment({}), stdout=out, stderr=err
            )

    @property
    def err(self) -> str:
        return self._err.read_text("utf-8")

    def until(self, true: Callable[[], object], what: str, timeout: float = TIMEOUT) -> None:
        """Look again and again until something holds; the command must not end before."""
        deadline = time.monotonic() + timeout
        while not true():
            assert self.process.poll() is None, f"ended before {what}: {self.err}"
            assert time.monotonic() < deadline, f"never happened: {what}"
            time.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> float:
        """Kill the process as a power cut would; return when, by the monotonic clock."""
        at = time.monotonic()
        self.process.kill()
        self.process.wait()
        return at

    def end(self, timeout: float = TIMEOUT) -> Run:
        code = self.process.wait(timeout)
        return Run(code, self._out.read_text("utf-8"), self.err)


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Started]:
    """Start a command; whatever still runs at the end is killed."""
    found = Started(folder, arguments)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()


@contextmanager
def pool(
    log: Path, *, time_scale: float = 0.0, seed: int = 0, faults: str = "", port: int = 0
) -> Iterator[Pool]:
    """Serve a simulated pool by the program's own command, with a line for each request."""
    arguments = ("rehearse", "--seed", str(seed), "--serve", str(port), "--log", str(log))
    wrong = ("--faults", faults) if faults else ()
    with subprocess.Popen(
        command((*arguments, "--time-scale", str(time_scale), *wrong)),
        cwd=log.parent,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield Pool(process.stdout.readline().strip(), log, process)
        finally:
            process.terminate()
            process.send_signal(signal.SIGCONT)  # one that was stopped hears of it only then


def settings(url: str, **changes: Any) -> dict[str, Any]:
    """Return settings for a short search on a pool, with some sections replaced."""
    base: dict[str, Any] = {
        "endpoints": {"pool": {"base_url": url, "identity": IDENTITY, "max_concurrency": 64}},
        "models": {name: {"endpoint": "pool"} for name in (*MEMBERS, JUDGE, REPORT_JUDGE)},
        "judge": {"kind": "rubric", "models": [JUDGE]},
        "report_judge": {"kind": "rubric", "models": [REPORT_JUDGE]},
        "suite": "questions.jsonl",
        "search": {"trials": 4, "layers": 1, "width": 3, "n": 2, "confirm": 2},
    }
    return base | changes


def prepare(folder: Path, content: Mapping[str, Any], *, items: int = 8) -> Path:
    """Write settings and a suite of two categories into a folder; return the settings' file."""
    suite = "".join(f"{json.dumps(_item(n), ensure_ascii=False)}\n" for n in range(items))
    (folder / "questions.jsonl").write_text(suite, encoding="utf-8")
    file = folder / "kumiawase.yaml"
    file.write_text(yaml.safe_dump(dict(content), allow_unicode=True), encoding="utf-8")
    return file


def query(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Read from the folder's database as anybody would."""
    connection = sqlite3.connect(folder / "kumiawase.sqlite")
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def _item(number: int) -> dict[str, object]:
    category = ("日本の知識", "文章・敬語")[number % 2]
    return {"id": f"q{number}", "category": category, "text": f"{number}番目の質問です。"}


def _served(line: Mapping[str, Any]) -> Served:
    arrived, sent = line["arrived"]["monotonic"], line["sent"]["monotonic"]
    failed = line.get("fault", ""), line.get("retry_after")
    return Served(arrived, sent, line["model"], line["sha256"], *failed)


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "kumiawase", *arguments]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, **variables}
