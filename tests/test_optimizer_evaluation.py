"""One ensemble on the items: in which order, what is asked again, and what a gap is worth."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from data.errors import BudgetSpentError, ServerFailedError
from data.suites.item import Item
from endpoints.request import Request
from judges.statistics import mean
from moa.answer import Answer
from moa.ensemble import Agent, Ensemble, single
from optimizer import evaluation, racing
from optimizer.evaluation import PASSES, ItemDone, all_of
from optimizer.items import stratified
from optimizer.stepping import Together
from tests.support.completers import Reply, completion
from tests.support.pool import PROMPT, STUDY, Lab, Models, TableJudge, echo, suite

A = single("a", 0.0)
PAIR = Ensemble(((Agent("a", 0.0), Agent("b", 0.0)),), Agent("c", 0.0, prompt=PROMPT))


def failing(lab_items: Sequence[Item], times: int = 10**6) -> Models:
    """Return models whose endpoint fails for these items, so many times each."""
    left = {item.turns[0]: times for item in lab_items}

    def says(request: Request) -> Reply:
        for turn, count in left.items():
            if turn in request.messages[-1]["content"] and count:
                left[turn] -= 1
                return ServerFailedError("502")
        return echo(request)

    return Models(says)


# -- the order


def test_every_category_comes_once_in_each_round() -> None:
    sizes = {"一": 5, "二": 2, "三": 3}
    items = [Item(f"{c}{i}", c, ("問",), "search") for c, n in sizes.items() for i in range(n)]
    order = [item.category for item in stratified(items, 0)]
    assert order == ["一", "二", "三"] * 2 + ["一", "三", "一", "一"]


def test_the_order_is_decided_by_the_seed_alone() -> None:
    items = list(suite(3, 8).half("search"))
    first = stratified(items, 1)
    assert stratified(items, 1) == first
    assert stratified(items, 2) != first
    assert sorted(stratified(items, 2), key=str) == sorted(first, key=str)


# -- what is asked


async def test_what_is_kept_is_not_asked_again(tmp_path: Path) -> None:
    asked = suite(2, 10)
    down = asked.half("search")[:3]
    with Lab(tmp_path, asked=asked, models=failing(down)) as lab:
        first = await lab.evaluator().evaluate(A, "tpe")
    assert first.state == "FAILED"
    with Lab(tmp_path, asked=asked) as lab:
        second = await lab.evaluator().evaluate(A, "tpe")
        assert second.state == "COMPLETE"
        assert len(lab.models.asked) == 3
        assert {item for item, _ in lab.judge.seen} == {item.id for item in down}
        third = await lab.evaluator().evaluate(A, "somebody else")
        assert len(lab.models.asked) == 3
    assert (third.scores, third.estimate, third.origin) == (second.scores, second.estimate, "tpe")


async def test_an_item_without_an_answer_is_tried_in_later_passes(tmp_path: Path) -> None:
    asked = suite(1, 4)
    once = asked.half("search")[0]
    with Lab(tmp_path, asked=asked, models=failing([once], times=1)) as lab:
        found = await lab.evaluator().evaluate(A, "tpe")
        assert found.state == "COMPLETE"
        assert lab.models.about(once) == 2
        assert len(lab.models.asked) == 5
        assert len(lab.events(ItemDone)) == 4


async def test_and_in_no_more_than_so_many(tmp_path: Path) -> None:
    asked = suite(1, 4)
    down = asked.half("search")[0]
    with Lab(tmp_path, asked=asked, models=failing([down])) as lab:
        await lab.evaluator().evaluate(A, "tpe")
        assert lab.models.about(down) == PASSES


async def test_what_a_judge_could_not_be_asked_is_judged_later(tmp_path: Path) -> None:
    asked = suite(1, 4)
    lost = asked.half("search")[0].id
    left = PASSES + 1

    def worth(item: Item, _: Answer) -> float:
        nonlocal left
        if item.id == lost and left:
            left -= 1
            raise ServerFailedError("502")
        return 0.8

    with Lab(tmp_path, asked=asked, judge=TableJudge(worth)) as lab:
        first = await lab.evaluator().evaluate(A, "tpe")
        assert (first.state, first.ranked, len(first.scores)) == ("FAILED", False, 3)
        kept = lab.store.evaluations(STUDY)[0]
        assert lost not in {r.item_id for r in lab.store.results(kept.id)}
        second = await lab.evaluator().evaluate(A, "tpe")
        assert (second.state, len(second.scores)) == ("COMPLETE", 4)
        assert len(lab.models.asked) == 4  # the answers were kept


@pytest.mark.parametrize(("down", "state"), [(0, "COMPLETE"), (1, "COMPLETE"), (2, "FAILED")])
async def test_below_95_percent_of_answers_it_failed(
    tmp_path: Path, down: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "PAUSES", (0.0, 0.0))
    asked = suite(2, 10)
    with Lab(tmp_path, asked=asked, models=failing(asked.half("search")[:down])) as lab:
        found = await lab.evaluator().evaluate(A, "tpe")
        kept = lab.store.evaluations(STUDY)[0]
    assert (found.state, kept.state) == (state, state)
    assert (kept.items, kept.unscored) == (20, down)
    assert found.ranked == (state == "COMPLETE")


async def test_a_failed_evaluation_may_be_finished_later(tmp_path: Path) -> None:
    asked = suite(1, 4)
    with Lab(tmp_path, asked=asked, models=failing(asked.half("search"))) as lab:
        found = await lab.evaluator().evaluate(A, "tpe")
        assert (found.state, found.estimate, found.value) == ("FAILED", None, None)
        lab.models.says = echo
        assert (await lab.evaluator().evaluate(A, "tpe")).ranked


# -- what a gap is worth


async def test_unscored_is_not_zero(tmp_path: Path) -> None:
    asked = suite(2, 10)
    unscored = asked.half("search")[0].id
    judge = TableJudge(lambda item, _: None if item.id == unscored else 0.8)
    with Lab(tmp_path, asked=asked, judge=judge) as lab:
        found = await lab.evaluator().evaluate(A, "tpe")
        kept = lab.store.evaluations(STUDY)[0]
    assert unscored not in found.scores
    assert found.value == pytest.approx(0.8)
    assert found.ranked
    assert kept.value == pytest.approx(0.8)
    assert kept.unscored == 1


async def test_above_5_percent_unscored_it_is_not_ranked(tmp_path: Path) -> None:
    asked = suite(2, 10)
    unscored = {item.id for item in asked.half("search")[:2]}
    judge = TableJudge(lambda item, _: None if item.id in unscored else 0.8)
    with Lab(tmp_path, asked=asked, judge=judge) as lab:
        found = await lab.evaluator().evaluate(A, "tpe")
    assert (found.state, found.ranked) == ("COMPLETE", False)


@pytest.mark.parametrize(("cut", "ranked"), [(1, True), (2, False)])
async def test_above_5_percent_marked_it_is_not_ranked(
    tmp_path: Path, cut: int, ranked: bool
) -> None:
    asked = suite(2, 10)
    turns = [item.turns[0] for item in asked.half("search")[:cut]]

    def says(request: Request) -> Reply:
        if request.model == "b" and request.messages[-1]["content"] in turns:
            return completion("途中で", finish_reason="length")
        return echo(request)

    with Lab(tmp_path, asked=asked, models=Models(says)) as lab:
        found = await lab.evaluator().evaluate(PAIR, "tpe")
    assert (found.marked, found.ranked, len(found.scores)) == (cut, ranked, 20)


async def test_the_estimate_is_the_mean_over_categories(tmp_path: Path) -> None:
    items = list(suite(2, 8).half("search"))
    few = type(suite())("不均等", "d", tuple(items[:10]), {"分野0": 0.5, "分野1": 0.5})
    judge = TableJudge(lambda item, _: 0.2 if item.category == "分野0" else 0.8)
    with Lab(tmp_path, asked=few, judge=judge) as lab:
        found = await lab.evaluator().evaluate(A, "tpe")
    strata = {item.id: item.category for item in few.items}
    assert found.value == pytest.approx(mean(found.scores, strata, few.weights))
    assert found.value == pytest.approx(0.5)


# -- pruning


async def test_a_pruned_outcome_is_worth_the_incumbent_and_the_paired_difference(
    tmp_path: Path,
) -> None:
    asked = suite(4, 8)
    skill = {"a": 0.2, "b": 0.7}

    def worth(item: Item, answer: Answer) -> float:
        return skill[answer.aggregator] + int(item.id[-1]) ** 2 / 250

    with Lab(tmp_path, asked=asked, judge=TableJudge(worth)) as lab:
        evaluator = lab.evaluator()
        best = await evaluator.evaluate(single("b", 0.0), "baseline")
        asked_before = len(lab.models.asked)
        found = await evaluator.evaluate(A, "tpe", lambda: best)
        first = racing.looks(evaluator.items)[0]
        kept = lab.store.evaluations(STUDY)[1]
    assert (found.state, found.items, found.ranked) == ("PRUNED", first, False)
    assert len(lab.models.asked) - asked_before == first
    assert best.value is not None
    assert found.value == pytest.approx(best.value - 0.5)
    assert found.estimate is not None
    assert found.estimate.value != pytest.approx(found.value)  # it saw easier items, or harder
    assert (kept.state, kept.items, kept.unscored) == ("PRUNED", first, 0)


async def test_the_last_look_never_prunes_and_without_an_incumbent_nothing_does(
    tmp_path: Path,
) -> None:
    judge = TableJudge(lambda _, answer: 0.1 if answer.aggregator == "a" else 0.9)
    with Lab(tmp_path, asked=suite(1, 6), judge=judge) as lab:
        best = await lab.evaluator().evaluate(single("b", 0.0), "baseline")
        assert (await lab.evaluator().evaluate(A, "tpe", lambda: best)).state == "COMPLETE"
        warm = await lab.evaluator().evaluate(single("a", 0.7), "tpe", lambda: None)
    assert warm.state == "COMPLETE"


# -- errors


async def test_an_exception_cancels_the_rest_and_comes_as_it_is(tmp_path: Path) -> None:
    asked = suite(1, 6)
    order = [item.turns[0] for item in stratified(asked.half("search"), 0)]
    ended: list[str] = []

    async def before(request: Request) -> None:
        turn = request.messages[-1]["content"]
        if turn == order[0]:
            return
        if turn == order[3]:
            async with asyncio.timeout(60):
                while not lab.events(ItemDone):  # noqa: ASYNC110 - the first is not kept yet
                    await asyncio.sleep(0.001)
            raise BudgetSpentError("enough")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(turn)
            raise

    with Lab(tmp_path, asked=asked, models=Models(before=before)) as lab:
        with pytest.raises(BudgetSpentError, match="enough"):
            await lab.evaluator().evaluate(A, "tpe")
        kept = lab.store.evaluations(STUDY)[0]
        assert kept.state == "RUNNING"
        assert [r.item_id for r in lab.store.results(kept.id)] == [
            item.id for item in asked.half("search") if item.turns[0] == order[0]
        ]
    assert sorted(ended) == sorted({*order} - {order[0], order[3]})


async def test_cancelling_the_whole_cancels_every_part() -> None:
    ended: list[int] = []

    async def part(number: int) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(number)
            raise

    whole = asyncio.create_task(all_of(part(number) for number in range(3)))
    for _ in range(5):  # each begins in a turn of its own
        await asyncio.sleep(0)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert ended == [0, 1, 2]


async def test_racing_trials_of_one_host_step_together(tmp_path: Path) -> None:
    """The quick one begins its second look when the slow one has ended its first."""
    heard: list[tuple[str, str]] = []

    async def before(request: Request) -> None:
        await asyncio.sleep(0.05 if request.model == "b" else 0)
        heard.append((request.model, request.messages[-1]["content"]))

    with Lab(tmp_path, models=Models(before=before), asked=suite(2, 12)) as lab:
        evaluator = lab.evaluator(together=Together())
        first = {item.turns[0] for item in evaluator.items[: racing.looks(evaluator.items)[0]]}
        both = (single(model, 0.0) for model in ("a", "b"))
        await asyncio.gather(*(evaluator.evaluate(e, "tpe", lambda: None) for e in both))
    later = next(n for n, (model, text) in enumerate(heard) if text not in first)
    assert {text for model, text in heard[:later] if model == "b"} == first
