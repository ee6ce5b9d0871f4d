"""Scripts are counted letter by letter, without what is no prose."""

from __future__ import annotations

import pytest

from judges.scripts import Scripts, scripts, simplified_only

NOTHING = Scripts(0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "kana", "kanji", "simplified", "hangul", "latin", "other"),
    [
        ("東京はよい所だ", 4, 3, 0, 0, 0, 0),
        ("ｺｰﾋｰとＣｏｆｆｅｅ", 5, 0, 0, 0, 6, 0),
        ("东京是中国的首都吗", 0, 9, 2, 0, 0, 0),
        ("안녕 mundo", 0, 0, 0, 2, 5, 0),
        ("Привет α", 0, 0, 0, 0, 0, 7),
        ("人々〆〇", 0, 4, 0, 0, 0, 0),
        ("123 +-。、", 0, 0, 0, 0, 0, 0),
        ("東\u200b京", 0, 2, 0, 0, 0, 0),
    ],
)
def test_letters_by_script(
    text: str, kana: int, kanji: int, simplified: int, hangul: int, latin: int, other: int
) -> None:
    found = scripts(text)
    seen = (found.kana, found.kanji, found.simplified, found.hangul, found.latin, found.other)
    assert seen == (kana, kanji, simplified, hangul, latin, other)


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint('hello')\n```",
        "```\nnever closed, to the end of it all",
        "`x = y`",
        "$E = mc^2$ \\(a+b\\) \\[c\\] $$d$$",
        "https://example.com/a?b=c someone@example.com",
        "def add(a, b):\n    return a + b;",
        "<p class='a'></p>",
        "<!DOCTYPE html>\n<html>\n<script>jokes = ['Why did it cross?']\n</script></html>",
        '{\n  "name": "Alice",\n}',
        "x = compute(y)",
        "# comment of a script",
    ],
)
def test_programs_formulas_and_addresses_have_no_letters(text: str) -> None:
    assert scripts(text) == NOTHING


def test_names_that_have_to_be_written_so_are_left_out() -> None:
    assert scripts("get_weather で", frozenset({"get_weather"})).latin == 0


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("The quick brown fox jumps over the dog.", 31),
        ("y = (3/4)x^3 - e^(2x) + sin(pi*x) - sqrt(7)", 0),
        ("iPhone, Galaxy, Pixel", 0),
        ("これは OpenAI の API です", 0),
    ],
)
def test_prose_is_words_in_a_row(text: str, prose: int) -> None:
    assert scripts(text).prose == prose


def test_signs_of_chinese_alone() -> None:
    signs = simplified_only()
    assert len(signs) == 2275
    assert signs >= set("们这东业吗还边给")
    # Signs that Chinese simplified and Japanese writes as well, and shared ones.
    assert not signs & set("国学会体来台万写声医担旧虫点当党区号尽励")


@pytest.mark.parametrize("part", ["a", "a b ", "def a\n", "$", "<", "@", "`", "{\n", "\\("])
def test_a_hostile_text_is_counted_as_well(part: str) -> None:
    # Where a pattern took the square of the length this would not end.
    assert scripts(part * 8_000 + "\n東京").kanji in {0, 2}
