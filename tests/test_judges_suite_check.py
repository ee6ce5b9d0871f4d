"""Aim: everything wrong with a suite is told, each in one line, and nothing of a sound one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.suites import Item, scan_suite
from judges.golds import gold_faults
from judges.suite_check import ROOM, Finding, check_suite, kinds, tokens

TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
TYPED = {
    "type": "function",
    "function": {"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}},
}
WRONG = {"name": "f", "arguments": {"n": "3"}}
# Questions that share no word: what is planted is all there is to find.
ASKED = (
    "富士山の高さ",
    "百人一首の歌人",
    "味噌汁の作り方",
    "新幹線の開業",
    "相撲の決まり手",
    "桜前線の北上",
)


def row(number: int, **more: object) -> dict[str, object]:
    asked = {"id": f"q{number}", "category": "甲", "text": ASKED[number]}
    return {**asked, "rubric": ["正しい"], "split": ("search", "held_out")[number % 2], **more}


def findings(folder: Path, *rows: object, context: int = 4096) -> list[Finding]:
    lines = (json.dumps(one, ensure_ascii=False) for one in rows)
    (folder / "s.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return check_suite(scan_suite("s.jsonl", folder), "s.jsonl", context)


def test_a_sound_suite_has_no_finding(tmp_path: Path) -> None:
    assert findings(tmp_path, *map(row, range(6))) == []
    assert check_suite(scan_suite("kumiawase-ja", tmp_path), "kumiawase-ja", 4096) == []


def one(folder: Path, **more: object) -> tuple[str, str]:
    (found,) = findings(folder, row(0), row(1, **more), row(2), row(3))
    assert found.place == "s.jsonl:2"
    assert "\n" not in found.text
    return found.kind, found.text


def test_a_line_that_does_not_fit_is_told_with_all_its_faults(tmp_path: Path) -> None:
    found = findings(tmp_path, row(0), row(1, colour=1, size=2), row(2, colour=1), row(3))
    assert [(f.place, f.kind) for f in found] == [
        ("s.jsonl:2", "schema"),
        ("s.jsonl:2", "schema"),
        ("s.jsonl:3", "schema"),
    ]
    assert found[0].text.startswith("unknown key 'colour'; if the file is of another format")
    assert found[2].text == "unknown key 'colour'"  # the remedy is said once


def test_a_copy_is_told_once(tmp_path: Path) -> None:
    kind, text = one(tmp_path, text=f"「{ASKED[0]}」。")
    assert (kind, text) == ("duplicate", "item q1: the same question as q0 (s.jsonl:1)")


def test_a_near_copy_is_told_with_the_halves_it_leaks_across(tmp_path: Path) -> None:
    kind, text = one(tmp_path, text=f"{ASKED[0]}を、くわしく教えて")
    assert kind == "near-duplicate"
    assert text.startswith("item q1: 100% of its words are those of q0 (s.jsonl:1), across")


def test_the_same_words_about_another_document_ask_another_thing(tmp_path: Path) -> None:
    texts = ("春はあけぼの", "夏は夜")
    rows = [
        row(n, text="資料を要約してください", documents=[{"id": "1", "title": "題", "text": text}])
        for n, text in enumerate(texts)
    ]
    assert findings(tmp_path, *rows) == []
    same = [one | {"documents": rows[0]["documents"]} for one in rows]
    assert [found.kind for found in findings(tmp_path, *same)] == ["duplicate"]


def test_an_item_without_anything_to_judge_by(tmp_path: Path) -> None:
    assert one(tmp_path, rubric=[]) == (
        "judging",
        "item q1: nothing to judge by: no target, rubric or reference",
    )
    for more in ({"target": "東京"}, {"reference": ["東京"]}):
        assert findings(tmp_path, row(0), row(1, rubric=[], **more)) == []


def test_a_reference_that_fails_its_rule(tmp_path: Path) -> None:
    more = {"rule": {"kind": "numeric"}, "target": 3, "reference": ["1＋1を計算します。\n答え: 2"]}
    assert one(tmp_path, **more) == ("gold", "item q1: the reference is worth 0: read: 2")


@pytest.mark.parametrize(
    ("rule", "target", "said"),
    [
        ({"kind": "exact"}, ["東京", "東京都"], []),
        ({"kind": "short_answer"}, ["東京", "東京都"], []),
        ({"kind": "numeric"}, 1e-7, []),
        ({"kind": "numeric", "span": 2}, -2.5, []),
        ({"kind": "choice", "choices": ["人", "人身事故"]}, "人", []),
        ({"kind": "json"}, {"a": [1, None]}, []),
        ({"kind": "function_call"}, None, []),
        ({"kind": "function_call"}, {"name": "f", "arguments": {"a": 1}}, []),
        (
            {"kind": "choice", "choices": ["A", "Ａ"]},
            "A",
            ["`choices` is ['A', 'Ａ'] in a rule of kind choice"],
        ),
        (
            {"kind": "choice", "choices": ["はい", "はい。ただし条件つき"]},
            "はい",
            ["the wrong choice 'はい。ただし条件つき' is read as the target"],
        ),
        (
            {"kind": "choice", "choices": ["はい", "はい。ただし条件つき"]},
            "はい。ただし条件つき",
            ["the target, written as '答え: はい。ただし条件つき', is worth 0: read: はい"],
        ),
        ({"kind": "short_answer"}, "京都[1]", ["the target, written as '答え: 京都[1]'"]),
    ],
)
def test_a_target_that_fails_its_own_rule(
    rule: dict[str, Any], target: object, said: list[str]
) -> None:
    item = Item("q", "甲", ("問い",), "search", target, rule, tools=(TOOL,))
    faults = list(gold_faults(item))
    assert len(faults) >= len(said)
    assert bool(faults) == bool(said)
    assert all(any(part in fault for fault in faults) for part in said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"rule": {"kind": "json_schema", "schema": {"$ref": "https://example.com/a"}}},
            "`schema`: `$ref` 'https://example.com/a' leads out of the schema",
        ),
        (
            {"rule": {"kind": "format", "keywords": ["a"], "forbidden": ["a"]}},
            "'a' is wanted and forbidden",
        ),
        (
            {
                "rule": {"kind": "grounded", "cites": ["2"]},
                "documents": [{"id": "1", "title": "表", "text": "本文"}],
            },
            "`cites` names '2', no document of the item",
        ),
        (
            {"rule": {"kind": "format", "characters": {"max": 3}}, "reference": ["四文字だ"]},
            "the reference is worth 0: wrong: characters 4",
        ),
        (
            {"rule": {"kind": "function_call"}, "tools": [TYPED], "target": WRONG},
            "the target's argument 'n' does not fit the tool",
        ),
    ],
)
def test_a_rule_that_is_faulty_or_fails_its_reference(
    tmp_path: Path, more: dict[str, object], said: str
) -> None:
    kind, text = one(tmp_path, **more)
    assert kind == "gold"
    assert said in text


def test_an_item_that_leaves_no_room_for_an_answer(tmp_path: Path) -> None:
    documents = [{"id": "1", "title": "題", "text": "あ" * 600}]
    size = 600
    assert findings(tmp_path, row(0), row(1, documents=documents), context=4096) == []
    (found,) = findings(tmp_path, row(0), row(1, documents=documents), context=ROOM + size)
    assert (found.place, found.kind) == ("s.jsonl:2", "length")
    assert f"of {ROOM + size} for an answer" in found.text
    turns = {"text": None, "turns": [ASKED[1], "二つ目"]}
    assert findings(tmp_path, row(0), row(1, **turns), context=2 * ROOM + 50) == []
    (found,) = findings(tmp_path, row(0), row(1, **turns), context=2 * ROOM)
    assert found.kind == "length"  # the first answer takes its room as well
    tools = findings(tmp_path, row(0), row(1, tools=[TOOL]), context=ROOM + 60)
    assert [found.kind for found in tools] == ["length"]


def test_tokens_are_rather_too_many() -> None:
    assert (tokens("日本語"), tokens("abcd"), tokens("日本 go"), tokens("")) == (3, 2, 3, 0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"reference": ["This answer is written in English, all of it, to the end."]},
            "not Japanese",
        ),
        (
            {
                "reference": [
                    "这个答案是用中文写的没有一个假名所以不是日语请检查语言设置再试一次谢谢大家的合作和支持"
                ]
            },
            "no kana",
        ),
        (
            {
                "reference": [
                    "この模範回答は日本語で書かれていますが、求められている言語は英語です。どちらかが間違っています。"
                ],
                "language": "en",
            },
            "is Japanese, the answer's `language` is 'en'",
        ),
        (
            {"text": "Please tell me about the mountains and rivers of this country."},
            "the question is not",
        ),
    ],
)
def test_a_text_in_another_language(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    kind, text = one(tmp_path, **more)
    assert kind == "language"
    assert said in text


@pytest.mark.parametrize(
    "more",
    [
        {"reference": ["print('a long line of code')"], "text": ASKED[1]},
        {"text": "Translate this long sentence, please, into Japanese.", "reference": ["訳文"]},
        {"text": "次の文を英語にしてください。" * 3, "language": "en"},
        {
            "rule": {"kind": "json"},
            "target": {"name": "a rather long text in English, all of it"},
            "reference": ['{"name": "a rather long text in English, all of it"}'],
        },
    ],
)
def test_a_text_that_may_be_in_another_language(tmp_path: Path, more: dict[str, Any]) -> None:
    assert findings(tmp_path, row(0), row(1, **more)) == []


def test_a_category_without_one_half_and_a_lopsided_one(tmp_path: Path) -> None:
    rows = [row(n, split="search") for n in range(4)] + [
        row(4, split="held_out"),
        row(5, category="乙"),
    ]
    found = findings(tmp_path, *rows)
    assert [(f.place, f.kind, f.text) for f in found] == [
        ("s.jsonl", "halves", "category 甲: 4 search and 1 held-out items"),
        ("s.jsonl", "halves", "category 乙: no search item among 1"),
    ]
    assert kinds(found) == {"halves": 2}


def test_findings_are_json() -> None:
    found = Finding("s.jsonl:1", "gold", "wrong")
    assert found.to_json() == {"place": "s.jsonl:1", "kind": "gold", "text": "wrong"}
