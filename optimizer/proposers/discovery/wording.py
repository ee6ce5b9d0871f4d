"""Aggregation prompts that a model wrote: which of them an aggregator may read.

A prompt is text and stays text: the references are put behind its last line, nothing in it is
filled in or evaluated (moa.engine.inject). So it must end with the line that announces them, and
must hold nothing that a chat template, a judge or a reader of placeholders would understand.
"""

from __future__ import annotations

import re
from functools import cache

from judges.forgery import forgeries
from judges.scripts import scripts
from judges.verdict import neutralise
from moa import prompts
from optimizer.proposers.discovery.faults import Fault

SHORTEST, LONGEST = 40, 2000  # characters
JAPANESE, KANA = 0.5, 0.1  # least shares in a Japanese prompt; with less kana it is Chinese
LATIN = 0.9  # least share of Latin letters in an English one

_PLACEHOLDER = re.compile(r"\{\{|\{[^\W\d]\w*\}|\{\d*\}|\{\d*[.\[!:][^{}\n]*\}|%\(\w+\)s|\$\{")
_TO_JUDGES = re.compile(
    r"採点|評点|満点|評価者|審査員|最高点|高得点"
    r"|\b(?:the|a|any)\s+(?:judge|grader|rater|evaluator)s?\b|\b10\s*/\s*10\b"
    r"|\b(?:full|top|highest|perfect)\s+(?:marks?|scores?|ratings?)\b",
    re.IGNORECASE,
)


@cache
def headers() -> tuple[str, ...]:
    """Return the lines that announce the references, as our own prompts end with them."""
    return tuple(prompts.text(name).rsplit("\n", 1)[-1] for name in prompts.AGGREGATE)


def tidied(text: str) -> str:
    """Return the text by whose digest it is known: line ends as ours, no blanks around it."""
    return text.replace("\r\n", "\n").strip()


def fault(text: str) -> Fault | None:
    """Return why a tidied text is no aggregation prompt, or None."""
    if not SHORTEST <= len(text) <= LONGEST:
        bounds = {"shortest": SHORTEST, "longest": LONGEST}
        return Fault("prompt_length", f"the prompt has {len(text)} characters", bounds)
    if _PLACEHOLDER.search(text):
        return Fault("prompt_placeholder", "nothing is filled in; the references follow by number")
    if _TO_JUDGES.search(text) or {"verdict", "instruction"} & set(forgeries(text)):
        return Fault("prompt_judge", "the prompt speaks of scoring; it is read by an aggregator")
    if neutralise(text) != text:
        return Fault("prompt_marks", "the prompt holds control signs, template tokens or [[…]]")
    if text.rsplit("\n", 1)[-1] not in headers():
        return Fault("prompt_form", "the last line must announce the answers", list(headers()))
    return _language(text)


def _language(text: str) -> Fault | None:
    found = scripts(text)
    japanese = found.japanese >= JAPANESE and found.share(found.kana) >= KANA
    if japanese or _latin(text):
        return None
    return Fault("prompt_language", "the prompt is neither Japanese nor English", ["ja", "en"])


def _latin(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return sum(char.isascii() for char in letters) >= LATIN * len(letters) > 0
