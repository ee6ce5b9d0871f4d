"""Results as tables on stdout."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TextIO, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.of_ten import OF
from db.records import Spent
from judges.statistics import Estimate

_BLANKS = "\n\u3000\u00a0"
WIDTH = 100_000  # columns where stdout is no terminal: nothing is folded for a pipe
ID = 6  # characters of a digest by which a person names an ensemble


def console() -> Console:
    """Return the console results go to."""
    found = _Console(highlight=False)
    if found.is_terminal:
        return found
    unpadded = cast("IO[str]", _Unpadded(sys.stdout))
    return _Console(file=unpadded, highlight=False, width=WIDTH)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would exit with 1; the command line knows better


class _Unpadded(io.TextIOBase):
    """Writes lines without the blanks that fill a table's last column up to its longest cell."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @property
    def encoding(self) -> str:  # type: ignore[override] # a variable of the class, for its users
        """What rich asks before it draws."""
        return self._out.encoding

    def write(self, text: str) -> int:
        """Write a text that ends where a line may."""
        return self._out.write("\n".join(line.rstrip(" ") for line in text.split("\n")))

    def flush(self) -> None:
        """Write out what is held back."""
        self._out.flush()


def plain(text: str) -> Text:
    """Return text of a model or a user as it is: no markup, control characters visible."""
    return Text(visible(text))


def visible(text: str) -> str:
    """Return text with control characters written out, so that no terminal obeys them."""
    return "".join(c if c.isprintable() or c in _BLANKS else repr(c)[1:-1] for c in text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], right: str = "") -> Table:
    """Return a table; columns named in `right`, separated by blanks, are right-aligned."""
    out = Table(box=None, pad_edge=False, header_style="bold")
    numbers = right.split()
    for column in columns:
        out.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        out.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    return out


def spent(found: Spent, out: Console) -> None:
    """Print what was spent, in one line."""
    roles = ", ".join(f"{role} {share.calls}" for role, share in sorted(found.by_role.items()))
    cost = f"${found.usd:.2f}, " if found.usd else ""  # nothing is known where no price is
    out.print(f"spent: {found.calls} calls ({roles}), {cost}{found.seconds:.0f} s")


def duration(seconds: float) -> str:
    """Return seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def score(estimate: Estimate | None) -> str:
    """Return a score of ten with its interval."""
    if estimate is None:
        return "—"
    return f"{OF * estimate.value:.2f} [{OF * estimate.low:.2f}, {OF * estimate.high:.2f}]"
