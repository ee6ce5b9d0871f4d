"""What a leaderboard says of the answers themselves: columns where there is something to say."""

from __future__ import annotations

from collections.abc import Sequence

from db.remarks import Remarks
from db.standings import Standing

_NAMED = 6  # characters of a digest by which a person names an ensemble
_MOST = 5  # ensembles whose defects are told
_FLAGGED = "flagged: answers with text that would speak for a judge; `show ID` says which"
_OFF = (
    "off language: answers in another language than was asked for, worth 0 unless a rule decides"
)
_DEFECTS = {
    "empty": "empty",
    "looping": "looping",
    "refused": "refused",
    "cut": "cut at the token limit",
    "mixed": "slipping into another script",
    "constant": "the same for three items or more",
}


def columns(shown: Sequence[Standing]) -> list[tuple[str, list[str]]]:
    """Return the columns that are not 0 in every row: heading and cells."""
    found = {
        "flagged": [row.remarks.flagged for row in shown],
        "off lang.": [row.remarks.off_language for row in shown],
    }
    return [(name, list(map(str, counts))) for name, counts in found.items() if any(counts)]


def lines(shown: Sequence[Standing]) -> list[str]:
    """Return what stands below the rows: what the columns mean, and other defects."""
    told = [_FLAGGED] if any(row.remarks.flagged for row in shown) else []
    if any(row.remarks.off_language for row in shown):
        told.append(_OFF)
    found = [f"{row.digest[:_NAMED]} {text}" for row in shown if (text := _defects(row.remarks))]
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return [*told, *([f"answers: {'; '.join(found[:_MOST])}{more}"] if found else [])]


def _defects(remarks: Remarks) -> str:
    counts = ((getattr(remarks, name), text) for name, text in _DEFECTS.items())
    told = ", ".join(f"{count} {text}" for count, text in counts if count)
    return f"{told} (of {remarks.answers})" if told else ""
