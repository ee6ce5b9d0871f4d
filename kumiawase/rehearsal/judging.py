"""A simulated judge: it reads in its prompt what is asked and the worth of what is shown.

Of an answer it takes in nothing but the mark that its author could not forge, so nothing else an
answer says can move it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kumiawase.rehearsal import draws
from kumiawase.rehearsal.pool import POOR, Pool, SimModel, worth
from kumiawase.rehearsal.speech import voices
from kumiawase.rehearsal.verdicts import copied, points_earned

_ASKED = re.compile(r'\[\[\s*(?:n|[0-9]{1,2})\s*\]\]|"rating": n')
_RATE = re.compile(r"採点|評価|評点|rate|rating", re.IGNORECASE)
_FENCED = re.compile(r"──([^\n─]*)ここから\((\w+)\)──\n(.*?)\n──\1ここまで\(\2\)──", re.DOTALL)
_RANGE = re.compile(r"n\s*は\s*([0-9]+)\s*から\s*([0-9]+)\s*まで")

_COMPARE = re.compile(r'\[\[判定\]\]|"preference": 判定')
_SIDES = ("回答A", "回答B")
_REVIEW = "講評"
# Points of 10 up to which answers are as good and from which they are far apart; a comparison's
# noise as a share of a rating's. 11 % of the verdicts on members are ties then, and the orders
# agree on 79 %; in Rakuda's reviews by GPT-4 13 % are ties, and the orders agree on 81 to 85 %.
_EVEN, _FAR, _STEADIER = 0.3, 3.0, 0.5

_WORDS = (
    (0.85, "求められたことに過不足なく答え、言葉づかいも自然です。"),
    (0.65, "おおむね正しく役に立ちますが、わずかに物足りないところがあります。"),
    (0.45, "要点には触れていますが、抜けや不正確なところが見られます。"),
    (0.25, "役に立つ部分もありますが、目立つ誤りがあります。"),
    (0.0, "質問への答えとして成り立っていません。"),
)
_SIMULATED = "(模擬の採点者による評価です。)"


class _Shown(NamedTuple):
    """A text that stands in a fence, and what it is called there."""

    name: str
    text: str


def asked(message: str) -> bool:
    """Tell whether a user message asks for a verdict; what stands in a fence does not count."""
    outside = _FENCED.sub("", message)
    rating = _ASKED.search(outside) and _RATE.search(outside)
    comparison = _COMPARE.search(outside) and "B>>A" in outside
    return bool(rating or comparison)


def verdict(pool: Pool, judge: SimModel, message: str, body: object) -> str:
    """Return a short explanation and the verdict, in the form that is asked for.

    Rated is the last answer shown, from 1 to 10 where no other range is named, and point by point
    where criteria say what they earn; compared are all texts of two answers; a review that is
    shown is only copied from.

    Args:
        pool: The instance.
        judge: Who judges.
        message: What it is shown.
        body: What its noise depends on.
    """
    shown = [_Shown(found[1], found[3]) for found in _FENCED.finditer(message)]
    outside = _FENCED.sub("", message)
    noise = judge.verdict_sd * draws.normal(pool.seed, "verdict", judge.name, body)
    if shown and shown[-1].name == _REVIEW:
        return copied(shown[-1].text, outside)
    if shown and shown[-1].name in _SIDES:
        sides = ([one.text for one in shown if one.name == side] for side in _SIDES)
        first, second = (_liked(judge, texts) for texts in sides)
        return _compared(first - second + _STEADIER * noise)
    # A person may ask without a fence; then the whole message is what there is.
    return _rated(_liked(judge, [shown[-1].text if shown else message]) + noise, outside)


def _liked(judge: SimModel, texts: Sequence[str]) -> float:
    """Return what texts are worth to a judge, 0-10, before its noise."""
    found = [voice for text in texts for voice in voices(text)]
    taste = judge.tastes[found[0].family] if found else 0.0
    margins = np.array([voice.margin for voice in found] or [POOR])
    return float(worth(margins).mean()) + taste


def _rated(liked: float, outside: str) -> str:
    named = _RANGE.search(outside)
    low, high = (int(named[1]), int(named[2])) if named else (1, 10)
    rating = int(np.clip(np.rint(liked * high / 10), low, high))
    earned = points_earned(outside, rating)
    if earned is not None:
        total = min(sum(earned), high)
        return f"{'+'.join(map(str, earned)) or '0'}={total}{_SIMULATED}\n\n[[{total}]]"
    words = next(words for least, words in _WORDS if rating / high >= least)
    return f"{words}{_SIMULATED}\n\n[[{rating}]]"


def _compared(ahead: float) -> str:
    if abs(ahead) < _EVEN:
        return f"どちらも同じくらいの出来です。{_SIMULATED}\n\n[[A=B]]"
    better, worse = "AB" if ahead > 0 else "BA"
    far = abs(ahead) >= _FAR
    words = f"回答{better}のほうが{'はるかに' if far else ''}優れています。"
    return f"{words}{_SIMULATED}\n\n[[{better}{'>>' if far else '>'}{worse}]]"
