"""A model's marks against all that was asked: means over parts, judges and runs, and gaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from data.verdicts import Scale, Verdict, VerdictFormat

_Cell = tuple[str, str]  # part, judge


class Item(NamedTuple):
    """A question of a suite."""

    suite: str
    name: str

    @property
    def key(self) -> str:
        """The item in one text."""
        return f"{self.suite}\n{self.name}"


@dataclass(frozen=True, slots=True)
class Frame:
    """What every model is measured against.

    Attributes:
        cells: Item → the turns or criteria, each with its judge, that were judged for anyone.
        strata: Item's key → its suite or category, whose means weigh the same.
        pooled: Whether any judge's mark will do, because models were judged by different ones.
    """

    form: VerdictFormat
    cells: Mapping[Item, tuple[_Cell, ...]]
    strata: Mapping[str, str]
    pooled: bool

    @classmethod
    def of(
        cls,
        form: VerdictFormat,
        verdicts: Iterable[Verdict],
        categories: Mapping[str, str],
        *,
        pooled: bool,
    ) -> Frame:
        """Return what the verdicts span; `categories` by the items' names, if there are any."""
        cells: dict[Item, dict[_Cell, None]] = defaultdict(dict)
        for one in verdicts:
            cells[item_of(one)][_cell(one, pooled=pooled)] = None
        strata = {item.key: categories.get(item.name, item.suite) for item in cells}
        return cls(form, {item: tuple(own) for item, own in cells.items()}, strata, pooled)

    def scale(self, item: Item) -> Scale:
        """Return the marks that an item can get."""
        return self.form.scales[item.suite]


class Marks:
    """One model's sound marks."""

    def __init__(self, frame: Frame, verdicts: Iterable[Verdict]) -> None:
        self._frame = frame
        self._marks: dict[tuple[Item, _Cell], list[float]] = defaultdict(list)
        takes: set[str] = set()
        for one in verdicts:
            takes.add(one.take)
            if one.sound and one.value is not None:
                self._marks[item_of(one), _cell(one, pooled=frame.pooled)].append(one.value)
        self._takes = len(takes)

    def of(self, item: Item, fill: float | None = None) -> float | None:
        """Return an item's share of full marks: the mean over its parts of that over judges.

        Args:
            item: The item.
            fill: What a missing mark counts as; None leaves it out.
        """
        parts: dict[str, list[float]] = defaultdict(list)
        for part, judge in self._frame.cells[item]:
            marks = self._marks.get((item, (part, judge)))
            if marks:
                parts[part].append(fmean(marks))
            elif fill is not None:
                parts[part].append(fill)
        top = self._frame.scale(item).high
        return fmean(map(fmean, parts.values())) / top if parts else None

    def scores(self) -> dict[Item, float]:
        """Return the items with a mark, each with its share of full marks."""
        found = {item: self.of(item) for item in self._frame.cells}
        return {item: value for item, value in found.items() if value is not None}

    def filled(self, *, best: bool) -> float:
        """Return the mean if each missing mark were the worst or the best."""
        groups: dict[str, list[float]] = defaultdict(list)
        for item in self._frame.cells:
            value = self.of(item, self._frame.scale(item)[best])
            groups[self._frame.strata[item.key]].append(value or 0.0)
        return fmean(map(fmean, groups.values()))

    def coverage(self) -> dict[str, tuple[int, int]]:
        """Return suite → verdicts that are there, and that should be."""
        counts: dict[str, tuple[int, int]] = {}
        for item, cells in self._frame.cells.items():
            there, asked = counts.get(item.suite, (0, 0))
            own = (len(self._marks.get((item, cell), ())) for cell in cells)
            there += sum(min(count, self._takes) for count in own)
            counts[item.suite] = there, asked + len(cells) * self._takes
        return counts


def item_of(verdict: Verdict) -> Item:
    """Return what was asked."""
    return Item(verdict.task.suite, verdict.task.item)


def _cell(verdict: Verdict, *, pooled: bool) -> _Cell:
    return verdict.task.part, "" if pooled else verdict.terms.judge
