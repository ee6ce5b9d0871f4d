"""Results as tables on stdout."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TextIO, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.inflation import Chosen
from db.of_ten import OF
from db.records import Spent
from db.standings import Leaderboard, Standing
from judges.statistics import Estimate
from kumiawase import footnotes, remarks
from moa.ensemble import told_apart

_BLANKS = "\n\u3000\u00a0"
WIDTH = 100_000  # columns where stdout is no terminal: nothing is folded for a pipe
WIDE = 130  # columns from which ensembles stand beside their figures
COLUMNS = ("rank", "group", "trial", "id", "held out", "search", "items", "calls", "origin")
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


def leaderboard(board: Leaderboard, rows: int) -> None:
    """Print the leaderboard: its verdict first, then its best rows."""
    out = console()
    suite, shown = board.suite, board.rows[:rows]
    confirmed = [row for row in board.rows if row.held_out]
    compared = sum(row.origin == "baseline" for row in confirmed)
    out.print(plain(board.verdict), style="bold")
    for difference in board.mixed:
        out.print(plain(f"not comparable: {difference}"), style="bold")
    out.print(
        f"study {board.study}, suite {suite['name']} ({suite['search_items']} search items,"
        f" {suite['held_out_items']} held out); confirmed on held-out items:"
        f" {len(confirmed) - compared} found, {compared} baselines",
        markup=False,
    )
    right = "rank group trial items calls micro adj. flagged"
    labels = told_apart([row.ensemble for row in shown])
    extras = _extras(board, shown)
    columns = (*COLUMNS, *(heading for heading, _ in extras))
    others = zip(*(cells for _, cells in extras), strict=True) if extras else [()] * len(shown)
    figures = [(*_row(row), *cells) for row, cells in zip(shown, others, strict=True)]
    if out.width >= WIDE:
        whole = [(*cells, label) for cells, label in zip(figures, labels, strict=True)]
        out.print(table((*columns, "ensemble"), whole, right))
    else:
        out.print(table(columns, figures, right))
        named = zip((row.digest[:ID] for row in shown), labels, strict=True)
        out.print(table(("id", "ensemble"), named))
    hidden = len(board.rows) - rows
    if hidden > 0:
        out.print(f"… and {hidden} more (--rows)")
    for line in (*footnotes.lines(board, shown), *remarks.lines(shown)):
        out.print(plain(line))
    if any(row.rank is None for row in shown):
        out.print("no rank: unfinished, too few scores, or over 5 % of the answers lost a member")
    if board.chosen is not None:
        _luck(board.chosen, out)
    spent(board.spent, out)


def _extras(board: Leaderboard, shown: Sequence[Standing]) -> list[tuple[str, list[str]]]:
    """Return the columns that not every leaderboard needs: heading and cells."""
    found: list[tuple[str, list[str]]] = []
    if footnotes.has_micro(shown):
        found.append(("micro", [_of_ten(footnotes.micro(row)) for row in shown]))
    if halves := footnotes.lengthy(board):
        found.append(("adj.", [_of_ten(footnotes.adjusted(row, halves)) for row in shown]))
    found += remarks.columns(shown)
    if len({row.study for row in board.rows}) > 1:
        found.append(("study", [row.study for row in shown]))
    return found


def _of_ten(value: float | None) -> str:
    return "—" if value is None else f"{OF * value:.2f}"


def _luck(found: Chosen, out: Console) -> None:
    """Print what the best search score is worth on the items it was not chosen by."""
    held_out = f"{OF * found.held_out.value:.2f}" if found.held_out else "not confirmed"
    out.print(
        f"best search score {OF * found.search:.2f} ({found.digest[:ID]}); the best of"
        f" {found.among} is expected {OF * found.inflation:.2f} too high; on held-out items:"
        f" {held_out}"
    )


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


def _row(row: Standing) -> tuple[str, ...]:
    seen = score(row.estimate)
    return (
        "—" if row.rank is None else str(row.rank),
        "—" if row.group is None else str(row.group),
        "—" if row.trial is None else str(row.trial),
        row.digest[:ID],
        score(row.held_out.estimate if row.held_out else None),
        seen if row.state == "COMPLETE" else f"{seen} {row.state.lower()}",
        str(row.items),
        f"{row.per_answer.calls:.1f}",
        row.origin,
    )
