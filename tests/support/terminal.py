"""A command on a terminal, and what a person would see there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.program import TIMEOUT, command, environment

_SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+|\x1b")


@dataclass(slots=True)
class Terminal:
    """A terminal at work: what was written to it so far, and its process."""

    process: subprocess.Popen[bytes]
    columns: int
    _master: int
    _written: bytearray = field(default_factory=bytearray)

    @property
    def written(self) -> str:
        """Everything that was written, as it was."""
        return self._written.decode("utf-8", "replace")

    @property
    def screen(self) -> list[str]:
        """What stands on the screen, without blank lines at its end."""
        return shown(self.written, self.columns)

    def until(self, true: Callable[[], object], what: str) -> None:
        """Read until something holds."""
        deadline = time.monotonic() + TIMEOUT
        while not true():
            assert self._read(1.0) or time.monotonic() < deadline, f"never: {what}: {self.written}"

    def press(self, keys: bytes) -> None:
        """Type something; b"\\x03" is Ctrl-C."""
        os.write(self._master, keys)

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self.process.poll() is None:
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self._written += read
        return bool(read)


@contextmanager
def on_terminal(folder: Path, *arguments: str, columns: int, rows: int) -> Iterator[Terminal]:
    """Start a command on a terminal of its own, so that Ctrl-C is a signal to it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        command(arguments),
        cwd=folder,
        env=environment({"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads yet
    )
    os.close(slave)
    try:
        yield Terminal(process, columns, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def shown(written: str, columns: int) -> list[str]:
    """Return what a terminal shows of a text with the sequences that move and erase.

    Wide characters count one column: enough to see what is left and what is not.
    """
    page, other = _Page(columns), _Page(columns)
    for match in _SEQUENCE.finditer(written):
        if match[1] == "?1049":  # to another page, and back
            page, other = (_Page(columns), page) if match[2] == "h" else (other, page)
        else:
            page.obey(match[0], match[1], match[2])
    while page.lines and not page.lines[-1].strip():
        page.lines.pop()
    return page.lines


@dataclass(slots=True)
class _Page:
    columns: int
    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    def obey(self, text: str, number: str | None, verb: str | None) -> None:
        if text == "\r":
            self.column = 0
        elif text == "\n":
            self.row += 1
        elif verb == "A":
            self.row = max(0, self.row - int(number or 1))
        elif verb == "H":
            self.row = self.column = 0
        elif verb == "K":
            self.lines[self.row] = "" if number == "2" else self.lines[self.row][: self.column]
        elif verb is None and text.isprintable():
            self._write(text)
        self.lines += [""] * (self.row + 1 - len(self.lines))

    def _write(self, text: str) -> None:
        for character in text:
            if self.column == self.columns:  # only now: a full line ends at its last column
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row + 1 - len(self.lines))
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1
