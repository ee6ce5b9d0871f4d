"""Texts that look the same compare the same; texts that differ stay apart."""

from __future__ import annotations

import unicodedata

import pytest

from judges.japanese import content_words, dictionary, normalize, unify


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("東京。", "東京"),
        (" 「東京」 ", "東京"),
        ("『「東京」』。", "東京"),
        ("**東京**", "東京"),
        ("東京 都", "東京都"),
        ("東\u200b京", "東京"),
        ("３〜５", "3~5"),
        ("3～5", "3~5"),
        ("ｺｰﾋｰ", "コーヒー"),
        ("コ−ヒ－", "コーヒー"),
        ("−５", "-5"),
        ("ー5", "-5"),
        ("Ａ　Ｂ", "A B"),
        (unicodedata.normalize("NFD", "ガギグ"), "ガギグ"),
        ("10³", "10^3"),
        ("「", "「"),
        ("。", "。"),
        ("", ""),
    ],
)
def test_one_form(written: str, form: str) -> None:
    assert normalize(written) == form


@pytest.mark.parametrize(
    ("one", "other"),
    [("AB", "A B"), ("「東」と「西」", "東」と「西"), ("3.5", "35"), ("コーヒー", "コヒ")],
)
def test_different_texts_stay_apart(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)


def test_a_long_vowel_before_a_figure_is_no_minus() -> None:
    assert unify("コーヒー3杯") == "コーヒー3杯"
    assert unify("コスト−3") == "コスト-3"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("りんごを12個買いました。", ["りんご", "12", "買う"]),
        ("美しい花が、とても静かに咲いている", ["美しい", "花", "とても", "静か", "咲く"]),
        ("| A | ### ||", ["a"]),
        ("ＧＰＴと、ｹｰｷ", ["gpt", "ケーキ"]),
        ("…！？", []),
        ("", []),
    ],
)
def test_words_that_carry_the_content_in_their_dictionary_form(
    text: str, words: list[str]
) -> None:
    assert content_words(text) == words


def test_the_dictionary_has_a_name_and_a_version() -> None:
    name, version = dictionary().split()
    assert name == "ipadic"
    assert version.count(".") == 2
