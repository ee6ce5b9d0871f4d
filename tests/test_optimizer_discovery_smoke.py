"""Two items before all the others: what fails there is never evaluated, what passes pays once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data.errors import EmptyReplyError, MalformedReplyError
from data.suites.item import Item
from endpoints.request import Request
from moa.engine import Engine, MaxTokens
from moa.ensemble import Agent, Ensemble, single
from optimizer.archive import Archive
from optimizer.proposers.discovery.smoke import ITEMS, Smoke
from tests.support.completers import Reply, completion
from tests.support.discoveries import AS_READ
from tests.support.pool import PROMPT, Models, TableJudge, outcome, suite

SOUND = "日本の首都は東京です。人口は約千四百万人で、政治と経済の中心になっています。"


def smoke(models: Models, judge: TableJudge | None = None) -> Smoke:
    engine = Engine(models, {PROMPT: "まとめてください。"}, MaxTokens())
    return Smoke(engine, judge or TableJudge(), suite().half("search"))


def last_says(reply: Reply) -> Models:
    """Return models of which the aggregating one says this."""

    def says(request: Request) -> Reply:
        return reply if request.role == "aggregator" else SOUND

    return Models(says)


async def test_a_sound_ensemble_passes_after_two_items_of_two_categories() -> None:
    models, judge = last_says(SOUND), TableJudge()
    assert await smoke(models, judge).fault(AS_READ, Archive()) is None
    assert len(judge.seen) == ITEMS
    assert len({item.split("-")[1] for item, _ in judge.seen}) == ITEMS
    assert all(item.startswith("search-") for item, _ in judge.seen)
    assert len(models.asked) == ITEMS * AS_READ.calls


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (EmptyReplyError("nothing"), "smoke_empty"),
        (completion(SOUND, finish_reason="length"), "smoke_cut"),
        ("申し訳ありませんが、そのご質問にはお答えできません。", "smoke_refused"),
        ("I'm sorry, but I can't help with that request.", "smoke_refused"),
        ("The capital of Japan is Tokyo, a city of some fourteen million.", "smoke_language"),
        (
            "日本的首都是东京，人口约一千四百万，是全国的政治、经济和文化中心，历史悠久，风景优美，交通发达，饮食丰富。",
            "smoke_language",
        ),
        (MalformedReplyError("broken"), "smoke_unanswered"),
    ],
    ids=["empty", "cut", "refused", "refused in English", "English", "Chinese", "no server"],
)
async def test_an_ensemble_that_does_not_answer_is_refused(said: Reply, code: str) -> None:
    models = last_says(said)
    found = await smoke(models).fault(AS_READ, Archive())
    assert found is not None
    assert found.code == code
    assert len(models.asked) <= ITEMS * AS_READ.calls


async def test_an_answer_without_verdict_is_refused() -> None:
    judge = TableJudge(lambda _item, _answer: None)
    found = await smoke(last_says(SOUND), judge).fault(AS_READ, Archive())
    assert found is not None
    assert (found.code, "no verdict" in found.sentence) == ("smoke_verdict", True)


async def test_a_long_answer_that_begins_with_an_apology_is_an_answer() -> None:
    said = "詳しい日付はお答えできませんが、次のことは確かです。" + SOUND * 6
    assert await smoke(last_says(said)).fault(AS_READ, Archive()) is None


async def test_an_item_that_is_not_japanese_may_be_answered_in_its_language() -> None:
    engine = Engine(last_says("Tokyo is the capital of Japan."), {PROMPT: "…"}, MaxTokens())
    items = [replace(item, language="en") for item in suite().half("search")]
    assert await Smoke(engine, TableJudge(), items).fault(AS_READ, Archive()) is None


async def test_what_was_seen_at_work_is_not_tried_again() -> None:
    alone = outcome(single("a", 0.0), 0.5)
    led = outcome(Ensemble(((Agent("a", 0.0),),), Agent("b", 0.0, prompt=PROMPT)), 0.5)
    models = last_says(EmptyReplyError("nothing"))
    assert await smoke(models).fault(AS_READ, Archive([alone, led])) is None
    assert models.asked == []
    fresh = replace(AS_READ, aggregator=Agent("b", 0.0, prompt="sha256:new"))
    engine = Engine(models, {"sha256:new": "まとめ"}, MaxTokens())
    gate = Smoke(engine, TableJudge(), suite().half("search"))
    found = await gate.fault(fresh, Archive([alone, led]))
    assert found is not None
    assert found.code == "smoke_empty"


async def test_open_japanese_questions_come_first() -> None:
    checked = Item("rule", "規則", ("問い",), "search", target="A", rule={"kind": "exact"})
    judge = TableJudge()
    engine = Engine(last_says(SOUND), {PROMPT: "…"}, MaxTokens())
    items = (checked, *suite().half("search"))
    await Smoke(engine, judge, items).fault(AS_READ, Archive())
    assert "rule" not in {item for item, _ in judge.seen}
