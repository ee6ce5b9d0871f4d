"""Aim: our own suite is sound: balanced, checkable, and its golds are what code computes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise, permutations, product
from pathlib import Path

import pytest

from data.suites import Item, load_suite
from judges.rules import check

SUITE = load_suite("kumiawase-ja", Path())
ITEMS = {item.id: item for item in SUITE.items}


def test_the_suite_is_balanced() -> None:
    assert SUITE.name == "kumiawase-ja"
    assert Counter(item.category for item in SUITE.items) == dict.fromkeys(
        (
            "数学",
            "論理・推論",
            "抽出・構造化",
            "日本の知識",
            "文章・敬語",
            "対話・ロールプレイ",
            "資料つき質問応答",
            "関数呼び出し",
        ),
        16,
    )
    for half in ("search", "held_out"):
        assert set(Counter(item.category for item in SUITE.half(half)).values()) == {8}


@pytest.mark.parametrize("item", SUITE.items, ids=lambda item: item.id)
def test_every_item_can_be_judged(item: Item) -> None:
    assert item.rule or 2 <= len(item.rubric) <= 5
    assert len(item.rubric) <= 5
    assert len(item.reference) == len(item.turns)


def test_what_the_categories_promise() -> None:
    by = {c: [i for i in SUITE.items if i.category == c] for c in SUITE.weights}
    assert sum(len(item.turns) == 2 for item in by["対話・ロールプレイ"]) >= 6
    assert all(item.documents for item in by["資料つき質問応答"])
    assert all(item.tools and item.rule for item in by["関数呼び出し"])
    assert sum(item.target is None for item in by["関数呼び出し"]) >= 4
    assert all(item.rule for c in ("数学", "論理・推論", "抽出・構造化") for item in by[c])


@pytest.mark.parametrize("item", SUITE.items, ids=lambda item: item.id)
def test_the_reference_passes_the_items_own_rule(item: Item) -> None:
    if item.rule is not None:
        assert check(item.rule, item.target, item.reference[-1]).value == 1


@pytest.mark.parametrize("item", SUITE.items, ids=lambda item: item.id)
def test_the_question_says_how_the_final_answer_is_given(item: Item) -> None:
    kind = item.rule["kind"] if item.rule else ""
    if kind in {"numeric", "choice"}:
        assert "最後の行に「答え: 」に続けて" in item.turns[-1]
        assert item.reference[-1].splitlines()[-1] == f"答え: {item.target}"
    if kind == "json":
        assert "JSON" in item.turns[-1]


def test_math_001() -> None:
    found = [b for b in range(39) if 6 * (38 - b) + 10 * b == 292]
    assert found == [ITEMS["math-001"].target]


def test_math_002() -> None:
    fits = [n for n in range(1, 1000) if n % 3 == 0 and len(set(str(n))) == len(str(n))]
    assert len(fits) == ITEMS["math-002"].target


def test_math_003() -> None:
    rows = set(permutations("赤赤赤赤白白白青青"))
    fits = [r for r in rows if r[0] != r[-1] and ("青", "青") not in pairwise(r)]
    assert len(fits) == ITEMS["math-003"].target


def test_logic_001() -> None:
    names = ("戸田", "中野", "西村", "沼田", "根岸", "野口")

    def fits(order: tuple[str, ...]) -> bool:
        toda, nakano, nishimura, numata, negishi, noguchi = map(order.index, names)
        return (
            nishimura == noguchi + 2
            and toda - numata > 2
            and abs(nakano - negishi) != 1
            and abs(noguchi - numata) != 1
            and nakano > negishi
            and nishimura != 5
        )

    assert {o[2] for o in permutations(names) if fits(o)} == {ITEMS["logic-001"].target}


def test_logic_002() -> None:
    names = ("青木", "石井", "上原", "江藤", "岡本")
    found = []
    for honest in product((True, False), repeat=5):
        aoki, ishii, _, eto, okamoto = honest
        said = (
            sum(honest) % 2 == 1,
            aoki + eto == 1,
            not okamoto,
            sum(honest) >= 3,
            aoki == ishii,
        )
        if said == honest:
            found.append([name for name, true in zip(names, honest, strict=True) if true])
    assert found == [ITEMS["logic-002"].target["正直者"]]


def test_logic_003() -> None:
    # A book is (研究書, 禁帯出, 英語, 児童書); a library is a set of the kinds of books it has.
    books = list(product((False, True), repeat=4))
    claims: dict[str, Callable[[list[tuple[bool, ...]]], bool]] = {
        "ア": lambda library: any(b[0] and b[2] for b in library),
        "イ": lambda library: any(b[1] and not b[3] for b in library),
        "ウ": lambda library: not any(b[3] and b[1] for b in library),
        "エ": lambda library: not any(b[3] and b[0] for b in library),
    }
    possible = [
        b for b in books if (b[1] or not b[0]) and not (b[2] and b[3])
    ]  # what the first and the third condition leave
    libraries = (
        [b for b, here in zip(possible, chosen, strict=True) if here]
        for chosen in product((False, True), repeat=len(possible))
    )
    valid = [library for library in libraries if any(b[1] and b[2] for b in library)]
    always = [name for name, claim in claims.items() if all(map(claim, valid))]
    assert always == [ITEMS["logic-003"].target]


def test_extract_002_and_003() -> None:
    firm = ITEMS["extract-002"].target
    showa, heisei = 1925, 1988
    assert firm["創業年"] == showa + 43
    assert (firm["本社移転の年"], firm["増資の年"]) == (heisei + 1, heisei + 1 + 3)
    assert firm["社名変更の年"] == firm["創業年"] + 50
    assert (firm["増資後の資本金"], firm["社員数"]) == (3_500_000 * 12, 9 * 14)
    order = ITEMS["extract-003"].target
    assert (order["幕の内"], order["ちらし"]) == (12 - 3 + 1, 8 + 3 - 1)
    assert order["お茶"] == order["幕の内"] + order["ちらし"] + 1


def test_docs_001_and_003() -> None:
    assert ITEMS["docs-001"].target == 800 * 4 // 2 + 200 * 4
    due = date(2001, 9, 25) + timedelta(days=14) + timedelta(days=10)
    assert (due.month, due.day) == (10, ITEMS["docs-003"].target)


def test_the_reference_poem_keeps_its_own_form() -> None:
    kana = ITEMS["write-003"].reference[0].splitlines()[1].split("／")
    assert [phrase[0] for phrase in kana] == list("あきまつり")
    assert [len(re.sub("[ゃゅょぁぃぅぇぉ]", "", phrase)) for phrase in kana] == [5, 7, 5, 7, 7]
