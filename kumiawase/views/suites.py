"""What `kumiawase suites` prints: suites, their items, and what is wrong with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from data.suites import BUNDLED, Item, Suite, published
from db.item_quality import ItemQuality
from judges.suite_check import Finding, kinds
from kumiawase import tables

_NUMBERS = "items search held_out rule rubric rule_and_rubric reference two_turns documents tools"


def listing() -> dict[str, object]:
    """Return the suites that can be asked, as JSON."""
    ours = [{"name": name} for name in BUNDLED]
    return {"bundled": ours, "published": [asdict(suite) for suite in published()]}


def show_listing() -> None:
    """Print the suites that can be asked."""
    for bundled in BUNDLED:
        print_line(f"{bundled}: ours, comes with the program")
    for suite in published():
        print_line(f"\nformat {suite.format}: {suite.title}; items: {suite.items}")
        print_line(f"  {suite.published_at}")
        print_line(f"  licence: {suite.licence}")


def counts(suite: Suite) -> list[dict[str, str | int]]:
    """Return how many items each category has of each kind."""
    groups: dict[str, list[Item]] = {}
    for item in suite.items:
        groups.setdefault(item.category, []).append(item)
    return [{"category": category, **_counted(items)} for category, items in groups.items()]


def show_counts(suite: Suite) -> None:
    """Print the categories of a suite, and all of them together."""
    rows = counts(suite)
    total: dict[str, str | int] = {"category": "all", **_counted(suite.items)}
    out = tables.console()
    out.print(f"{suite.name}: {len(suite.items)} items, digest {suite.digest}", markup=False)
    cells = [[str(value) for value in row.values()] for row in (*rows, total)]
    out.print(tables.table(list(total), cells, _NUMBERS))


def show_items(items: Iterable[Item]) -> None:
    """Print items whole, for reading."""
    out = tables.console()
    for item in items:
        head = tables.plain(f"{item.id} · {item.category} · {item.split} · {item.language}")
        head.stylize("bold")
        out.print("──", head, "──")
        for name, text in _parts(item):
            out.print(name, style="bold")
            out.print(tables.plain(text))


def show_findings(name: str, items: int, findings: Sequence[Finding]) -> None:
    """Print findings, one a line, and how many there are."""
    for finding in findings:
        print_line(f"{finding.place}: {finding.text}")
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds(findings).items())
    print_line(f"{name}: {items} items, {counted or 'nothing wrong'}")


def print_line(text: str) -> None:
    """Print one line as it is, however long, without what a terminal would obey."""
    tables.console().print(tables.visible(text), markup=False, soft_wrap=True)


def show_quality(found: Sequence[ItemQuality], study: str, most: int | None) -> None:
    """Print how good items proved, as they come, all or `most` of them."""
    out = tables.console()
    shown = found[:most]
    counted = f"{len(shown)} of {len(found)} items, the worst first"
    out.print(f"study {study}: {counted}", markup=False)
    columns = (
        "item",
        "category",
        "half",
        "answers",
        "mean",
        "discrimination",
        "ceiling",
        "floor",
        "disagreement",
        "unscored",
    )
    rows = [_quality(quality) for quality in shown]
    out.print(tables.table(columns, rows, " ".join(columns[3:])))


def as_json(value: object) -> str:
    """Return a result as JSON."""
    return json.dumps(value, ensure_ascii=False)


def _counted(items: Sequence[Item]) -> dict[str, int]:
    splits = Counter(item.split for item in items)
    return {
        "items": len(items),
        "search": splits["search"],
        "held_out": splits["held_out"],
        "rule": sum(item.rule is not None for item in items),
        "rubric": sum(bool(item.rubric) for item in items),
        "rule_and_rubric": sum(bool(item.rubric) and item.rule is not None for item in items),
        "reference": sum(bool(item.reference) for item in items),
        "two_turns": sum(len(item.turns) > 1 for item in items),
        "documents": sum(bool(item.documents) for item in items),
        "tools": sum(bool(item.tools) for item in items),
    }


def _parts(item: Item) -> Iterable[tuple[str, str]]:
    for document in item.documents:
        yield f"document [{document.id}] {document.title}", document.text
    for tool in item.tools:
        yield "tool", _pretty(tool)
    for number, turn in enumerate(item.turns, start=1):
        yield f"turn {number}" if len(item.turns) > 1 else "question", turn
    if item.rule is not None:
        yield "rule", as_json(dict(item.rule))
        yield "target", as_json(item.target)
    if item.rubric:
        yield "rubric", "\n".join(f"・{point}" for point in item.rubric)
    for number, text in enumerate(item.reference, start=1):
        yield f"reference {number}" if len(item.turns) > 1 else "reference", text


def _pretty(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _quality(found: ItemQuality) -> tuple[str, ...]:
    return (
        found.item,
        found.category,
        found.half,
        str(found.answers),
        _shown(found.mean, 10),
        _shown(found.discrimination),
        f"{found.ceiling:.0%}",
        f"{found.floor:.0%}",
        _shown(found.disagreement, 10),
        f"{found.unscored:.0%}",
    )


def _shown(value: float | None, scale: int = 1) -> str:
    return "" if value is None else f"{scale * value:.2f}"
