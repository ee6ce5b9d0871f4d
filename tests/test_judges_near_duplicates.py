"""Aim: what asks the same is found behind the edits people make, what looks alike is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from data.suites import load_suite
from judges.near_duplicates import THRESHOLD, near_duplicates

FILES = {
    "rakuda": "rakuda/questions_v1.jsonl",
    "elyza": "elyza_tasks_100/dataset.jsonl",
    "japanese-mt-bench": "japanese_mt_bench/question_full.jsonl",
    "jcommonsenseqa": "jglue_v1.3/jcommonsenseqa_valid_first400.jsonl",
    "tengu": "shaberi_shisa/items/tengu.jsonl",
    "jmmlu": "jmmlu/jmmlu_sample_8_per_subject.jsonl",
}


def questions(shared: Path, form: str) -> list[str]:
    suite = load_suite({"path": FILES[form], "format": form}, shared)
    return ["\n".join(item.turns) for item in suite.items]


def pairs(texts: list[str]) -> list[tuple[int, int]]:
    return [(pair.earlier, pair.later) for pair in near_duplicates(texts)]


@pytest.mark.parametrize("form", ["rakuda", "elyza", "japanese-mt-bench", "jcommonsenseqa"])
def test_suites_without_duplicates_have_none(shared: Path, form: str) -> None:
    assert pairs(questions(shared, form)) == []


def test_what_public_suites_ask_twice_is_found(shared: Path) -> None:
    # The same table, twice the same tools: the questions differ in a sentence.
    assert pairs(questions(shared, "tengu")) == [(0, 1), (16, 17), (17, 18)]
    # The same instruction and choices about another formula, or another vitamin.
    texts = questions(shared, "jmmlu")
    found = pairs(texts)
    assert len(found) == 3
    assert all(
        "翻訳キー" in texts[b] or "真理値表" in texts[b] or "ビタミン" in texts[b]
        for _, b in found
    )


def test_our_own_suite_asks_nothing_twice() -> None:
    suite = load_suite("kumiawase-ja", Path())
    assert pairs(["\n".join(item.turns) for item in suite.items]) == []


@pytest.mark.parametrize("form", ["rakuda", "elyza"])
def test_planted_copies_are_found_behind_the_edits_people_make(shared: Path, form: str) -> None:
    texts = questions(shared, form)
    edits: dict[str, Callable[[str], str]] = {
        "numbers": lambda text: re.sub(r"[0-9０-９]+", "47", text),
        "order": lambda text: "".join(reversed(re.split(r"(?<=[。？\n])", text))),
        "around": lambda text: (
            f"あなたは親切な先生です。次の問いに答えてください。\n{text}\n箇条書きで。"
        ),
        "half": lambda text: "".join(re.split(r"(?<=[。？\n])", text)[:1]),
    }
    for name, edit in edits.items():
        copied = range(0, len(texts), 4)
        planted = texts + [edit(texts[number]) for number in copied]
        found = set(pairs(planted))
        wanted = {(number, len(texts) + place) for place, number in enumerate(copied)}
        assert len(found & wanted) >= 0.9 * len(wanted), name
        assert len(found - wanted) <= 1, name


def test_what_all_items_share_makes_no_two_alike() -> None:
    shared = "考え方も示し、最後の行に「答え: 」に続けて数だけを書いてください。"
    asked = ["鶴と亀の足", "列車の長さ", "円周の求め方", "食塩水の濃さ", "時計の針の角度"]
    assert pairs([f"{text}を答えなさい。{shared}" for text in asked]) == []


def test_each_question_is_told_once_with_the_most_alike() -> None:
    texts = ["富士山の高さは何メートルですか", "琵琶湖の面積を答えてください"]
    texts += ["富士山の高さは何メートルでしょうか", "富士山の高さは何メートルですか、教えて"]
    found = near_duplicates(texts)
    assert [pair.later for pair in found] == [2, 3]
    assert all(pair.earlier in {0, 2} and pair.overlap >= THRESHOLD for pair in found)


def test_what_cannot_be_compared_is_no_pair() -> None:
    texts = ["資料を三行で要約してください"] * 2
    assert pairs(texts) == [(0, 1)]
    assert near_duplicates(texts, comparable=lambda _a, _b: False) == []
    assert pairs(["！？", "！？", ""]) == []
