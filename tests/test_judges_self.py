"""A pool that judges itself: nobody its own family, nobody the better for who is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import pytest

from data.digest import digest
from data.errors import ServerFailedError
from data.suites.item import Item
from judges.panel import AWAY, PanelJudge
from judges.score import Score
from moa.answer import Answer
from tests.support.completers import answer
from tests.support.panels import Marks, TableMember, mark, panel

FAMILY = {"kame": "亀", "tsuru": "鶴", "koi": "鯉", "neko": "猫"}
TEMPER = {"kame": 0.15, "tsuru": -0.15, "koi": 0.0}  # mild, harsh, neither
OWN = 0.08  # what each gives to its own family besides
ITEMS = [Item(f"q{n}", "社会", (f"問い{n}",), "search") for n in range(40)]


def by(*models: str, text: str = "答え") -> Answer:
    """Return an answer the last of the models wrote with the help of the others."""
    return replace(answer(text, aggregator=models[-1]), models=frozenset(models))


def noise(*parts: str) -> float:
    """Return a draw between -1 and 1 that only the parts decide."""
    return int(digest(list(parts))[:6], 16) / 0xFFFFFF * 2 - 1


def worth(item: Item, given: Answer) -> float:
    """Return what an answer is worth: the models are equals."""
    return 0.55 + 0.2 * noise("item", item.id) + 0.1 * noise(item.id, *sorted(given.models))


def temper(name: str) -> Marks:
    def marks(item: Item, given: Answer) -> float:
        own = OWN if FAMILY[name] in {FAMILY[model] for model in given.models} else 0.0
        blur = 0.05 * noise(name, item.id, *sorted(given.models))
        return mark(worth(item, given) + TEMPER[name] + own + blur)

    return marks


def pool() -> tuple[PanelJudge, list[TableMember]]:
    members = [TableMember(name, FAMILY[name], temper(name)) for name in TEMPER]
    return panel(*members, families=FAMILY, own=True), members


async def judged(judge: PanelJudge, *models: str) -> list[tuple[Score, ...]]:
    return [await judge.score(item, by(*models)) for item in ITEMS]


def worth_of(seen: Sequence[tuple[Score, ...]]) -> float:
    return fmean(scores[0].value for scores in seen if scores[0].value is not None)


async def test_the_judge_effect_takes_the_advantage_of_who_was_left_out() -> None:
    judge, members = pool()
    raw = {name: await judged(judge, name) for name in FAMILY}
    biased = {name: worth_of(seen) for name, seen in raw.items()}
    # Left out are the mild one for the first and the harsh one for the second.
    assert biased["tsuru"] - biased["kame"] > 0.12
    judge.freeze(judge.fitted([scores for seen in raw.values() for scores in seen]))
    fair = {name: worth_of(await judged(judge, name)) for name in FAMILY}
    true = {name: fmean(worth(item, by(name)) for item in ITEMS) for name in FAMILY}
    off, left = (max(abs(found[n] - true[n]) for n in FAMILY) for found in (biased, fair))
    assert off > 0.06
    assert left < off / 3
    assert abs((fair["tsuru"] - fair["kame"]) - (true["tsuru"] - true["kame"])) < 0.02
    for member in members:
        assert all(text == "答え" for _, text in member.seen)


async def test_a_fitted_effect_ranks_ensembles_as_they_are() -> None:
    """Two ensembles of equal worth, one aggregated by the mild one's family, one by the harsh."""
    judge, _ = pool()
    raw = [scores for name in FAMILY for scores in await judged(judge, name)]
    pairs = [("neko", "kame"), ("neko", "tsuru")]
    before = [worth_of(await judged(judge, *models)) for models in pairs]
    judge.freeze(judge.fitted(raw))
    after = [worth_of(await judged(judge, *models)) for models in pairs]
    true = [fmean(worth(item, by(*models)) for item in ITEMS) for models in pairs]
    off = [abs((b - a) - (true[1] - true[0])) for a, b in (before, after)]
    assert off[0] > 0.1
    assert off[1] < 0.03


@pytest.mark.parametrize(
    ("models", "asked"),
    [
        (("kame",), ["tsuru", "koi"]),
        (("neko",), ["kame", "tsuru", "koi"]),
        (("kame", "neko"), ["tsuru", "koi"]),  # who proposed keeps silent too
        (("kame", "tsuru", "neko"), ["kame", "tsuru", "koi"]),  # too few would be left
        (("koi", "tsuru", "kame"), ["tsuru", "koi"]),  # but never the aggregator's family
    ],
)
async def test_who_took_part_keeps_silent_where_two_others_remain(
    models: tuple[str, ...], asked: list[str]
) -> None:
    judge, _ = pool()
    _, *members = await judge.score(ITEMS[0], by(*models))
    assert [score.judge for score in members] == asked


async def test_a_scale_makes_another_judge_of_it_and_leaves_marks_as_they_were() -> None:
    judge, _ = pool()
    before, seen = judge.digest, await judged(judge, "neko")
    judge.freeze(judge.fitted(seen))
    after = await judged(judge, "neko")
    assert judge.digest != before
    assert [scores[1:] for scores in after] == [scores[1:] for scores in seen]
    assert [scores[0].value for scores in after] != [scores[0].value for scores in seen]
    again, _ = pool()
    again.freeze(again.fitted(seen))
    assert again.digest == judge.digest


async def test_two_families_cannot_be_told_from_their_judges() -> None:
    names = ("kame", "tsuru")
    members = [TableMember(name, FAMILY[name], temper(name)) for name in names]
    judge = panel(*members, families=FAMILY, own=True)
    scale = judge.fitted([scores for name in names for scores in await judged(judge, name)])
    assert all("too few answers shared" in line.note for line in scale.lines.values())
    third = [scores for name in (*names, "neko") for scores in await judged(judge, name)]
    assert all(line.note == "" for line in judge.fitted(third).lines.values())


async def tried(judge: PanelJudge, *models: str) -> list[tuple[Score, ...] | None]:
    """Return the scores item by item, None where an endpoint's failure came through."""
    found: list[tuple[Score, ...] | None] = []
    for item in ITEMS:
        try:
            found.append(await judge.score(item, by(*models)))
        except ServerFailedError:
            found.append(None)
    return found


async def test_a_dead_model_of_the_pool_judges_nothing_and_stops_nobody() -> None:
    judge, (dead, *living) = pool()
    dead.away = True
    seen = [one for name in ("tsuru", "koi", "neko") for one in await tried(judge, name)]
    whole = [scores for scores in seen if scores is not None]
    assert seen[: AWAY - 1] == [None] * (AWAY - 1)  # it may be a moment only
    assert len(whole) == len(seen) - (AWAY - 1)
    assert all(scores[0].value is not None for scores in whole)
    judge.freeze(judge.fitted(whole))
    assert judge.scale is not None
    assert judge.scale.away == (dead.name,)
    assert judge.scale.lines.keys() == {member.name for member in living}
    dead.away = False  # back again, among marks that it had no part in
    _, *members = await judge.score(ITEMS[0], by("neko"))
    assert [score.judge for score in members] == [member.name for member in living]


async def test_one_that_comes_back_before_the_scale_is_frozen_stays_a_judge() -> None:
    judge, (away, *_) = pool()
    away.away = True
    await tried(judge, "neko")
    away.away = False
    seen = await judged(judge, "neko")
    judge.freeze(judge.fitted(seen))
    assert judge.scale is not None
    assert judge.scale.away == ()
    assert judge.scale.lines[away.name].note == ""


async def test_one_that_dies_late_keeps_the_line_of_its_marks() -> None:
    judge, (late, *_) = pool()
    before = await judged(judge, "neko")
    late.away = True
    after = [scores for scores in await tried(judge, "neko") if scores is not None]
    judge.freeze(judge.fitted([*before, *after]))
    assert judge.scale is not None
    assert judge.scale.away == ()
    assert judge.scale.lines[late.name].note == ""


async def test_with_nobody_left_the_failure_comes_through() -> None:
    judge, members = pool()
    for member in members:
        member.away = True
    assert await tried(judge, "neko") == [None] * len(ITEMS)
