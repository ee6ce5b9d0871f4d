"""A simulated judge: it reads the worth of the answer in its prompt and rates it, with noise."""

from __future__ import annotations

import re

import numpy as np

from kumiawase.rehearsal import draws
from kumiawase.rehearsal.pool import POOR, Pool, SimModel, worth
from kumiawase.rehearsal.speech import voices

_ASKED = re.compile(r"\[\[\s*(?:n|[0-9]{1,2})\s*\]\]")
_RATE = re.compile(r"採点|評価|評点|rate|rating", re.IGNORECASE)
_FENCED = re.compile(r"ここから\((\w+)\)──\n(.*?)\n──[^\n]*ここまで\(\1\)", re.DOTALL)

_WORDS = (
    (9, "求められたことに過不足なく答え、言葉づかいも自然です。"),
    (7, "おおむね正しく役に立ちますが、わずかに物足りないところがあります。"),
    (5, "要点には触れていますが、抜けや不正確なところが見られます。"),
    (3, "役に立つ部分もありますが、目立つ誤りがあります。"),
    (0, "質問への答えとして成り立っていません。"),
)


def asked(message: str) -> bool:
    """Tell whether a user message asks for a rating; what stands in a fence does not count."""
    outside = _FENCED.sub("", message)
    return bool(_ASKED.search(outside) and _RATE.search(outside))


def verdict(pool: Pool, judge: SimModel, message: str, body: object) -> str:
    """Return a short explanation and the rating, `[[1]]` to `[[10]]`.

    Only the last fenced answer counts, and of it nothing but what its author could not forge.

    Args:
        pool: The instance.
        judge: Who rates.
        message: What it is shown.
        body: What its noise depends on.
    """
    fenced = _FENCED.findall(message)
    found = voices(fenced[-1][1] if fenced else message)
    taste = judge.tastes[found[0].family] if found else 0.0
    margins = np.array([voice.margin for voice in found] or [POOR])
    noise = judge.verdict_sd * draws.normal(pool.seed, "verdict", judge.name, body)
    rating = int(np.clip(np.rint(worth(margins).mean() + taste + noise), 1, 10))
    words = next(words for least, words in _WORDS if rating >= least)
    return f"{words}(模擬の採点者による評価です。)\n\n[[{rating}]]"
