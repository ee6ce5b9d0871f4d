"""A leaderboard from verdict files as tables, and below them what must be known of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.measure import Measurement

from data.verdicts import Fault, Verdict
from data.verdicts.load import Repeated
from judges.bradley_terry import Position, elo
from kumiawase import tables
from kumiawase.ranking.board import Board
from kumiawase.ranking.comparable import listed, named
from kumiawase.ranking.duels import SIGNIFICANT, DuelRow, DuelTable
from kumiawase.ranking.means import MeanRow

_SHOWN = 3  # places of a fault that are named


def show(found: Board) -> None:
    """Print a leaderboard, and below it what must be known of it."""
    out = tables.console()
    if found.differences:
        out.print("MIXED: these verdicts do not compare", style="bold")
    judges = listed([judge or "a judge the files do not name" for judge in found.judges])
    files = len(found.loaded.files)
    counted = f"{len(found.rulings)} verdicts in {files} file{'s' if files > 1 else ''}"
    out.print(f"{found.form.name}: {counted}, by {judges}", markup=False, soft_wrap=True)
    if found.duels:
        _show_duels(found.duels, out)
    else:
        _show_means(found.means or [], found.form.of, out)
    for line in _lines(found):
        out.print(tables.plain(line), soft_wrap=True)


def _show_means(rows: Sequence[MeanRow], of: float, out: Console) -> None:
    columns = ["rank", "group", "model", "score", "published", "items", "unscored", "coverage"]
    cells = [
        [
            *_place(row),
            _score(row, of),
            _of(row.published, of),
            str(row.items),
            _unscored(row, of),
            f"{row.coverage:.1%}",
        ]
        for row in rows
    ]
    if _has_micro(rows, of):
        columns.append("micro")
        cells = [[*line, _of(row.micro, of)] for line, row in zip(cells, rows, strict=True)]
    out.print(tables.table(columns, cells, "rank group published micro items unscored coverage"))
    names = list(dict.fromkeys(name for row in rows for name in row.by))
    if len(names) > 1:
        out.print()
        _show_broken_down(rows, names, out)


def _show_broken_down(rows: Sequence[MeanRow], names: Sequence[str], out: Console) -> None:
    """Print a line a model, or where that is too wide a column a model, by its place above."""
    lines = [(row.model, *(_of(row.by.get(name), 1) for name in names)) for row in rows]
    wide = tables.table(("model", *names), lines)
    if Measurement.get(out, out.options.update(width=10**4), wide).maximum <= out.width:
        out.print(wide)
        return
    places = [str(place) for place in range(1, len(rows) + 1)]
    turned = [(name, *(_of(row.by.get(name), 1) for row in rows)) for name in names]
    out.print(tables.table(("row above", *places), turned, " ".join(places)))


def _show_duels(found: DuelTable, out: Console) -> None:
    columns = ("rank", "group", "model", "Elo", "won", "lost", "drawn", "items", "unscored")
    cells = [
        (
            *_place(row),
            _elo(row),
            str(row.wins),
            str(row.losses),
            str(row.ties),
            str(row.items),
            str(row.unscored),
            f"{row.coverage:.1%}",
        )
        for row in found.rows
    ]
    right = "rank group won lost drawn items unscored coverage"
    out.print(tables.table((*columns, "coverage"), cells, right))


def _lines(found: Board) -> Iterator[str]:
    """Yield what stands below a table."""
    yield from (f"mixed: {difference}" for difference in found.differences)
    yield from (f"not ranked: {reason} (--allow-mixed ranks them)" for reason in found.unranked)
    if found.duels:
        yield from _of_duels(found.duels)
    else:
        yield _meaning(found)
    yield from (f"no rank for {row.model}: {row.reason}" for row in found.rows if row.reason)
    yield from _takes(found)
    yield from _faults(found)
    yield from found.notes


def _meaning(found: Board) -> str:
    over = {
        "shaberi": "mean of the suites' means, ELYZA's five counted twice",
        "japanese-rp-bench": "mean over dialogues, criteria and judges",
        "alpaca-eval": "percent won against the baseline",
    }.get(found.form.name, "mean over questions")
    if found.by == "category":
        over = "mean of the categories' means"
    return (
        f"score: of {found.form.of:g}, {over}, 95 % interval over items, without what is repeated,"
        " unparsed or out of range; published: every number as it stands; unscored: in brackets"
        " the score if all of it were worst, or best; coverage: where it is lowest"
        + ("; micro: the mean over items" if _has_micro(found.means or [], found.form.of) else "")
    )


def _has_micro(rows: Sequence[MeanRow], of: float) -> bool:
    """Tell whether any row's mean over items is another than its score."""
    return any(
        row.micro is not None and _of(row.micro, of) != _of(_value(row), of) for row in rows
    )


def _of_duels(found: DuelTable) -> Iterator[str]:
    if found.fault:
        yield f"no strengths: {found.fault}"
    if (position := found.position) is not None:
        yield _position(position)
    if (share := found.consistency.share) is not None:
        own = found.consistency
        pairs = own.same + own.first + own.second + own.half
        yield (
            f"both orders: the same verdict on {share:.1%} of {pairs} pairs; the first answer"
            f" both times on {own.first}, the second on {own.second}"
        )


def _position(position: Position) -> str:
    tested = f"likelihood ratio {position.ratio:.1f}, p {_p(position.p)}"
    if position.p >= SIGNIFICANT:
        return f"position: no effect shown ({tested}); the strengths allow for one"
    side = "first" if position.value > 0 else "second"
    if math.isinf(position.value):
        return f"POSITION BIAS: this judge always favours the {side} answer ({tested})"
    sign = 1 if position.value > 0 else -1
    value, *ends = (
        sign * (elo(one) - 1000) for one in (position.value, position.low, position.high)
    )
    return (
        f"POSITION BIAS: this judge favours the {side} answer by {value:.0f} Elo"
        f" [{min(ends):.0f}, {max(ends):.0f}] ({tested}); the strengths are freed of it"
    )


def _takes(found: Board) -> Iterator[str]:
    for row in found.means or []:
        if row.takes is not None:
            means = ", ".join(f"{name} {mean:.2f}" for name, mean in row.takes.means.items())
            low, high = min(row.takes.pairs), max(row.takes.pairs)
            yield (
                f"{row.model} was judged {len(row.takes.means)} times: {means}; equal marks in"
                f" {low:.0%} to {high:.0%} of two runs, in {row.takes.all_equal:.0%} of all"
            )


def _faults(found: Board) -> Iterator[str]:
    rows = found.rows
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.faults))
    for kind in kinds:
        own = [f"{row.model} {row.faults[kind]}" for row in rows if kind in row.faults]
        what = "as text (counted)" if kind == "as text" else kind
        yield f"{what}: {listed(own)}{_where(found, kind)}"
    if found.loaded.misfits:
        first = found.loaded.misfits[0]
        yield f"no verdicts: {len(found.loaded.misfits)} rows left out, the first {first}"
    if found.loaded.remarks:
        first = found.loaded.remarks[0]
        yield f"contradictions: {len(found.loaded.remarks)}, the first {first}"


def _where(found: Board, kind: str) -> str:
    """Return examples of a fault where they say more than its count."""
    shown: list[str] = []
    if kind == Fault.OUT_OF_RANGE:
        marks = [one for one in found.rulings if one.fault == kind and isinstance(one, Verdict)]
        shown = [f"{one.value:g} in {one.place}" for one in marks[:_SHOWN]]
    if kind == "repeated":
        shown = [_again(one) for one in found.repeated[:_SHOWN]]
    return f" ({'; '.join(shown)})" if shown else ""


def _again(one: Repeated) -> str:
    values = ", ".join("none" if r.value is None else f"{r.value:g}" for r in one.rulings)
    counts = "the newest" if one.newest else "their mean, for want of times,"
    return f"{named(one.rulings[0].task)}: {counts} counts of {values}"


def _place(row: MeanRow | DuelRow) -> tuple[str, str, str]:
    rank, group = (("—" if n is None else str(n)) for n in (row.rank, row.group))
    return rank, group, row.model


def _value(row: MeanRow) -> float | None:
    return row.estimate.value if row.estimate else None


def _score(row: MeanRow, of: float) -> str:
    if row.estimate is None:
        return "—"
    own = row.estimate
    return f"{_of(own.value, of)} [{_of(own.low, of)}, {_of(own.high, of)}]"


def _unscored(row: MeanRow, of: float) -> str:
    ends = ", ".join(_of(end, of) for end in row.bounds)
    return f"{row.unscored} [{ends}]" if row.unscored else "0"


def _elo(row: DuelRow) -> str:
    if row.strength is None:
        return "—"
    value, low, high = (
        elo(one) for one in (row.strength.value, row.strength.low, row.strength.high)
    )
    return f"{value:.0f} [{low:.0f}, {high:.0f}]"


def _of(value: float | None, of: float) -> str:
    return "—" if value is None else f"{of * value:.2f}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
