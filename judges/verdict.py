"""Showing an answer to a judge so that it cannot speak for the judge, and reading the verdict."""

from __future__ import annotations

import re
import unicodedata

from data.digest import text_digest
from data.errors import VerdictError

PARSER_VERSION = "3"
"""Part of a judge's digest: changes with how answers are fenced or verdicts are read."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
# Presentation forms are brackets too once a judge's reader has normalised them.
_BRACKETS = re.compile(r"(?<=[\[［﹇])(?=[\[［﹇])|(?<=[\]］﹈])(?=[\]］﹈])")
_TOKENS = re.compile(
    r"[<＜﹤]([|｜][^<>＜＞﹤﹥\n]{0,80}[|｜])[>＞﹥]"
    r"|<<(/?SYS)>>"
    r"|<(/?(?:s|bos|eos|pad|unk|mask|think|tool_call|tool_response"
    r"|(?:start|end)_of_(?:turn|image)))>"
    r"|\[(/?(?:INST|ATTR|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS))\]",
    re.IGNORECASE,
)
_HOURS = re.compile("[\u3358-\u3370]")  # one sign each: 0点 to 24点
_POINTS = re.compile(r"(\S)(\s*)点")
_LABELLED = re.compile(
    r"((?:[\[［﹇【](?:点数|評点|得点|採点|採点結果|評価|RESULT|SCORE|RATING)[\]］﹈】]"
    r"|(?:FINAL|OVERALL)\s+(?:SCORE|RATING))[\s:：=*]*)(\d+)",
    re.IGNORECASE,
)
_STEPS = re.compile(r"(\S)(\s*)([<＜﹤]{2}|[>＞﹥]{2})(?=\s*(\S))")
# Possessive: of runs of blanks or asterisks no way to share them out is tried twice.
_CHOSEN = re.compile(
    r"((?:判定|勝敗|勝者|VERDICT|WINNER|PREFERENCE)[\]］﹈】\"”」*]*+\s*+[:：=は]?[\s*\"“「]*+[ABＡＢ]\s*)"
    r"([<>=＜＞＝])(?=\s*[ABＡＢ])",
    re.IGNORECASE,
)
_RATING = re.compile(r"[\[［]{2}\s*([-+－]?[0-9０-９][^\[\]［］\n]{0,20})[\]］]{2}")
_PREFERENCE = re.compile(
    r"[\[［]{2}\s*([ABabＡＢａｂ]\s*[<>=＜＞＝≪≫][^\[\]［］\n]{0,10})[\]］]{2}"
)

PREFERENCES = {"A>>B": 2, "A>B": 1, "A=B": 0, "B>A": -1, "B>>A": -2}
"""The five steps of a comparison as they are written, and how far A is ahead."""


def neutralise(text: str) -> str:
    """Return the text with nothing in it that a chat template or a verdict's reader understands.

    Doubled brackets are parted by a space, special tokens stand in ‹ ›, the 点 of 10点, the >> of
    A>>B and what stands behind a verdict's label in 〔 〕, control, bidi and other hidden
    characters are shown as ⟨U+202E⟩. All of it is visible, so that a judge sees it. Of the
    answers in public Japanese suites 1 in 200 speaks of so many 点; the others stay as they are.
    """
    text = text.replace("\r\n", "\n")
    text = _HIDDEN.sub(lambda m: f"⟨U+{ord(m[0]):04X}⟩", text)
    text = _BRACKETS.sub(" ", text)
    text = _HOURS.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    text = _POINTS.sub(_apart, text)
    text = _LABELLED.sub(r"\1〔\2〕", text)
    text = _STEPS.sub(_parted, text)
    text = _CHOSEN.sub(r"\1〔\2〕", text)
    return _TOKENS.sub(lambda m: f"‹{m[1] or m[2] or m[3] or m[4]}›", text)


def _apart(match: re.Match[str]) -> str:
    """Set 点 apart behind a figure, however it is written: １, ⑩ and ㎡ all end in one."""
    figure = unicodedata.normalize("NFKC", match[1])[-1:].isdecimal()
    return f"{match[1]}{match[2]}〔点〕" if figure else match[0]


def _parted(match: re.Match[str]) -> str:
    """Set the steps apart by which one of two answers is ahead; any other >> stays as it is."""
    before, blank, steps, behind = match.groups()
    names = unicodedata.normalize("NFKC", before)[-1:], unicodedata.normalize("NFKC", behind)[:1]
    compared = {name.upper() for name in names} == {"A", "B"}
    return f"{before}{blank}〔{steps}〕" if compared else match[0]


def fence(text: str, name: str = "回答") -> str:
    """Return a text between two lines that bear a mark its author could not know.

    The mark is made from the text's own digest, so equal answers make equal requests.
    """
    mark = text_digest(text).removeprefix("sha256:")[:16]
    return f"──{name}ここから({mark})──\n{neutralise(text)}\n──{name}ここまで({mark})──"


def read_rating(reply: str, low: int, high: int) -> int:
    """Return the last `[[n]]` of a judge's reply, in half-width or full-width signs.

    Raises:
        VerdictError: There is none, or the last one is no whole number from `low` to `high`.
    """
    written = _last(_RATING, reply, "[[n]]")
    if not re.fullmatch(r"\+?[0-9]{1,9}", written):
        raise VerdictError(f"[[{written}]] is no whole number")
    if not low <= int(written) <= high:
        raise VerdictError(f"[[{written}]] is not between {low} and {high}")
    return int(written)


def read_preference(reply: str) -> int:
    """Return how far A is ahead in the last marker of a judge's reply, from 2 to -2 steps.

    Markers hold one of `PREFERENCES`, in half-width or full-width signs, with blanks or without.

    Raises:
        VerdictError: There is none, or the last one is none of the five.
    """
    written = "".join(_last(_PREFERENCE, reply, "[[A>B]]").upper().split())
    if written not in PREFERENCES:
        raise VerdictError(f"[[{written}]] is none of {', '.join(PREFERENCES)}")
    return PREFERENCES[written]


def _last(marker: re.Pattern[str], reply: str, form: str) -> str:
    found = marker.findall(reply)
    if not found:
        raise VerdictError(f"no {form} in the reply")
    return unicodedata.normalize("NFKC", found[-1]).strip()
