"""A form is kept or it is not, demand by demand, counted as a Japanese reader counts."""

from __future__ import annotations

from typing import Any

import pytest

from data.errors import SuiteError
from judges.rules import check


def worth(answer: str, **demands: Any) -> float | None:
    return check({"kind": "format", **demands}, None, answer).value


@pytest.mark.parametrize(
    ("demand", "good", "bad"),
    [
        ({"characters": {"min": 4, "max": 6}}, "春は、 曙。\n", "春はあけぼの。"),
        ({"characters": {"max": 2}}, "か\u3099\u200bき", "がきく"),
        ({"items": {"min": 3, "max": 3}}, "次の三つです。\n・一\n- 二\n3. 三", "- 一\n- 二"),
        ({"items": {"max": 2}}, "①一\n(2) 二", "1）一\n2）二\n3）三"),
        (
            {"items": {"min": 2, "max": 2}},
            "**利点**\n- 一\n- 二\n---\n10:30 まで",
            "* 一\n1）2個\n-三",
        ),
        ({"items": {"max": 0}}, "-5度で1.5倍。\n1.5倍です。\n2、3日です。", "-五度です。"),
        ({"sentences": {"max": 2}}, "1. 「本当！？」と聞く。\n2. 答える。", "聞く。\n答える。\n1"),
        ({"sentences": {"max": 2}}, "「はい。」と答えた。帰った！", "来た。見た。勝った。"),
        ({"sentences": {"min": 2}}, "3.5 km です。終わり", "3.5 km です。"),
        ({"paragraphs": {"min": 2, "max": 2}}, "一\n続き\n\n二", "一\n続き\n二"),
        ({"lines": {"max": 2}}, "一\n\n二\n", "一\n二\n三"),
        ({"script": "hiragana"}, "すーぱーへいく、2かい!", "スーパーへいく"),
        ({"script": "katakana"}, "カタカナ ｶﾅ", "カタかな"),
        ({"script": "kana"}, "カナとかな", "漢字とかな"),
        ({"script": "latin"}, "All in English.", "English と日本語"),
        ({"script": "no_kanji"}, "かんじなし 123 ABC", "漢字なし"),
        ({"script": ["no_latin", "no_katakana"]}, "英語はない。", "ｅｎｇｌｉｓｈはない"),
        ({"keywords": ["東京", "ＡＩ"]}, "東京のAI活用", "大阪のaim"),
        ({"forbidden": ["AI", "禁止"]}, "RAIN は雨", "AIは禁止"),
    ],
)
def test_each_demand(demand: dict[str, Any], good: str, bad: str) -> None:
    assert worth(good, **demand) == 1
    low = worth(bad, **demand)
    assert low is not None
    assert low < 1


def test_worth_is_the_share_of_demands_met_and_the_unmet_are_named() -> None:
    rule = {
        "kind": "format",
        "characters": {"max": 100},
        "items": {"min": 2},
        "keywords": ["水", "火"],
    }
    found = check(rule, None, "水だけです。")
    assert found.value == 0.5
    assert found.explanation == "wrong: items 0, lacks 火"


def test_an_empty_answer_keeps_to_no_form() -> None:
    assert worth(" \n", forbidden=["x"]) == 0


@pytest.mark.parametrize(
    ("demands", "said"),
    [
        ({}, "asks for nothing"),
        ({"script": "kanji"}, "`script`"),
        ({"characters": {"min": 3, "max": 2}}, "`characters`"),
        ({"characters": {"most": 3}}, "`characters`"),
        ({"characters": {"min": True}}, "`characters`"),
        ({"keywords": []}, "`keywords`"),
        ({"keywords": ["水"], "forbidden": ["水"]}, "wanted and forbidden"),
        ({"length": 3}, "`length`"),
    ],
)
def test_a_form_that_cannot_be_kept_is_refused(demands: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        worth("水", **demands)
