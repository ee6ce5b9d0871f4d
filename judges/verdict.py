"""Showing an answer to a judge so that it cannot speak for the judge, and reading the verdict."""

from __future__ import annotations

import re
import unicodedata

from data.digest import text_digest
from data.errors import VerdictError

PARSER_VERSION = "1"
"""Part of a judge's digest: changes with how answers are fenced or verdicts are read."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_BRACKETS = re.compile(r"(?<=[\[［])(?=[\[［])|(?<=[\]］])(?=[\]］])")
_TOKENS = re.compile(
    r"[<＜]([|｜][^<>＜＞\n]{0,80}[|｜])[>＞]"
    r"|<<(/?SYS)>>"
    r"|<(/?(?:s|bos|eos|pad|unk|mask|think|tool_call|tool_response"
    r"|(?:start|end)_of_(?:turn|image)))>"
    r"|\[(/?(?:INST|ATTR|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS))\]",
    re.IGNORECASE,
)
_VERDICT = re.compile(r"[\[［]{2}\s*([-+－]?[0-9０-９][^\[\]［］\n]{0,20})[\]］]{2}")


def neutralise(text: str) -> str:
    """Return the text with nothing in it that a chat template or `read_rating` understands.

    Doubled brackets are parted by a space, special tokens stand in ‹ ›, control, bidi and other
    hidden characters are shown as ⟨U+202E⟩. All of it is visible, so that a judge sees it.
    """
    text = text.replace("\r\n", "\n")
    text = _HIDDEN.sub(lambda m: f"⟨U+{ord(m[0]):04X}⟩", text)
    text = _BRACKETS.sub(" ", text)
    return _TOKENS.sub(lambda m: f"‹{m[1] or m[2] or m[3] or m[4]}›", text)


def fence(text: str) -> str:
    """Return an answer between two lines that bear a mark its author could not know.

    The mark is made from the answer's own digest, so equal answers make equal requests.
    """
    mark = text_digest(text).removeprefix("sha256:")[:16]
    return f"──回答ここから({mark})──\n{neutralise(text)}\n──回答ここまで({mark})──"


def read_rating(reply: str, low: int, high: int) -> int:
    """Return the last `[[n]]` of a judge's reply, in half-width or full-width signs.

    Raises:
        VerdictError: There is none, or the last one is no whole number from `low` to `high`.
    """
    found = _VERDICT.findall(reply)
    if not found:
        raise VerdictError("no [[n]] in the reply")
    written = unicodedata.normalize("NFKC", found[-1]).strip()
    if not re.fullmatch(r"\+?[0-9]{1,9}", written):
        raise VerdictError(f"[[{written}]] is no whole number")
    if not low <= int(written) <= high:
        raise VerdictError(f"[[{written}]] is not between {low} and {high}")
    return int(written)
