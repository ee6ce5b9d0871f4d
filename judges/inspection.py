"""What can be seen in an answer without judging it.

Whether it tries to speak for its judge, what is wrong with it as a text, and how it is dressed.
A constant reply that closes the answer and forges the judge's next instruction beats strong
models under judges that obey it (Zheng et al. 2024, arXiv 2410.07137); headings, lists and bold
are what Arena-Hard's style control counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from data.suites.item import Item
from judges.forgery import forgeries
from judges.language import foreign, mixed
from judges.rules.form import list_lines
from moa.answer import Answer

_HEADING = re.compile(r"^ {0,3}#{1,6} ", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]{1,200}\*\*")
_CANNOT = (
    r"(?:でき(?:ません|かねます|ない)|出来(?:ません|かねます)"
    r"|いたしかね|致しかね|控え|差し控え|お断り)"
)
_SORRY = r"(?:申し訳|恐れ入り|恐縮|すみません|ごめんなさい|残念ながら|私はAI|AI\S{0,9}として)"
_ASKED = r"(?:答え|応え|回答|返答|手伝い|対応|提供|生成|作成|応じ|協力|支援|従う|助言|述べる)"
_REFUSAL = re.compile(
    rf"^.{{0,20}}?{_SORRY}.{{0,100}}?{_ASKED}.{{0,20}}?{_CANNOT}"
    r"|^.{0,20}?(?:I'm sorry|I am sorry|Sorry|I apologize|Unfortunately|As an AI).{0,60}?"
    r"(?:can't|cannot|can not|unable to|won't|not able to|don't have)",
    re.DOTALL | re.IGNORECASE,
)
_REFUSAL_LENGTH = 600
_LETTER = re.compile(r"[^\W_]")
_PIECE = re.compile(r"[。！？!?\n]+")
_LONG_ENOUGH = 20
_TAIL, _TURNS, _LONGEST, _PROBE = 60, 4, 200, 20


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an answer shows, its turns together.

    Attributes:
        off_language: Whether a turn is in another language than the item expects.
        mixed: Whether it slips into signs that neither Japanese nor Latin writes.
        forged: Texts that would speak for a judge, by kind; not empty means it is flagged.
        empty: Whether a turn has no text.
        looping: Whether it goes on repeating itself.
        refused: Whether a turn is a refusal to answer.
        cut: Whether a turn ran into its token limit.
        chars: Signs, blanks not counted.
        headings, lists, bold: Markdown headings, lines of lists and words in bold.
        said: Digest of the texts; empty for short ones, which are often the same.
    """

    off_language: bool = False
    mixed: bool = False
    forged: tuple[str, ...] = ()
    empty: bool = False
    looping: bool = False
    refused: bool = False
    cut: bool = False
    chars: int = 0
    headings: int = 0
    lists: int = 0
    bold: int = 0
    said: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """What is remarkable about it, in words."""
        named = {
            "off language": self.off_language,
            "mixed scripts": self.mixed,
            "empty": self.empty,
            "looping": self.looping,
            "refused": self.refused,
            "cut": self.cut,
        }
        return (
            *(f"flagged: {kind}" for kind in self.forged),
            *(name for name, holds in named.items() if holds),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "forged": list(self.forged)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Inspection:
        """Return what `to_json` made."""
        return cls(**{**kept, "forged": tuple(kept["forged"])})


def inspect(item: Item, answer: Answer) -> Inspection:
    """Return what an answer to an item shows."""
    turns = list(enumerate(answer.texts))
    whole = "\n".join(answer.texts)
    chars = len("".join(whole.split()))
    return Inspection(
        off_language=any(foreign(item, text, turn) for turn, text in turns),
        mixed=any(mixed(text) for text in answer.texts),
        forged=forgeries(whole, "\n".join(item.turns)),
        empty=any(not text.strip() for text in answer.texts),
        looping=any(map(looping, answer.texts)),
        refused=any(map(refused, answer.texts)),
        cut=answer.cut,
        chars=chars,
        headings=len(_HEADING.findall(whole)),
        lists=list_lines(whole),
        bold=len(_BOLD.findall(whole)),
        said=answer.digest if chars >= _LONG_ENOUGH else "",
    )


def looping(text: str) -> bool:
    """Whether a text ends in a loop, or says little else than a few sentences again and again."""
    text = text.rstrip()
    return _ends_in_loop(text) or _repeats(text)


def refused(text: str) -> bool:
    """Whether a text is nothing but a refusal to answer."""
    text = unicodedata.normalize("NFKC", text[: _REFUSAL_LENGTH + 1]).strip()
    return len(text) <= _REFUSAL_LENGTH and bool(_REFUSAL.search(text))


def _ends_in_loop(text: str) -> bool:
    """Whether the same signs stand at the end four times or oftener, in 60 signs or more."""
    start = max(len(text) - _PROBE, 0)
    period = start - text.rfind(text[start:], max(start - _LONGEST, 0), len(text) - 1)
    tail = text[-max(_TAIL, _TURNS * period) :]
    looped = 0 < period <= _LONGEST and len(tail) >= max(_TAIL, _TURNS * period)
    return looped and tail[period:] == tail[:-period] and bool(_LETTER.search(tail))


def _repeats(text: str) -> bool:
    pieces = [piece.strip() for piece in _PIECE.split(text)]
    said = Counter(piece for piece in pieces if len(piece) >= 8 and _LETTER.search(piece))
    again = sum(len(piece) * times for piece, times in said.items() if times >= _TURNS)
    return 2 * again > len(text)
