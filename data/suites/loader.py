"""From what kumiawase.yaml says under `suite` to a suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from data.digest import digest, text_digest
from data.errors import SuiteError
from data.formats import Format, known_format
from data.lines import brief, check, read_lines
from data.row import Row, Text
from data.suites.item import Document, Item, Split, Suite

BUNDLED = {"kumiawase-ja": "kumiawase_ja.jsonl"}
"""Suites that come with the program: name → file beside this module."""

HALVES: tuple[Split, Split] = ("search", "held_out")


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: Text
    format: Text = "kumiawase"
    limit: int | None = Field(None, ge=2)
    name: Text | None = None
    reference: Text | None = None


def load_suite(spec: object, folder: Path) -> Suite:
    """Return the suite that a user named.

    Items without a `split` are halved within their category: in the order of the SHA-256 of
    their ids the first half, and the odd one, are searched on, the rest is held out. So a
    category of one such item is search only. `limit` takes its items after that, in the same
    order, by turns from the categories and from the halves; a smaller limit is a part of a
    larger one. Categories weigh the same. Several suites weigh the same, and their ids and
    categories begin with the suite's name.

    Args:
        spec: A name (`kumiawase-ja`), a file, `{path, format, limit, name, reference}`, or a
            list of these. `limit` counts items; `reference` is a file of reference answers for
            formats that keep them apart.
        folder: Where relative paths start.

    Raises:
        SuiteError: A file or a line cannot be used, or a half has no item.
    """
    specs: Sequence[object] = spec if isinstance(spec, list) else [spec]
    if not specs:
        raise SuiteError("an empty list", place="suite", remedy="name a suite, or kumiawase-ja")
    suites = [_load(_spec(one), folder) for one in specs]
    return suites[0] if len(suites) == 1 else _joined(suites)


def _spec(value: object) -> _Spec:
    if isinstance(value, str):
        value = {"path": value}
    elif not isinstance(value, Mapping):
        remedy = "give a name, a file, {path, format, limit}, or a list of these"
        raise SuiteError(f"{brief(value)} is no suite", place="suite", remedy=remedy)
    return check(_Spec, value, place="suite", remedy="keys: path, format, limit, name, reference")


def _load(spec: _Spec, folder: Path) -> Suite:
    form = known_format(spec.format, "suite")
    rows = _rows(form, spec.path, folder)
    if spec.reference is not None:
        rows = _referenced(rows, form, spec, folder)
    items = _items(rows)
    if spec.limit is not None:
        items = _limited(items, spec.limit)
    for half in HALVES:
        if all(item.split != half for item in items):
            remedy = "give items a `split`, or a category two items"
            raise SuiteError(f"no {half} items", place=spec.path, remedy=remedy)
    categories = dict.fromkeys(item.category for item in items)
    weights = dict.fromkeys(categories, 1 / len(categories))
    return _suite(spec.name or Path(spec.path).stem, items, weights)


def _suite(name: str, items: Sequence[Item], weights: Mapping[str, float]) -> Suite:
    return Suite(name, digest([_content(item) for item in items]), tuple(items), weights)


def _content(item: Item) -> dict[str, object]:
    """Return everything in an item but the fields it leaves open.

    A field that items gain one day then changes no digest of a suite that does without it.
    """
    return {key: value for key, value in asdict(item).items() if value is not None and value != ()}


def _joined(suites: Sequence[Suite]) -> Suite:
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
        f"{suite.name}/{category}": share / len(suites)
        for suite in suites
        for category, share in suite.weights.items()
    }
    return _suite("+".join(names), items, weights)


def _source(path: str, folder: Path) -> Traversable:
    if path in BUNDLED:
        return files("data.suites") / BUNDLED[path]
    return folder / Path(path).expanduser()


def _rows(form: Format, path: str, folder: Path) -> list[Row]:
    rows: list[Row] = []
    places: dict[str, str] = {}
    for line in read_lines(_source(path, folder), path):
        row = form.row(line)
        if row.id in places:
            fault = f"id {brief(row.id)} again, first in {places[row.id]}"
            raise SuiteError(fault, place=line.place, remedy="give each item its own id")
        places[row.id] = line.place
        rows.append(row)
    if not rows:
        raise SuiteError("no items", place=path, remedy="write one JSON object a line")
    return rows


def _referenced(rows: list[Row], form: Format, spec: _Spec, folder: Path) -> list[Row]:
    if form.reference is None or spec.reference is None:
        fault = f"format {spec.format} takes no `reference` file"
        raise SuiteError(fault, place="suite", remedy="leave it out")
    references: dict[str, list[str]] = {}
    for line in read_lines(_source(spec.reference, folder), spec.reference):
        key, texts = form.reference(line)
        if key in references:
            raise SuiteError(f"a second reference for item {brief(key)}", place=line.place)
        references[key] = texts
    if not any(row.id in references for row in rows):
        fault = f"no reference for any item of {spec.path}"
        raise SuiteError(fault, place=spec.reference, remedy="give the file of the same suite")
    return [_with_reference(row, references.get(row.id, []), spec.reference) for row in rows]


def _with_reference(row: Row, texts: list[str], place: str) -> Row:
    if texts and len(texts) != len(row.questions):
        fault = f"item {brief(row.id)} has {len(row.questions)} turns, its reference {len(texts)}"
        raise SuiteError(fault, place=place)
    return row.model_copy(update={"reference": texts})


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
