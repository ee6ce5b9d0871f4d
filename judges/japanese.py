"""Japanese text in the one form in which two texts can be compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Protocol

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_DASHES = re.compile("[\u2010-\u2015\u2212\u2500\u2501\ufe58\ufe63]")
_TILDES = re.compile("[\u301c\u223c\u223e\uff5e]")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴-⁹⁻]+")

# One sign stands for the long vowel and for the minus, typed as either: behind a kana it
# lengthens the vowel, unless it is a dash with a figure behind it.
_LONG_VOWEL = re.compile(r"(?<=[ァ-ヺー])-(?![0-9])")
_MINUS = re.compile(r"(?<![ぁ-ゖァ-ヺー])ー")

_CJK = "\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_LOOSE_SPACE = re.compile(rf"(?<=[{_CJK}]) | (?=[{_CJK}])")

_SIGN = re.compile(r"\w")

_CONTENT = ("名詞", "動詞", "形容詞", "副詞")
_EMPTY_NOUNS = ("非自立", "代名詞", "接尾")

_PAIRS = {
    "「": "」", "『": "』", "【": "】", "〈": "〉", "《": "》", "〔": "〕", "(": ")", "[": "]",
    "“": "”", "‘": "’", '"': '"', "'": "'", "`": "`", "*": "*",
}  # fmt: skip


def unify(text: str) -> str:
    """Return the text with one code point for each sign; lines stay as they are.

    NFKC (half-width kana, full-width figures and letters, decomposed dakuten), and what NFKC
    leaves apart: wave dashes, minus signs and long-vowel marks. Superscripts become `^n`, so
    that 10³ is not read as 103; invisible characters are dropped.
    """
    text = _SUPERSCRIPTS.sub(lambda m: "^" + unicodedata.normalize("NFKC", m[0]), text)
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    text = _TILDES.sub("~", _DASHES.sub("-", text))
    return _MINUS.sub("-", _LONG_VOWEL.sub("ー", text))


def normalize(text: str) -> str:
    """Return the form in which two short answers are compared.

    `unify`, blanks that Japanese does not write removed, others one space, and the quotation
    marks, brackets, emphasis and full stops around the whole removed.
    """
    text = _LOOSE_SPACE.sub("", re.sub(r"\s+", " ", unify(text)).strip())
    for _ in range(8):
        bare = text.rstrip("。. ").strip()
        if len(bare) > 1 and _PAIRS.get(bare[0]) == bare[-1] and _encloses(bare):
            bare = bare[1:-1].strip()
        if not bare or bare == text:
            break
        text = bare
    return text


def content_words(text: str) -> list[str]:
    """Return the words of a text that carry its content, in their dictionary form.

    Nouns with figures, verbs, adjectives and adverbs, cut by MeCab with the ipadic dictionary;
    particles, auxiliaries, pronouns, counters and signs are left out.
    """
    return [_base(word) for word in _tagger()(unify(text)) if _carries(word)]


def words(text: str) -> list[str]:
    """Return all words of a text as they are written, cut by MeCab with ipadic; no signs."""
    return [word.surface for word in _tagger()(unify(text)) if _SIGN.search(word.surface)]


def dictionary() -> str:
    """Return the dictionary that decides what a word is, with its version."""
    return f"ipadic {version('ipadic')}"


class _Word(Protocol):
    surface: str
    feature: Sequence[str]


@cache
def _tagger() -> Callable[[str], Iterable[_Word]]:
    # Tens of milliseconds and megabytes that only those pay who cut words.
    import ipadic
    from fugashi import GenericTagger

    tagger: Callable[[str], Iterable[_Word]] = GenericTagger(ipadic.MECAB_ARGS)
    return tagger


def _carries(word: _Word) -> bool:
    kind, sort, *_ = word.feature
    # ipadic takes signs it does not know, such as | or ##, for nouns.
    return kind in _CONTENT and sort not in _EMPTY_NOUNS and bool(_SIGN.search(word.surface))


def _base(word: _Word) -> str:
    base = word.feature[6]
    return (word.surface if base == "*" else base).lower()


def _encloses(text: str) -> bool:
    """Whether the last sign closes the first one: not so in 「東」と「西」."""
    return text[-1] not in text[1:-1] and text[0] not in text[1:-1] or text[0] * 2 == text[:2]
