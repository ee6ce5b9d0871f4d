"""The rule `grounded`: what an answer cites exists, and what it quotes stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from data.suites.item import Item
from judges.japanese import normalize, unify
from judges.rules.kind import Kind, Options, Seen, is_anything, is_texts, share, short, texts

_BRACKETS = re.compile(r"[\[【〔]([^\[\]【】〔〕\n]{1,80})[\]】〕](?!\()")
_BETWEEN = re.compile(r"\s*[,、;・/&]\s*|\s+")
_RANGE = re.compile(r"([0-9]{1,4})\s?[-~]\s?([0-9]{1,4})")
_NAMED = re.compile(
    r"^(?:文書|資料|文献|出典|参考|参照|根拠|source|document|doc|ref)\.?\s?[:#]?\s?", re.IGNORECASE
)
_FIGURES = re.compile("[0-9]+")
_QUOTES = re.compile(r"「([^「」\n]{1,400})」|『([^『』\n]{1,400})』|\"([^\"\n]{1,400})\"")
_SIGN = re.compile(r"\w")
_CLAIM = 10
"""Signs from which words in quotation marks are a quotation, and not a term or a title."""
_MOST_RANGE = 50


def _grounded(rule: Options, item: Item, answer: str) -> Seen:
    ids = {_id(document.id) for document in item.documents}
    cited, wanted = cited_ids(answer, ids), [_id(one) for one in texts(rule.get("cites", ()))]
    checks = {f"[{one}] is no document": one in ids for one in cited}
    checks |= {f"[{one}] is not cited": one in cited for one in wanted}
    if not cited and not wanted:
        checks["nothing is cited"] = False
    quotes = _claims(answer, item.turns)
    source = "\n".join(_bare(f"{document.title}\n{document.text}") for document in item.documents)
    checks |= {f"「{short(quote)}」 stands in no document": quote in source for quote in quotes}
    for number in range(len(quotes), rule.get("quotes", 0)):
        checks[f"quotation {number + 1} is missing"] = False
    return share(checks)


def cited_ids(answer: str, ids: Iterable[str]) -> list[str]:
    """Return what an answer cites in square brackets, each once.

    `[1]`, `[1, 2]`, `[1-3]`, `[資料2]`, `【1】`. What is in brackets without being like the id of
    a document, figures aside, is no citation: [注], [ ], [text](address).
    """
    shapes = set(map(_shape, ids))
    found: dict[str, None] = {}
    for match in _BRACKETS.finditer(unify(answer)):
        whole = _id(match[1])
        parts = [whole] if _shape(whole) in shapes else _BETWEEN.split(match[1])
        for part in parts:
            for one in _spread(_id(part)):
                if _shape(one) in shapes:
                    found[one] = None
    return list(found)


def _shape(text: str) -> str:
    """Return a text without its figures; a year is never taken for the number of a document."""
    return _FIGURES.sub(lambda figure: "0" if len(figure[0]) < 4 else "0000", text)


def _spread(text: str) -> list[str]:
    if (ends := _RANGE.fullmatch(text)) is None:
        return [text]
    first, last = int(ends[1]), int(ends[2])
    if not first < last <= first + _MOST_RANGE:
        return [ends[1], ends[2]]
    return [str(number) for number in range(first, last + 1)]


def _id(text: str) -> str:
    bare = normalize(text)
    return _NAMED.sub("", bare) or bare


def _claims(answer: str, turns: Iterable[str]) -> list[str]:
    """Return what is quoted, each once; words of the question are no claim."""
    asked = _bare("\n".join(turns))
    quoted = (_bare(next(filter(None, groups))) for groups in _QUOTES.findall(answer))
    return [q for q in dict.fromkeys(quoted) if len(q) >= _CLAIM and q not in asked]


def _bare(text: str) -> str:
    """Return a text as its letters and figures: marks and blanks differ without a meaning."""
    return "".join(_SIGN.findall(unify(text)))


def _misfit(rule: Options, item: Item) -> str:
    if not item.documents:
        return "the item has no documents"
    unknown = set(texts(rule.get("cites", ()))) - {document.id for document in item.documents}
    return f"`cites` names {min(unknown)!r}, no document of the item" if unknown else ""


KINDS: Final = {
    "grounded": Kind(
        _grounded,
        {"cites": is_texts, "quotes": lambda v: type(v) is int and 0 < v <= 100},
        is_anything,
        "anything",
        _misfit,
    )
}
