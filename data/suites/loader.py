"""From what kumiawase.yaml says under `suite` to a suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from data.digest import digest, text_digest
from data.errors import SuiteError
from data.formats import known_format
from data.lines import brief, check
from data.row import Row
from data.rule_forms import Text
from data.suites.item import Document, Item, Split, Suite
from data.suites.reading import read_rows, referenced

HALVES: tuple[Split, Split] = ("search", "held_out")


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: Text
    format: Text = "kumiawase"
    limit: int | None = Field(None, ge=2)
    name: Text | None = None
    reference: Text | None = None
    weight: float = Field(1.0, gt=0, le=1e6)


@dataclass(frozen=True, slots=True)
class Scan:
    """What stands in a suite's files, sound or not.

    Attributes:
        places: Where each item stands, `file:line`.
        items: Those that could be read.
        faults: What is wrong with the others.
    """

    name: str
    places: tuple[str, ...]
    items: tuple[Item, ...]
    faults: tuple[SuiteError, ...]


def load_suite(spec: object, folder: Path) -> Suite:
    """Return the suite that a user named.

    Items without a `split` are halved within their category: in the order of the SHA-256 of
    their ids the first half, and the odd one, are searched on, the rest is held out. So a
    category of one such item is search only. `limit` takes its items after that, in the same
    order, by turns from the categories and from the halves; a smaller limit is a part of a
    larger one. Categories weigh the same. Several suites weigh the same unless they have a
    `weight`, whatever their sizes, and their ids and categories begin with the suite's name.

    Args:
        spec: A name (`kumiawase-ja`), a file, `{path, format, limit, name, reference, weight}`,
            or a list of these. `limit` counts items; `reference` is a file of reference answers
            for formats that keep them apart; `weight` is relative to the others' (default 1).
        folder: Where relative paths start.

    Raises:
        SuiteError: A file or a line cannot be used, or a half has no item.
    """
    specs: Sequence[object] = spec if isinstance(spec, list) else [spec]
    if not specs:
        raise SuiteError("an empty list", place="suite", remedy="name a suite, or kumiawase-ja")
    read = [_spec(one) for one in specs]
    suites = [_load(one, folder) for one in read]
    return suites[0] if len(suites) == 1 else _joined(suites, [one.weight for one in read])


def _spec(value: object) -> _Spec:
    if isinstance(value, str):
        value = {"path": value}
    elif not isinstance(value, Mapping):
        remedy = "give a name, a file, {path, format, limit}, or a list of these"
        raise SuiteError(f"{brief(value)} is no suite", place="suite", remedy=remedy)
    return check(_Spec, value, place="suite", remedy=f"keys: {', '.join(_Spec.model_fields)}")


def scan_suite(spec: object, folder: Path) -> Scan:
    """Return the items of one suite, each with its place, and everything wrong in its files.

    Halves are those of `load_suite`, but none has to have items; `limit` counts for nothing.

    Args:
        spec: A name, a file or `{path, format, reference}`.
        folder: Where relative paths start.

    Raises:
        SuiteError: The file or its format cannot be used at all.
    """
    return _scanned(_spec(spec), folder)


def _scanned(spec: _Spec, folder: Path) -> Scan:
    form = known_format(spec.format, "suite")
    placed, faults = read_rows(form, spec.path, folder)
    rows = [one.row for one in placed]
    if spec.reference is not None:
        if form.reference is None:
            fault = f"format {spec.format} takes no `reference` file"
            raise SuiteError(fault, place="suite", remedy="leave it out")
        rows = list(referenced(rows, spec.path, form.reference, spec.reference, folder))
    items = _items(rows)
    name = spec.name or Path(spec.path).stem
    return Scan(name, tuple(one.place for one in placed), tuple(items), tuple(faults))


def _load(spec: _Spec, folder: Path) -> Suite:
    scan = _scanned(spec, folder)
    for fault in scan.faults:
        raise fault
    items: Sequence[Item] = scan.items
    if not items:
        remedy = "write one JSON object a line"
        raise SuiteError("no items", place=spec.path, remedy=remedy)
    if spec.limit is not None:
        items = _limited(items, spec.limit)
    for half in HALVES:
        if all(item.split != half for item in items):
            remedy = "give items a `split`, or a category two items"
            raise SuiteError(f"no {half} items", place=spec.path, remedy=remedy)
    categories = dict.fromkeys(item.category for item in items)
    return _suite(scan.name, items, dict.fromkeys(categories, 1 / len(categories)))


def _suite(name: str, items: Sequence[Item], weights: Mapping[str, float]) -> Suite:
    return Suite(name, digest([_content(item) for item in items]), tuple(items), weights)


def _content(item: Item) -> dict[str, object]:
    """Return everything in an item but the fields it leaves open.

    A field that items gain one day then changes no digest of a suite that does without it.
    """
    return {key: value for key, value in asdict(item).items() if value is not None and value != ()}


def _joined(suites: Sequence[Suite], shares: Sequence[float]) -> Suite:
    names = [suite.name for suite in suites]
    for name in names:
        if names.count(name) > 1:
            remedy = "give one of them another `name`"
            raise SuiteError(f"two suites are called {name!r}", place="suite", remedy=remedy)
    items = [
        replace(item, id=f"{suite.name}:{item.id}", category=f"{suite.name}/{item.category}")
        for suite in suites
        for item in suite.items
    ]
    weights = {
        f"{suite.name}/{category}": weight * share / sum(shares)
        for suite, share in zip(suites, shares, strict=True)
        for category, weight in suite.weights.items()
    }
    return _suite("+".join(names), items, weights)


def _items(rows: Sequence[Row]) -> list[Item]:
    given = _halves(row for row in rows if row.split is None)
    return [_item(row, row.split or given[row.id]) for row in rows]


def _halves(rows: Iterable[Row]) -> dict[str, Split]:
    categories: dict[str, list[str]] = {}
    for row in rows:
        categories.setdefault(row.category, []).append(row.id)
    halves: dict[str, Split] = {}
    for ids in categories.values():
        middle = (len(ids) + 1) // 2
        for position, key in enumerate(sorted(ids, key=text_digest)):
            halves[key] = "search" if position < middle else "held_out"
    return halves


def _item(row: Row, split: Split) -> Item:
    return Item(
        id=row.id,
        category=row.category,
        turns=row.questions,
        split=split,
        target=row.target,
        rule=row.rule.model_dump(exclude_unset=True, exclude_none=True) if row.rule else None,
        rubric=tuple(row.rubric),
        reference=tuple(row.reference),
        documents=tuple(Document(d.id, d.title, d.text) for d in row.documents),
        tools=tuple(tool.model_dump(exclude_unset=True) for tool in row.tools),
        language=row.language,
        scale=None if row.scale == "1-10" else row.scale,
    )


def _limited(items: Sequence[Item], limit: int) -> list[Item]:
    taken = {item.id for item in islice(_dealt(items), limit)}
    return [item for item in items if item.id in taken]


def _dealt(items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items so that categories and halves are even wherever the reader stops.

    Each round takes one item from every category: in round r from the half
    (r + the category's position) mod 2.
    """
    strata: dict[tuple[str, Split], list[Item]] = {}
    for item in sorted(items, key=lambda item: text_digest(item.id), reverse=True):
        strata.setdefault((item.category, item.split), []).append(item)
    categories = list(dict.fromkeys(item.category for item in items))
    turn = 0
    while any(strata.values()):
        for position, category in enumerate(categories):
            stratum = strata.get((category, HALVES[(turn + position) % 2]))
            if stratum:
                yield stratum.pop()
        turn += 1
