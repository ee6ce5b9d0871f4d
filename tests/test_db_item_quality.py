"""Aim: what a study tells of its items, from a real database, under the judges that count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from data.errors import StudyError
from data.suites.item import Split
from db.item_quality import ItemQuality, item_quality
from db.store import Store
from judges.common_scale import CommonScale, Line
from judges.score import Score
from moa.ensemble import single
from tests.support.rows import answer, item

JUDGE = {"kind": "panel", "models": ["x", "y"], "digest": "j"}
REPORT = {"kind": "rubric", "models": ["z"], "digest": "r"}
ABILITY = (0.1, 0.4, 0.6, 0.9)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'k.sqlite'}") as opened:
        yield opened


async def pin(store: Store, report: dict[str, Any] | None = None) -> None:
    await store.pin("s", {"suite": {}, "judge": JUDGE, "report_judge": report})


async def evaluate(
    store: Store,
    number: int,
    scores: Mapping[str, Sequence[Score]],
    *,
    half: Split = "search",
    judge: str = "j",
    study: str = "s",
) -> None:
    begun = await store.begin(study, half, judge, judge, single(f"m{number}", 0.0), "tpe")
    for name, verdicts in scores.items():
        await store.add(begun.id, item(name), answer(), tuple(verdicts))


def plain(value: float | None) -> tuple[Score, ...]:
    return (Score.unscored("x", "no verdict") if value is None else Score("x", value),)


def panel(x: float, y: float) -> tuple[Score, ...]:
    return Score("panel", (x + y) / 2), Score("x", x), Score("y", y)


async def found(store: Store) -> dict[str, ItemQuality]:
    return {quality.item: quality for quality in item_quality(store, "s")}


async def test_each_number_is_what_the_scores_say(store: Store) -> None:
    await pin(store)
    for number, able in enumerate(ABILITY):
        scores = {
            "good": plain(able),
            "also": plain(able),
            "too": plain(able),
            "and": plain(able),
            "wrong": plain(1 - able),
            "easy": plain(1.0 if number else 0.95),
            "lost": plain(None if number else 0.05),
        }
        await evaluate(store, number, scores)
    by = await found(store)
    assert by["good"].mean == pytest.approx(0.5)
    assert (by["good"].answers, by["good"].half, by["good"].category) == (4, "search", "数学")
    good, wrong = by["good"].discrimination, by["wrong"].discrimination
    assert good is not None
    assert good > 0.9
    assert wrong is not None
    assert wrong < -0.9
    assert (by["easy"].ceiling, by["easy"].floor) == (1, 0)
    assert (by["lost"].unscored, by["lost"].floor, by["lost"].discrimination) == (0.75, 1, None)
    assert by["good"].disagreement is None


async def test_the_worst_items_come_first(store: Store) -> None:
    await pin(store)
    for number, able in enumerate(ABILITY):
        scores = {"good": able, "wrong": 1 - able, "easy": 1.0, "flat": 0.5}
        scores |= {"a": able, "b": able}
        await evaluate(store, number, {name: plain(value) for name, value in scores.items()})
    order = [quality.item for quality in item_quality(store, "s")]
    assert order == ["wrong", "easy", "flat", "a", "b", "good"]


async def test_several_judges_disagree_and_means_of_them_do_not(store: Store) -> None:
    await pin(store)
    for number in range(2):
        ruled = (Score("rule+panel", 0.5), Score("rule", 1.0), *panel(0.2, 0.4))
        half_lost = (Score("panel", 0.2), Score("x", 0.2), Score.unscored("y", "timeout"))
        scores = {"one": panel(0.2, 0.8), "ruled": ruled, "alone": half_lost}
        await evaluate(store, number, scores)
    by = await found(store)
    assert by["one"].disagreement == pytest.approx(0.6)
    assert by["ruled"].disagreement == pytest.approx(0.2)
    assert by["alone"].disagreement is None


async def test_a_mild_and_a_harsh_judge_on_one_scale_agree(store: Store) -> None:
    await pin(store, REPORT)
    lines = {"x": Line(offset=-0.2), "y": Line(offset=0.2)}
    scale = CommonScale(lines, 16).to_json()
    await store.scale("s", "judge", {**scale, "digest": "scaled"})
    for number in range(2):
        await evaluate(store, number, {"one": panel(0.8, 0.4)}, judge="scaled")
        await evaluate(store, number, {"two": panel(0.8, 0.2)}, half="held_out", judge="r")
    by = await found(store)
    assert by["one"].disagreement == pytest.approx(0)
    assert by["two"].disagreement == pytest.approx(0.6)  # that panel has no scale


async def test_only_the_judge_that_counts_for_a_half_is_read(store: Store) -> None:
    await pin(store, REPORT)
    for number, able in enumerate(ABILITY):
        await evaluate(
            store, number, {"kept": plain(able), "seen": plain(able)}, half="held_out", judge="r"
        )
        await evaluate(store, number, {"kept": plain(0.0)}, half="held_out", judge="j")
        await evaluate(store, number, {"asked": plain(1.0)})
        await evaluate(store, number, {"asked": plain(0.0)}, study="other")
    by = await found(store)
    assert {name: quality.half for name, quality in by.items()} == {
        "kept": "held_out",
        "seen": "held_out",
        "asked": "search",
    }
    assert by["kept"].mean == pytest.approx(0.5)
    assert by["asked"].mean == 1
    # The halves are two tests: no held-out score stands in the rest of a search item.
    assert by["asked"].discrimination is None


async def test_nothing_searched_is_an_error_and_nothing_answered_is_empty(store: Store) -> None:
    with pytest.raises(StudyError, match="no search has begun; start one with"):
        item_quality(store, "s")
    await store.pin("s", {"seed": 0})  # a search that ended before it pinned its judge
    with pytest.raises(StudyError, match="no search has begun; start one with"):
        item_quality(store, "s")
    await pin(store)
    with pytest.raises(StudyError, match=r"no search has begun; there are: s$"):
        item_quality(store, "absent")
    assert item_quality(store, "s") == []


async def test_json_gives_scores_of_ten(store: Store) -> None:
    await pin(store)
    await evaluate(store, 0, {"one": panel(0.2, 0.8)})
    assert item_quality(store, "s")[0].to_json() == {
        "item": "one",
        "category": "数学",
        "half": "search",
        "answers": 1,
        "mean": 5.0,
        "discrimination": None,
        "ceiling": 0.0,
        "floor": 0.0,
        "disagreement": 6.0,
        "unscored": 0.0,
    }
