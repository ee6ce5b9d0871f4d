"""In which scripts a text is written, programs, formulas and addresses left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from judges.japanese import unify

_PROGRAM = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]{1,200}`"
    r"|(?i:<(?:!doctype\ html|html)\b.*?(?:</html>|\Z))"
    r"|\$\$.{1,2000}?\$\$|\$[^$\n]{1,200}\$|\\\(.{1,200}?\\\)|\\\[.{1,2000}?\\\]"
    r"|</?[A-Za-z][^<>\n]{0,200}>|(?<![!-~])[!-?A-~]{1,64}@[!-~]{1,200}|https?://[!-~]+",
    re.DOTALL,
)
_CODE_LINE = re.compile(
    r"""^[ \t]*(?:
      (?:def|class|import|from|return|for|while|if|elif|else|try|except|with|print|const|let|var
        |function|public|private|static|void|int|\#include|SELECT|INSERT|UPDATE|DELETE|FROM|WHERE
        |std::|using|package|end|fn|use)\b[^。ぁ-ゖ\n]*[(){};:=<>,*]
      | [^。ぁ-ゖ\n]*[;{}]\s*$
      | [^。ぁ-ゖ\n]{0,60}[^\s!<>=]\s?(?:=|\+=|->|=>)\s?[^\s=]
      | (?:\#|//|\$|>>>|--)\ ?(?=[!-~])[!-~ ]*$
      | "[^"\n]{1,80}"\s*:
    ).*$""",
    re.MULTILINE | re.VERBOSE,
)
_KANA = re.compile("[ぁ-ゖァ-ヺー]")
_KANJI = re.compile("[々〆〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_LATIN = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]")
_WORD = "A-Za-z\u00c0-\u024f'’-"
_RUN = re.compile(rf"(?:[{_WORD}]++[,.;:!?]? ?)++")
_FEW = 4  # words in a row from which they are a sentence
_OTHER = re.compile(
    r"[^\W\d_A-Za-z\u00c0-\u024f\u1e00-\u1effぁ-ゖァ-ヺー々〆〇\u1100-\u11ff\u3131-\u318e\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U000323af]"
)


@dataclass(frozen=True, slots=True)
class Scripts:
    """How many letters of each script a text has.

    Attributes:
        kanji: Signs of Chinese origin, those of `simplified` included.
        simplified: Signs that only Chinese of today writes.
        prose: Latin letters that stand in four or more words in a row, as sentences do and
            formulas and single names do not.
        other: Letters of any script not named here.
    """

    kana: int
    kanji: int
    simplified: int
    hangul: int
    latin: int
    prose: int
    other: int

    @property
    def letters(self) -> int:
        """How many letters there are."""
        return self.kana + self.kanji + self.hangul + self.latin + self.other

    @property
    def japanese(self) -> float:
        """Share of kana and kanji, 0 to 1."""
        return self.share(self.kana + self.kanji)

    def share(self, number: int) -> float:
        """Return a number of letters as a share of all, 0 to 1."""
        return number / max(self.letters, 1)


@lru_cache(maxsize=32)  # gate and inspection look at the same answer
def scripts(text: str, names: frozenset[str] = frozenset()) -> Scripts:
    """Return in which scripts a text is written.

    Args:
        text: What was written. Programs (fenced or not), formulas, tags and addresses count for
            nothing; figures are no letters.
        names: Words that have to be written as they are, such as those of tools.
    """
    text = _CODE_LINE.sub(" ", _PROGRAM.sub(" ", unify(text)))
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " ")
    kanji = "".join(_KANJI.findall(text))
    return Scripts(
        kana=len(_KANA.findall(text)),
        kanji=len(kanji),
        simplified=sum(map(kanji.count, simplified_only() & set(kanji))),
        hangul=len(_HANGUL.findall(text)),
        latin=len(_LATIN.findall(text)),
        prose=sum(len(_LATIN.findall(run)) for run in _RUN.findall(text) if _is_prose(run)),
        other=len(_OTHER.findall(text)),
    )


def _is_prose(run: str) -> bool:
    return len(run.split(maxsplit=_FEW)) >= _FEW


@cache
def simplified_only() -> frozenset[str]:
    """Return the signs of Chinese as it is simplified today that Japanese never writes.

    Those that the codecs know in GB 2312 and in no set of Japanese: neither JIS X 0213 nor the
    signs Windows adds to JIS X 0208.
    """
    rows = (bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    signs = (row.decode("gb2312", "ignore") for row in rows)
    return frozenset(sign for sign in signs if sign and not _japanese(sign))


def _japanese(sign: str) -> bool:
    return bool(sign.encode("euc_jis_2004", "ignore") or sign.encode("cp932", "ignore"))
