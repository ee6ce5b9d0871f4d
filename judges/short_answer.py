"""The short answer at the end of a text, and how near it is to an accepted one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from judges.japanese import normalize, unify
from judges.numerals import segments

_CITATIONS = re.compile(r"(?:\s?\[[^\[\]\n]{1,12}\]){1,9}[。.]?$")
_ASIDE = re.compile(r"\([^()]*\)")
_COPULA = re.compile(r"(?:です|でした|である|だ)$")
_EMPHASIS = "*_` "


def read_short(answer: str) -> str:
    """Return the line behind the last answer marker, or the last line where there is none.

    Cited documents behind it and marks of emphasis around it are left out.
    """
    text = unify(answer)
    for part in segments(text):
        if found := _bare(part.partition("\n")[0]):
            return found
    lines = filter(None, map(_bare, reversed(text.splitlines())))
    return next(lines, "")


def agrees(read: str, accepted: Iterable[str]) -> bool:
    """Whether what was read is an accepted answer.

    Written the same but for `normalize`, a copula behind it (…です) and what stands in brackets
    in one of the two (梅雨(つゆ)).
    """
    said = set(_said(read))
    return any(said & set(_written(text)) for text in accepted)


def overlap(read: str, accepted: Iterable[str]) -> float:
    """Return the share of signs that agree, 0 to 1: JSQuAD's F1 over characters, the best one."""
    pairs = ((a, b) for text in accepted for a in _said(read) for b in _written(text))
    return max((f1(_solid(a), _solid(b)) for a, b in pairs), default=0.0)


def _said(read: str) -> Iterator[str]:
    yield from _written(read)
    yield from _written(_COPULA.sub("", normalize(read)))


def _written(text: str) -> Iterator[str]:
    for form in (text, _ASIDE.sub("", unify(text))):
        if found := normalize(form):
            yield found


def _bare(line: str) -> str:
    bare = line.strip(_EMPHASIS)
    return _CITATIONS.sub("", bare).strip(_EMPHASIS) or bare


def f1(read: Sequence[str], gold: Sequence[str]) -> float:
    """Return twice what two have in common over what both have, each counted as often as it is."""
    common = (Counter(read) & Counter(gold)).total()
    return 2 * common / (len(read) + len(gold)) if common else 0.0


def _solid(text: str) -> str:
    return text.replace(" ", "")
