"""A rule costs no call, a rule with a rubric is the mean of both, the rest is the judge's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data.errors import SuiteError
from data.suites.item import Item
from judges.combined import CombinedJudge
from judges.rubric import RubricJudge
from judges.score import Judge
from tests.support.completers import ScriptedCompleter, answer, saying

RULED = Item("q", "数学", ("3×4は?",), "search", target=12, rule={"kind": "numeric"})
BOTH = replace(RULED, rubric=("途中の式があること",))
FREE = replace(RULED, rule=None)


def combined(completer: ScriptedCompleter) -> Judge:
    return CombinedJudge(RubricJudge(completer, "gpt", identity="gpt", family="GPT", max_tokens=9))


async def test_a_rule_alone_costs_no_call() -> None:
    completer = saying("[[1]]")
    (score,) = await combined(completer).score(RULED, answer("答えは12です"))
    assert (score.judge, score.value, score.explanation) == ("rule", 1, "read: 12")
    assert not completer.requests


async def test_a_rule_reads_the_last_turn() -> None:
    item = replace(RULED, turns=("3×3は?", "3×4は?"))
    (score,) = await combined(saying("?")).score(item, answer("12", "9"))
    assert score.value == 0


async def test_rule_and_rubric_are_worth_their_mean() -> None:
    item, rule, judged = await combined(saying("[[6]]")).score(BOTH, answer("12"))
    assert item.judge == "rule+gpt"
    assert item.value == pytest.approx(0.8)
    assert item.explanation == "rule 10, gpt 6"
    assert (rule.value, judged.value) == (1, 0.6)


async def test_half_a_score_is_none() -> None:
    item, rule, judged = await combined(saying("6点")).score(BOTH, answer("12"))
    assert (item.value, item.reason) == (None, "no verdict: no [[n]] in the reply")
    assert (rule.value, judged.value) == (1, None)


async def test_without_a_rule_the_judge_decides() -> None:
    (score,) = await combined(saying("[[6]]")).score(FREE, answer("12"))
    assert (score.judge, score.value) == ("gpt", 0.6)


async def test_a_rule_that_cannot_be_used_is_the_users_to_mend() -> None:
    with pytest.raises(SuiteError):
        await combined(saying("[[6]]")).score(replace(RULED, target="多い"), answer("12"))


def test_the_digest_holds_the_judges() -> None:
    one = RubricJudge(saying("x"), "a", identity="a", family="A", max_tokens=9)
    two = RubricJudge(saying("x"), "a", identity="a@2", family="A", max_tokens=9)
    digests = {CombinedJudge(one).digest, CombinedJudge(two).digest, one.digest, two.digest}
    assert len(digests) == 4
