"""Aim: a short answer is read from where it was asked for, and a near one is worth its part."""

from __future__ import annotations

from typing import Any

import pytest

from data.errors import SuiteError
from judges.rules import check
from judges.short_answer import read_short

RULE = {"kind": "short_answer"}


def worth(answer: str, target: object, **options: Any) -> float | None:
    return check({**RULE, **options}, target, answer).value


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("資料[1]によると北海道です。\n答え: 小笠原諸島", "小笠原諸島"),
        ("答え: 東京\n見直すと違いました。\n答え: 京都", "京都"),
        ("**答え**：「京都」", "「京都」"),
        ("**答え: 京都**", "京都"),
        ("答え: 京都 [1]。", "京都"),
        ("答え: 京都[規約][2]", "京都"),
        ("答え:\n京都\n以上です", "京都"),
        ("京都", "京都"),
        ("考えると京都になる。\n京都\n\n", "京都"),
        ("京都\n答え:", "答え:"),
        ("[京都]", "[京都]"),
        ("", ""),
    ],
)
def test_what_is_read(answer: str, read: str) -> None:
    assert read_short(answer) == read


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("答え: 小笠原諸島", "小笠原諸島", 1),
        ("答え: 「小笠原諸島」です。", "小笠原諸島", 1),
        ("答え: ５月から７月", ["5月から7月にかけて", "5月から7月"], 1),
        ("答え: 出梅", "出梅（しゅつばい）", 1),
        ("答え: 出梅（しゅつばい）", "出梅", 1),
        ("答え: 勢力が弱くなり、次第に北上していく", "勢力が弱くなり、次第に北上していく。", 1),
        ("小笠原諸島と北海道の二つがあります。\n答え: 北海道", "小笠原諸島", 0),
        ("答え: 小笠原諸島ではない", "小笠原諸島", 0),
        ("小笠原諸島のことはわかりません。", "小笠原諸島", 0),
        ("答え: すみ", "すみだ", 0),
    ],
)
def test_whole_answers(answer: str, target: object, value: float) -> None:
    assert worth(answer, target) == value


def test_a_partial_answer_is_worth_the_share_of_signs_that_agree() -> None:
    golds = ["東アジアの広範囲", "東アジア"]
    assert worth("答え: 東アジア", golds, partial=True) == 1
    # 7 of 7 signs said and 7 of 8 wanted: 14 / 15
    assert worth("答え: 東アジア広範囲", golds, partial=True) == pytest.approx(14 / 15)
    assert worth("答え: ロンドン", golds, partial=True) == 0
    assert worth("答え: 東アジア広範囲", golds) == 0
    assert worth("", golds, partial=True) == 0


@pytest.mark.parametrize(
    ("options", "target", "said"),
    [
        ({"partial": 1}, "東京", "`partial` is 1 in a rule of kind short_answer"),
        ({}, 3, "the target is 3, not a text"),
        ({}, [], "not a text"),
    ],
)
def test_a_rule_that_cannot_be_used(options: dict[str, Any], target: object, said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        worth("答え: 東京", target, **options)


@pytest.mark.parametrize(
    ("rule", "answer", "value"),
    [
        ({"span": 2}, "答え: 2.4", 1),
        ({"span": 2}, "答え: 1.4", 0.5),
        ({"span": 2}, "答え: 4.5", 0),
        ({"span": 2, "tolerance": 0.5}, "答え: 2.9", 1),
        ({"span": 2, "tolerance": 0.5}, "答え: 3.65", 0.5),
        ({"tolerance": 0.5}, "答え: 3.65", 0),
        ({"span": 2}, "わかりません", 0),
    ],
)
def test_a_number_is_worth_less_the_further_off(
    rule: dict[str, Any], answer: str, value: float
) -> None:
    assert check({"kind": "numeric", **rule}, 2.4, answer).value == pytest.approx(value)


@pytest.mark.parametrize("options", [{"span": 0}, {"span": "2"}, {"span": 1, "tolerance": 1}])
def test_a_span_that_cannot_be_used(options: dict[str, Any]) -> None:
    with pytest.raises(SuiteError, match="span"):
        check({"kind": "numeric", **options}, 2.4, "2.4")
