"""An audit as a table: every line, then what the failing ones mean."""

from __future__ import annotations

from judges.audit import Audit, Line
from kumiawase import tables

_COLUMNS = ("line", "", "value", "99.5 %", "limit", "detects", "verdicts", "seen")
_STYLES = {"fail": "bold red", "undecided": "yellow"}


def show(audit: Audit) -> None:
    """Print an audit on stdout."""
    out = tables.console()
    out.print(tables.plain(audit.verdict), style="bold")
    found = tables.table(_COLUMNS, map(_row, audit.lines), "value limit detects verdicts")
    for row, line in zip(found.rows, audit.lines, strict=True):
        row.style = _STYLES.get(line.state, "dim" if line.state == "not applicable" else "")
    out.print(found)
    for line in audit.failing:
        out.print(tables.plain(f"{line.name}: {line.standard.meaning}"))
        out.print(tables.plain(f"  limit: {line.standard.why}"))
    for line in audit.undecided:
        out.print(tables.plain(f"{line.name}: {_wanted(line)}"))


def _row(line: Line) -> tuple[str, ...]:
    standard = line.standard
    interval = line.interval
    return (
        line.name,
        line.state,
        "—" if line.value is None else f"{line.value:.2f}",
        "" if interval is None else f"[{interval[0]:+.2f}, {interval[1]:+.2f}]",
        f"{'≥' if standard.least else '≤'} {standard.limit:.2f}",
        "" if line.detectable is None else f"{line.detectable:.2f}",
        str(line.verdicts) if line.verdicts else "",
        line.note,
    )


def _wanted(line: Line) -> str:
    """Return what would decide a line."""
    if line.detectable is not None and line.detectable > line.standard.harm:
        return (
            f"an effect of {line.standard.harm:g} could have been missed; about {line.wanted}"
            f" in place of {line.verdicts} would show it (--items, or a longer search)"
        )
    return f"wants {line.wanted}, saw {line.verdicts}"
