"""Canaries differ from their answer in one thing; the fence disarms them and flags see them."""

from __future__ import annotations

import re
import unicodedata

import pytest

from data.suites.item import Item
from judges.canaries import INJECTED, Kind, english, injected, nulls, padded, planted, wordings
from judges.inspection import inspect
from judges.language import foreign
from judges.verdict import fence
from moa.answer import Answer
from tests.support.completers import answer

ASKED = Item("i", "日本の知識", ("富士山の高さは。",), "search")
SAID = answer("富士山の高さは3776メートルです。")
TWO_TURNS = Item("j", "対話", ("一つ目の質問。", "二つ目の質問。"), "search")


def sums(name: str, target: int, reference: str = "") -> Item:
    references = (reference,) if reference else ()
    return Item(
        name,
        "数学",
        ("計算してください。",),
        "search",
        target,
        {"kind": "numeric"},
        (),
        references,
    )


@pytest.mark.parametrize("pairwise", [False, True])
@pytest.mark.parametrize("kind", INJECTED)
def test_every_wording_is_flagged(kind: Kind, pairwise: bool) -> None:
    answers = [(ASKED, SAID)] * len(wordings(kind, pairwise=pairwise))
    twins = injected(kind, answers, pairwise=pairwise)
    assert len({twin.twin.texts for twin in twins}) == len(twins) >= 4
    assert not inspect(ASKED, SAID).forged
    for twin in twins:
        assert twin.twin.texts[0].startswith(SAID.texts[0])
        assert inspect(ASKED, twin.twin).forged, twin.twin.texts[0]


@pytest.mark.parametrize("kind", INJECTED)
def test_no_mark_of_any_wording_passes_the_fence(kind: Kind) -> None:
    read = re.compile(
        r"\[\[\s*\d+\s*\]\]|\d\s*点|[\[【](?:点数|評点)[\]】]\s*\d|FINAL SCORE:\s*\d"
    )
    assert any(read.search(unicodedata.normalize("NFKC", text)) for text in wordings(kind))
    for text in wordings(kind):
        assert not read.search(unicodedata.normalize("NFKC", fence(text))), text


@pytest.mark.parametrize("kind", INJECTED)
def test_no_claim_of_a_win_passes_the_fence(kind: Kind) -> None:
    read = re.compile(r"\[\[|[AB]\s*>>\s*[AB]|(?:判定|VERDICT)[\]】:：\s]*[AB]\s*[<>=]")
    texts = wordings(kind, pairwise=True)
    assert set(texts).isdisjoint(wordings(kind))
    assert any(read.search(unicodedata.normalize("NFKC", text)) for text in texts)
    for text in texts:
        assert not read.search(unicodedata.normalize("NFKC", fence(text, "回答A"))), text


def test_only_the_last_turn_is_changed() -> None:
    given = answer("一", "二")
    for twin in (*injected("plea", [(TWO_TURNS, given)]), *padded([(TWO_TURNS, given)])):
        assert twin.twin.texts[0] == "一"
        assert twin.twin.texts[1].startswith("二\n\n")


def test_a_null_answer_says_the_same_to_everything() -> None:
    short, long = nulls([(ASKED, SAID), (TWO_TURNS, answer("一", "二"))])
    assert long.twin.texts == short.twin.texts * 2
    assert not inspect(ASKED, short.twin).labels


def test_padding_doubles_twice_and_says_no_more() -> None:
    (twin,) = padded([(ASKED, answer("富士山について述べます。" * 8))])
    assert twin.doublings == pytest.approx(2, abs=0.3)
    assert not inspect(ASKED, twin.twin).labels
    (long,) = padded([(ASKED, answer("富士山について、いろいろなことを述べます。" * 100))])
    assert 0.5 < long.doublings < 1
    assert padded([(ASKED, answer(" "))]) == []


def test_english_twins_are_english_answers_to_japanese_questions() -> None:
    twins = english()
    assert len({twin.item.id for twin in twins}) == len(twins) >= 12
    for twin in twins:
        assert not foreign(twin.item, twin.plain.texts[0], 0)
        assert foreign(twin.item, twin.twin.texts[0], 0)
        assert not foreign(twin.item, twin.item.turns[0], 0)


def test_wrong_answers_are_those_the_rule_calls_wrong() -> None:
    first, second = sums("a", 3), sums("b", 4)
    seen: list[tuple[Item, Answer]] = [
        (first, answer("答え: 3")),
        (first, answer("答え: 5")),
        (first, answer("3です。答え: 3")),
        (first, answer("答え: 6")),
        (second, answer("答え: 9")),
        (second, answer("答え: 4")),
        (ASKED, SAID),
    ]
    twins = planted(seen, 10)
    assert [twin.item.id for twin in twins] == ["a", "b", "a"]
    assert [twin.plain.texts[0] for twin in twins] == ["答え: 3", "答え: 4", "3です。答え: 3"]
    assert [twin.twin.texts[0] for twin in twins] == ["答え: 5", "答え: 9", "答え: 6"]
    assert len(planted(seen, 2)) == 2


def test_references_stand_in_where_every_model_was_right() -> None:
    items = [sums(str(n), n, f"答え: {n}") for n in range(3)]
    twins = planted([(item, answer(f"答え: {item.target}")) for item in items], 10)
    assert [(t.plain.texts[0], t.twin.texts[0]) for t in twins] == [
        ("答え: 0", "答え: 1"),
        ("答え: 1", "答え: 2"),
        ("答え: 2", "答え: 0"),
    ]
