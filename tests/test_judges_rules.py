"""Each rule reads what a reader would read, and nothing a careless or hostile answer adds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from data.errors import SuiteError
from data.suites.item import Item
from judges.rules import check, validate

CHOICES = {"kind": "choice", "choices": ["A", "B", "C", "D"]}
CALL = {"name": "get_weather", "arguments": {"city": "東京", "days": 3}}


def worth(rule: dict[str, Any], target: object, answer: str) -> float | None:
    return check(rule, target, answer).value


@pytest.mark.parametrize(
    ("rule", "target", "answer", "value"),
    [
        ({"kind": "exact"}, "東京", "「東京」。", 1),
        ({"kind": "exact"}, "コーヒー", "ｺｰﾋｰ", 1),
        ({"kind": "exact"}, "東京", "東京です", 0),
        ({"kind": "exact"}, ["サーバー", "サーバ"], "サーバ", 1),
        ({"kind": "exact", "normalize": False}, "東京", "東京。", 0),
        ({"kind": "exact", "normalize": False}, "東京", "東京", 1),
    ],
)
def test_exact(rule: dict[str, Any], target: object, answer: str, value: float) -> None:
    assert worth(rule, target, answer) == value


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("答えは12です。なぜなら3×4だからです。", 12),
        ("３×４＝１２", 12),
        ("答え：12個（3×4）", 12),
        ("正解は12ではなく15です。", 15),
        ("答え：12\n見直すと違いました。\n正解：15", 15),
        ("【答え】\n7", 7),
        ("## 答え\n7\n\n以上、3つの式で確かめました。", 7),
        ("**答え**: 7", 7),
        ("Answer: 3.14. Checked 2 times.", 3.14),
        ("よって $\\boxed{42}$ である。検算は 6 通り。", 42),
        ("1,234,567円", 1234567),
        ("12,13", 13),
        ("3万5千円", 35000),
        ("1億2000万人", 120000000),
        ("3.5万", 35000),
        ("十二個です", 12),
        ("合計で三百円になります", 300),
        ("二〇二四年", 2024),
        ("二千二十四年", 2024),
        ("統一した結果、答えは三です。一緒に考えましょう。", 3),
        ("十二本だと思います。一緒に数えましょう。", 12),
        ("3/4です", 0.75),
        ("四分の三", 0.75),
        ("4分の3", 0.75),
        ("$\\frac{3}{4}$", 0.75),
        ("12m²", 12),
        ("10³", 1000),
        ("2×10^3", 2000),
        ("答え：−5", -5),
        ("合計は10 - 3 = 7 個", 7),
        ("3-5=-2", -2),
        ("コーヒー3杯", 3),
        ("りんごは12個です。3×4で求めました。", 12),
    ],
)
def test_numeric(answer: str, number: float) -> None:
    assert worth({"kind": "numeric"}, number, answer) == 1
    assert worth({"kind": "numeric"}, number + 1, answer) == 0


@pytest.mark.parametrize(
    "answer",
    [
        "答え: 25600 [1][2]",
        "合計は25,600円です[1]［2］。",
        "資料[3]から、答えは[25600]",
        "答え: [25600]",
    ],
)
def test_a_citation_is_no_number(answer: str) -> None:
    assert check({"kind": "numeric"}, 25600, answer).value == 1


@pytest.mark.parametrize(
    "answer",
    ["わかりません", "H2O", "一般的に統一して一緒に考えます", "十分です", "3/0", "9" * 5000],
)
def test_numeric_without_a_number(answer: str) -> None:
    score = check({"kind": "numeric"}, 1, answer)
    assert (score.value, score.explanation) == (0, "no number in the answer")


def test_numeric_tolerance_is_exact_at_its_edge() -> None:
    rule = {"kind": "numeric", "tolerance": 0.1}
    assert worth(rule, 0.3, "0.4") == 1
    assert worth(rule, 0.3, "0.41") == 0


@pytest.mark.parametrize(
    ("target", "answer", "value"),
    [
        (25, "25％です", 1),
        (0.25, "25%", 1),
        ("1/4", "25パーセント", 1),
        ("25%", "25", 1),
        ("0.25%", "25%", 0),
        (25, "0.25%", 0),
        (1e-7, "0.0000001", 1),
    ],
)
def test_numeric_percent_and_written_targets(target: object, answer: str, value: float) -> None:
    assert worth({"kind": "numeric"}, target, answer) == value


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("B", 1),
        ("Ｂ。", 1),
        ("(B)", 1),
        ("答えはBです。Aは誤りです。", 1),
        ("A案もありますが、正解：B（東京）", 1),
        ("答えはAではなくBです。", 1),
        ("【答え】\nB", 1),
        ("B\n\n理由：Aは本州、Cは四国だから。", 1),
        ("BでありA以外です", 0),
        ("AかBです", 0),
        ("答え：A、B、C、D", 0),
        ("A\nB\nC\nD", 0),
        ("答えはBかAです", 0),
        ("ABC", 0),
        ("BBC放送", 0),
        ("わかりません", 0),
        ("答え：A", 0),
    ],
)
def test_choice(answer: str, value: float) -> None:
    assert worth(CHOICES, "B", answer) == value


def test_choice_names_what_it_saw() -> None:
    assert check(CHOICES, "B", "AかBです").explanation == "names several: A, B"


@pytest.mark.parametrize(
    ("choices", "target", "answer", "value"),
    [
        (["ア", "イ", "ウ"], "イ", "イ", 1),
        (["ア", "イ", "ウ"], "イ", "イタリアのウ", 0),
        (["正しい", "正しいとは言えない"], "正しい", "正しいとは言えない", 0),
        (["正しい", "正しいとは言えない"], "正しいとは言えない", "正しいとは言えない。", 1),
        ([1, 2, 3], 2, "答え：２", 1),
        ([1, 2, 12], 2, "12", 0),
    ],
)
def test_choice_of_words(choices: list[Any], target: object, answer: str, value: float) -> None:
    assert worth({"kind": "choice", "choices": choices}, target, answer) == value


@pytest.mark.parametrize(
    ("target", "answer", "value"),
    [
        ({"a": 1, "b": "東京"}, '{"a": 1.0, "b": "「東京」"}', 1),
        ({"a": 1, "b": "x"}, '説明です。\n```json\n{"a": 1, "b": "y"}\n```\n注[1]', 0.5),
        ({"a": 1}, '下書き {"a": 2} を直して {"a": 1} です [1]', 1),
        ({"a": 1}, '{"a": 1} のつもりが {"a": 2} です', 0),
        ({"a": 1}, '```json\n{"a": 1}\n```\n{"a": 9} ではありません', 1),
        ({"a": 1}, '{"a": true}', 0),
        ({"a": True}, '{"a": 1}', 0),
        ({"a": 1}, '{"a": "1"}', 0),
        ({"a": 1}, '{"a": 1', 0),
        ({"a": 1}, '{"a": NaN}', 0),
        ({"a": 1}, "{'a': 1}", 0),
        ({"a": {"b": [1, {"c": None}]}}, '{"a": {"b": [1.0, {"c": null}]}}', 1),
        ({"a": {"b": [1, 2]}}, '{"a": {"b": [2, 1]}}', 0),
        ([1, 2], "結果は [1, 2] です", 1),
        ([1, 2], "[1, 2, 3]", 0),
        ({"a": 1}, "[1]", 0),
        ({}, "{}", 1),
        (5, "5", 1),
        ({"a": 1}, "JSONはありません", 0),
    ],
)
def test_json(target: object, answer: str, value: float) -> None:
    assert worth({"kind": "json"}, target, answer) == value


def test_json_compares_the_keys_it_is_told() -> None:
    rule = {"kind": "json", "keys": ["a"]}
    assert worth(rule, {"a": 1, "b": 2}, '{"a": 1, "b": 9}') == 1


@pytest.mark.parametrize(
    ("target", "answer", "value"),
    [
        (CALL, json.dumps(CALL), 1),
        (CALL, f"```json\n{json.dumps(CALL, ensure_ascii=False)}\n```", 1),
        (CALL, json.dumps({"tool_name": "get_weather", "parameters": CALL["arguments"]}), 1),
        (
            CALL,
            json.dumps(
                {
                    "tool_calls": [
                        {
                            "type": "function",
                            "function": {
                                "name": "get_weather",
                                "arguments": json.dumps(CALL["arguments"]),
                            },
                        }
                    ]
                }
            ),
            1,
        ),
        (CALL, '{"name": "get_weather", "arguments": {"city": "東京", "days": "3"}}', 0.75),
        (CALL, '{"name": "get_weather", "arguments": {"city": "東京"}}', 0.75),
        (
            CALL,
            '{"name": "get_weather", "arguments": {"city": "東京", "days": 3, "a": 1, "b": 2}}',
            0.75,
        ),
        (CALL, '{"name": "get_weather", "arguments": "東京"}', 0.5),
        (CALL, '{"name": "get_news", "arguments": {"city": "東京", "days": 3}}', 0),
        (CALL, "東京の天気は晴れです。", 0),
        (CALL, json.dumps([CALL, {"name": "get_news", "arguments": {}}]), 0),
        (CALL, json.dumps([CALL, CALL]), 1),
        ({"name": "now"}, '{"name": "now", "arguments": {}}', 1),
        (None, "今日は水曜日です。", 1),
        (None, '人物は {"name": "田中"} です。', 1),
        (None, json.dumps(CALL), 0),
        (None, "", 0),
    ],
)
def test_function_call(target: object, answer: str, value: float) -> None:
    assert worth({"kind": "function_call"}, target, answer) == value


@pytest.mark.parametrize(
    ("rule", "target"),
    [
        ({"kind": "exact"}, "a"),
        ({"kind": "numeric"}, 1),
        (CHOICES, "B"),
        ({"kind": "json"}, {"a": 1}),
        ({"kind": "function_call"}, CALL),
    ],
)
def test_an_empty_answer_is_worth_nothing(rule: dict[str, Any], target: object) -> None:
    assert check(rule, target, " \n").explanation == "empty answer"
    assert worth(rule, target, " \n") == 0


@pytest.mark.parametrize(
    "piece", ["[", '{"a":', "「(", "答え：", "\\boxed{", "```\n", "一", "十分の", "3×", "1,", "−"]
)
@pytest.mark.parametrize("kind", ["exact", "numeric", "choice", "json", "function_call"])
def test_hostile_texts_end(kind: str, piece: str) -> None:
    rules: dict[str, tuple[dict[str, Any], object]] = {
        "exact": ({"kind": "exact"}, "a"),
        "numeric": ({"kind": "numeric"}, 99),
        "choice": (CHOICES, "B"),
        "json": ({"kind": "json"}, {"a": 1}),
        "function_call": ({"kind": "function_call"}, CALL),
    }
    rule, target = rules[kind]
    assert worth(rule, target, piece * 5000) == 0


@pytest.mark.parametrize(
    ("rule", "target", "fault"),
    [
        ({"kind": "regex"}, "a", "`kind` is 'regex'"),
        ({"kind": []}, "a", "`kind` is []"),
        ({}, "a", "`kind` is None"),
        ({"kind": "exact", "fuzzy": True}, "a", "`fuzzy` is True"),
        ({"kind": "exact"}, None, "the target is None, not a text"),
        ({"kind": "exact"}, "", "the target is '', not a text"),
        ({"kind": "numeric"}, "多い", "not a number"),
        ({"kind": "numeric"}, float("nan"), "not a number"),
        ({"kind": "numeric", "tolerance": -1}, 1, "`tolerance` is -1"),
        ({"kind": "numeric", "tolerance": float("inf")}, 1, "`tolerance` is inf"),
        ({"kind": "choice"}, "A", "`choices`"),
        ({"kind": "choice", "choices": ["A"]}, "B", "'B' is not among"),
        ({"kind": "json"}, None, "not a JSON value"),
        ({"kind": "json", "keys": ["b"]}, {"a": 1}, "lacks the key 'b'"),
        ({"kind": "function_call"}, {"arguments": {}}, "{name, arguments} or null"),
    ],
)
def test_a_rule_that_cannot_be_used(rule: dict[str, Any], target: object, fault: str) -> None:
    item = Item("q1", "数学", ("?",), "search", target=target, rule=rule)
    with pytest.raises(SuiteError, match="item q1: rule: ") as caught:
        validate([replace(item, id="q0", rule=None), item])
    assert fault in str(caught.value)
    with pytest.raises(SuiteError):
        check(rule, target, "a")
