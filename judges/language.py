"""Whether an answer is in the language that was expected, told without a judge.

Judges differ widely in what an answer in English to a question in Japanese is worth to them
(docs/design/judging.md), so it is seen here, and no judge is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from data.digest import digest
from data.suites.item import Item
from judges.score import Judge, Score
from judges.scripts import Scripts, scripts
from judges.structured import find_calls
from moa.answer import Answer

LANGUAGE_VERSION: Final = "1"
"""Part of a judge's digest: changes with what counts as another language."""

OFF_LANGUAGE: Final = "not in the language expected"

NO_PROSE: Final = frozenset({"exact", "numeric", "choice", "json", "json_schema", "function_call"})
"""Rules whose answers are in no language."""

ENOUGH: Final = 40
"""Letters from which a text shows what language it is in."""

_LITTLE = 0.05
_NO_KANA, _CHINESE = 0.02, 0.02
_LATIN = frozenset({"en", "de", "fr", "es", "it", "pt", "nl", "id", "vi"})

_NAMED = (
    r"(?:英|中国|韓国|朝鮮|フランス|仏|ドイツ|独|スペイン|イタリア|ポルトガル|ロシア|ラテン|外国)語"
    r"|英文|ローマ字|アルファベット"
)
_ASKED = re.compile(
    rf"(?:{_NAMED})(?:[でにへの版訳]|と日本語)"
    r"|英[単熟]語|英訳|英作文|仏訳|独訳|中訳|韓訳|[訳や]を英|原[文語題]|翻訳|通訳|訳して"
    r"|translat|in english",
    re.IGNORECASE,
)
_ASKED_JAPANESE = re.compile(r"日本語(?:で|に|へ|訳)|和訳|japanese|翻訳|translat", re.IGNORECASE)


def foreign(item: Item, text: str, turn: int) -> bool:
    """Whether a turn's text is clearly in another language than was expected.

    Expected is the item's `language`. Short texts, programs, formulas and bare figures are in
    none. Told are: for Japanese, sentences in Latin letters with next to no kana or kanji, and
    kanji without kana among which are signs of simplified Chinese, or another script; for
    languages in Latin letters, Korean and Chinese, texts that hold next to nothing of their
    script. Which of two languages in Latin letters it is, is not told.

    Never told are answers to items that a rule reads where words do not matter, to questions
    that ask for another language, or whose reference is in one, and calls of a tool.

    Args:
        item: What was asked.
        text: What was answered, without reasoning.
        turn: Which turn it answers, from 0.
    """
    names = frozenset(_tool_names(item))
    if not _is_foreign(item.language, scripts(text, names)) or _exempt(item, turn):
        return False
    return not (item.tools and find_calls(text))


def is_foreign(language: str, text: str) -> bool:
    """Whether a text is clearly in another language than the one named (ISO 639-1)."""
    return _is_foreign(language, scripts(text))


def mixed(text: str) -> bool:
    """Whether a text slips into signs that neither Japanese nor Latin writes, ten or more."""
    found = scripts(text)
    return found.kana > 0 and max(found.simplified, found.hangul, found.other) >= 10


class LanguageGate:
    """A judge that is not asked about turns in another language: they are worth nothing.

    Attributes:
        judge: The judge behind it.
    """

    def __init__(self, judge: Judge) -> None:
        """Put the gate before a judge."""
        self.judge = judge
        self.name = judge.name

    @property
    def digest(self) -> str:
        """Digest of the gate's version and of the judge behind it."""
        return digest({"language": LANGUAGE_VERSION, "judge": self.judge.digest})

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return the judge's scores; a turn in another language is to it an empty one.

        Where all turns are, the item is worth 0 and costs no call.

        Raises:
            RequestError: The judge's endpoint failed.
            BudgetSpentError: A verdict could not be paid.
            UserError: Only the user can mend what is wrong.
        """
        turns = list(enumerate(answer.texts))
        kept = tuple("" if foreign(item, text, turn) else text for turn, text in turns)
        if kept == answer.texts:
            return await self.judge.score(item, answer)
        if not any(text.strip() for text in kept):
            return (Score(self.name, 0.0, explanation=OFF_LANGUAGE),)
        first, *others = await self.judge.score(item, replace(answer, texts=kept))
        gone = ", ".join(str(turn + 1) for turn, text in turns if kept[turn] != text)
        told = f"turn {gone}: {OFF_LANGUAGE}\n\n{first.explanation}"
        return (replace(first, explanation=told), *others)


def _is_foreign(language: str, found: Scripts) -> bool:
    if language == "ja":
        return _not_japanese(found)
    if found.letters < ENOUGH:
        return False
    if language == "zh":
        return found.share(found.kanji) < _LITTLE or found.share(found.kana) > 0.2
    if language == "ko":
        return found.share(found.hangul) < _LITTLE
    return language in _LATIN and found.share(found.latin) < _LITTLE


def _not_japanese(found: Scripts) -> bool:
    if found.share(found.kana) < _NO_KANA and found.simplified > _CHINESE * max(
        found.kanji, ENOUGH
    ):
        return True
    if found.japanese >= _LITTLE:
        return False
    return max(found.prose, found.hangul, found.other) >= ENOUGH


def _exempt(item: Item, turn: int) -> bool:
    if item.rule is not None and item.rule["kind"] in NO_PROSE:
        return True
    asked = _ASKED if item.language == "ja" else _ASKED_JAPANESE
    if any(asked.search(text) for text in item.turns[: turn + 1]):
        return True
    return turn < len(item.reference) and is_foreign(item.language, item.reference[turn])


def _tool_names(item: Item) -> Iterator[str]:
    for tool in item.tools:
        function = tool.get("function", tool)
        if isinstance(name := function.get("name"), str):
            yield name
        parameters = function.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
        yield from properties if isinstance(properties, Mapping) else ()
