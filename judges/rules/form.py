"""The rule `format`: whether a text keeps to the form that was asked for.

Verifiable instructions in the manner of IFEval (Zhou et al. 2023, arXiv 2311.07911).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from data.suites.item import Item
from judges.japanese import unify
from judges.rules.kind import Kind, Options, Seen, is_anything, is_texts, share, texts

_BULLET = re.compile(  # **bold**, ---, -5, 1.5, 10:30 and 2、3 begin lines of prose as well
    r"^[ \t\u3000]*(?:[*+][ \t\u3000]+(?![*+])|-(?![ \t]*-|[0-9])|[•・●○◦▪■□◆‣]"
    r"|[(（]?[0-9０-９]{1,3}(?:[)）]|(?:[.．]|\s?[、:：])(?![0-9０-９])))[ \t\u3000]*\S"
    r"|^[ \t\u3000]*[①-⑳❶-❿]",
    re.MULTILINE,
)
_NUMBERED = re.compile(r"^[ \t\u3000]*[0-9０-９]{1,3}\.(?=\s)", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?:[。！？!?]++|\.(?=\s|$))(?![」』)）】])|\n+")
_BLANK_LINES = re.compile(r"\n[ \t\u3000]*\n")
_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_LETTER = re.compile(r"[^\W\d_]")
_SIGN = re.compile(r"\w")

_HIRAGANA, _KATAKANA, _LATIN = "[ぁ-ゖ]", "[ァ-ヺ]", "[A-Za-z]"
_KANJI = "[々〆〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
_LONG_VOWEL = "ー"

SCRIPTS: Final[Mapping[str, tuple[str, bool]]] = {
    "hiragana": (f"{_HIRAGANA}|{_LONG_VOWEL}", True),
    "katakana": (f"{_KATAKANA}|{_LONG_VOWEL}", True),
    "kana": (f"{_HIRAGANA}|{_KATAKANA}|{_LONG_VOWEL}", True),
    "latin": (_LATIN, True),
    "no_kanji": (_KANJI, False),
    "no_hiragana": (_HIRAGANA, False),
    "no_katakana": (_KATAKANA, False),
    "no_latin": (_LATIN, False),
}
"""Demand → the letters it is about, and whether all letters are to be such or none."""


def characters(text: str) -> int:
    """Return how many signs a text has as Japanese counts them: marks count, blanks do not."""
    return len("".join(_HIDDEN.sub("", unicodedata.normalize("NFC", text)).split()))


def list_lines(text: str) -> int:
    """Return how many lines of a text begin with a bullet or a number, as those of lists do."""
    return len(_BULLET.findall(text))


def _sentences(text: str) -> int:
    parts = _SENTENCE_END.split(_NUMBERED.sub("", text))
    return sum(bool(_SIGN.search(part)) for part in parts)


def _paragraphs(text: str) -> int:
    return sum(bool(_SIGN.search(part)) for part in _BLANK_LINES.split(text))


def _lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


COUNTS: Final[Mapping[str, Callable[[str], int]]] = {
    "characters": characters,
    "items": list_lines,
    "sentences": _sentences,
    "paragraphs": _paragraphs,
    "lines": _lines,
}
"""What may be counted: signs, bullets or numbered lines, sentences, paragraphs, lines."""


def _format(rule: Options, _item: Item, answer: str) -> Seen:
    answer = answer.strip()
    checks = {
        f"{name} {number}": _within(number, rule[name])
        for name, count in COUNTS.items()
        if name in rule
        for number in [count(answer)]
    }
    for demand in texts(rule.get("script", ())):
        checks[f"script {demand}"] = _written(demand, answer)
    found = _searchable(answer)
    for word in texts(rule.get("keywords", ())):
        checks[f"lacks {word}"] = _holds(found, word)
    for word in texts(rule.get("forbidden", ())):
        checks[f"holds {word}"] = not _holds(found, word)
    return share(checks)


def _within(number: int, bounds: Mapping[str, int]) -> bool:
    return bounds.get("min", 0) <= number <= bounds.get("max", number)


def _written(demand: str, text: str) -> bool:
    pattern, wanted = SCRIPTS[demand]
    letters = _LETTER.findall(unicodedata.normalize("NFKC", text))
    hits = sum(bool(re.fullmatch(pattern, letter)) for letter in letters)
    return hits == len(letters) > 0 if wanted else hits == 0


def _searchable(text: str) -> str:
    return unify(text).casefold()


def _holds(text: str, word: str) -> bool:
    """Whether a word stands in a text; one in Latin letters not inside another."""
    sought = re.escape(_searchable(word))
    edge = "[a-z0-9]" if word.isascii() else "(?!)"
    return re.search(rf"(?<!{edge}){sought}(?!{edge})", text) is not None


def _bounds(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if not isinstance(value, Mapping) or not value or not value.keys() <= {"min", "max"}:
        return False
    if not all(type(bound) is int and bound >= 0 for bound in value.values()):
        return False
    return bool(value.get("min", 0) <= value.get("max", value.get("min", 0)))


def _demands(value: object) -> bool:
    return (
        is_texts(value)
        and isinstance(value, str | list | tuple)
        and (set(texts(value)) <= SCRIPTS.keys())
    )


def _misfit(rule: Options, _item: Item) -> str:
    if len(rule) < 2:
        return "it asks for nothing"
    both = set(texts(rule.get("keywords", ()))) & set(texts(rule.get("forbidden", ())))
    return f"{min(both)!r} is wanted and forbidden" if both else ""


KINDS: Final = {
    "format": Kind(
        _format,
        {
            **dict.fromkeys(COUNTS, _bounds),
            "script": _demands,
            "keywords": is_texts,
            "forbidden": is_texts,
        },
        is_anything,
        "anything",
        _misfit,
    )
}
