"""The leaderboard: its verdict, its best rows, and how far they can be believed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from db.inflation import Chosen
from db.of_ten import OF
from db.standings import Leaderboard, Standing
from kumiawase import tables
from kumiawase.views import footnotes, remarks
from moa.ensemble import told_apart

WIDE = 130  # columns from which ensembles stand beside their figures
COLUMNS = ("rank", "group", "trial", "id", "held out", "search", "items", "calls", "origin")


def show(board: Leaderboard, rows: int) -> None:
    """Print the leaderboard: its verdict first, then its best rows."""
    out = tables.console()
    suite, shown = board.suite, board.rows[:rows]
    confirmed = [row for row in board.rows if row.held_out]
    compared = sum(row.origin == "baseline" for row in confirmed)
    out.print(tables.plain(board.verdict), style="bold")
    for difference in board.mixed:
        out.print(tables.plain(f"not comparable: {difference}"), style="bold")
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
        out.print(tables.table((*columns, "ensemble"), whole, right))
    else:
        out.print(tables.table(columns, figures, right))
        named = zip((row.digest[: tables.ID] for row in shown), labels, strict=True)
        out.print(tables.table(("id", "ensemble"), named))
    hidden = len(board.rows) - rows
    if hidden > 0:
        out.print(f"… and {hidden} more (--rows)")
    for line in (*footnotes.lines(board, shown), *remarks.lines(shown)):
        out.print(tables.plain(line))
    if any(row.rank is None for row in shown):
        out.print("no rank: unfinished, too few scores, or over 5 % of the answers lost a member")
    if board.chosen is not None:
        _luck(board.chosen, out)
    tables.spent(board.spent, out)


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
        f"best search score {OF * found.search:.2f} ({found.digest[: tables.ID]}); the best of"
        f" {found.among} is expected {OF * found.inflation:.2f} too high; on held-out items:"
        f" {held_out}"
    )


def _row(row: Standing) -> tuple[str, ...]:
    seen = tables.score(row.estimate)
    return (
        "—" if row.rank is None else str(row.rank),
        "—" if row.group is None else str(row.group),
        "—" if row.trial is None else str(row.trial),
        row.digest[: tables.ID],
        tables.score(row.held_out.estimate if row.held_out else None),
        seen if row.state == "COMPLETE" else f"{seen} {row.state.lower()}",
        str(row.items),
        f"{row.per_answer.calls:.1f}",
        row.origin,
    )
