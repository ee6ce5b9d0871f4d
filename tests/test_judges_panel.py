"""A panel is fair to families, keeps silent about its own, and needs half its voices."""

from __future__ import annotations

import pytest

from data.errors import BudgetSpentError, ConfigError, FilteredError, ServerFailedError
from data.suites.item import Item
from endpoints.specs import ModelSpec
from judges.panel import PanelJudge, choose_members
from judges.rubric import RubricJudge
from tests.support.completers import Reply, answer, saying

ITEM = Item("q", "社会", ("首都は?",), "search")
FAMILIES = {"swallow": "Llama", "karakuri": "Mixtral", "writer": "Mixtral"}


def member(model: str, family: str, reply: Reply) -> RubricJudge:
    return RubricJudge(saying(reply), model, identity=model, family=family, max_tokens=9)


def panel(*members: RubricJudge, own: bool = False) -> PanelJudge:
    return PanelJudge(members, FAMILIES, exclude_own_family=own)


async def test_families_weigh_the_same() -> None:
    judges = panel(
        member("a1", "A", "[[2]]"), member("a2", "A", "[[4]]"), member("b", "B", "[[9]]")
    )
    item, *members = await judges.score(ITEM, answer("東京"))
    assert item.judge == "panel"
    assert item.value == pytest.approx(0.6)
    assert item.explanation == "a1 2, a2 4, b 9"
    assert [score.value for score in members] == [0.2, 0.4, 0.9]


async def test_nobody_judges_an_answer_of_its_own_family() -> None:
    own, other = member("k", "Mixtral", "[[10]]"), member("s", "Llama", "[[4]]")
    scores = await panel(own, other, own=True).score(ITEM, answer("東京", aggregator="karakuri"))
    assert [(score.judge, score.value) for score in scores] == [("self", 0.4), ("s", 0.4)]
    scores = await panel(own, other).score(ITEM, answer("東京", aggregator="karakuri"))
    assert [score.judge for score in scores] == ["panel", "k", "s"]


async def test_a_model_of_unknown_family_is_a_family_of_its_own() -> None:
    scores = await panel(member("m", "m", "[[4]]"), own=True).score(
        ITEM, answer("東京", aggregator="m")
    )
    assert [(s.value, s.reason) for s in scores] == [(None, "no judge outside the family m")]


async def test_an_item_needs_half_of_the_voices() -> None:
    two = panel(member("a", "A", "[[8]]"), member("b", "B", "?"))
    item, *members = await two.score(ITEM, answer("東京"))
    assert (item.value, item.explanation) == (0.8, "a 8, b —")
    assert members[1].value is None
    three = panel(member("a", "A", "[[8]]"), member("b", "B", "?"), member("c", "C", "?"))
    item, *_ = await three.score(ITEM, answer("東京"))
    assert (item.value, item.reason) == (None, "1 of 3 judges spoke")


async def test_an_outage_counts_where_too_few_spoke_because_of_it() -> None:
    down = ServerFailedError("502")
    half = panel(member("a", "A", "[[8]]"), member("b", "B", down))
    half.freeze(half.fitted([]))
    item, _, lost = await half.score(ITEM, answer("東京"))
    assert item.value == 0.8
    assert (lost.judge, lost.value, lost.reason) == ("b", None, "server_error")
    few = panel(member("a", "A", "[[8]]"), member("b", "B", "?"), member("c", "C", down))
    few.freeze(few.fitted([]))
    with pytest.raises(ServerFailedError):
        await few.score(ITEM, answer("東京"))
    ours = panel(member("a", "A", FilteredError("no")), member("b", "B", "?"))
    item, *_ = await ours.score(ITEM, answer("東京"))
    assert (item.value, item.reason) == (None, "0 of 2 judges spoke")


async def test_before_the_scale_is_frozen_no_member_may_be_away() -> None:
    down = ServerFailedError("502")
    judges = panel(member("a", "A", "[[8]]"), member("b", "B", "[[6]]"), member("c", "C", down))
    with pytest.raises(ServerFailedError):
        await judges.score(ITEM, answer("東京"))
    silent = panel(member("a", "A", "[[8]]"), member("b", "B", "?"))
    item, *_ = await silent.score(ITEM, answer("東京"))
    assert item.value == 0.8  # it was heard, and will say no more later


async def test_all_silent_is_unscored_and_not_zero() -> None:
    item, *_ = await panel(member("a", "A", "?")).score(ITEM, answer("東京"))
    assert (item.value, item.reason) == (None, "0 of 1 judges spoke")


async def test_an_empty_answer_is_worth_nothing() -> None:
    item, *_ = await panel(member("a", "A", "[[8]]")).score(ITEM, answer(""))
    assert item.value == 0


async def test_a_spent_budget_is_raised_once_all_are_back() -> None:
    late = saying("[[8]]")
    judges = panel(
        member("a", "A", BudgetSpentError("calls")),
        RubricJudge(late, "b", identity="b", family="B", max_tokens=9),
    )
    with pytest.raises(BudgetSpentError):
        await judges.score(ITEM, answer("東京"))
    assert len(late.requests) == 1


def test_the_digest_knows_its_members_and_its_kind() -> None:
    a, b = member("a", "A", "x"), member("b", "B", "x")
    assert panel(a, b).digest == panel(b, a).digest
    assert len({panel(a, b).digest, panel(a).digest, panel(a, b, own=True).digest}) == 3


def test_the_digest_knows_who_keeps_silent() -> None:
    members = [member("a", "A", "x"), member("b", "B", "x")]

    def made(families: dict[str, str], *, own: bool) -> str:
        return PanelJudge(members, families, exclude_own_family=own).digest

    assert made({"m": "A"}, own=True) != made({"m": "B"}, own=True)
    assert made({"m": "A"}, own=False) == made({"m": "B"}, own=False)


def spec(name: str, family: str) -> ModelSpec:
    return ModelSpec(name, "local", name, family)


def test_members_are_the_first_of_the_first_three_families() -> None:
    pool = [spec("a1", "A"), spec("a2", "A"), spec("b", "B"), spec("c", "C"), spec("d", "D")]
    assert [model.name for model in choose_members(pool)] == ["a1", "b", "c"]


def test_a_pool_of_one_family_cannot_judge_itself() -> None:
    with pytest.raises(ConfigError, match="two families"):
        choose_members([spec("a1", "A"), spec("a2", "A")])
