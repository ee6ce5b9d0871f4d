"""The number a Japanese answer gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from judges.japanese import unify

_UNITS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "億": 10**8, "兆": 10**12}
_FIGURES = {sign: value for value, sign in enumerate("〇一二三四五六七八九")} | {"零": 0}

_DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,9}|[0-9]{1,30})(?:\.[0-9]{1,30})?"
_NUMBER = re.compile(
    rf"""(?<![0-9A-Za-z_^./])(?P<sign>(?<![0-9)\]])-\ ?)?
    (?: \\[dt]?frac\{{(?P<over>[0-9]{{1,30}})\}}\{{(?P<under>[0-9]{{1,30}})\}}
      | (?P<under_ja>[0-9]{{1,30}})分の(?P<over_ja>[0-9]{{1,30}})
      | (?P<figures>{_DECIMAL})
        (?: \ ?/\ ?(?P<denominator>[0-9]{{1,30}})(?![0-9/.])
          | \ ?(?:×|\*|\\times)\ ?10\^\{{?(?P<exponent>-?[0-9]{{1,3}})\}}?
          | \^\{{?(?P<power>-?[0-9]{{1,3}})\}}?
          | (?P<scale>(?:[0-9]{{0,4}}[千百十]?[万億兆千百])+(?:[0-9]{{1,4}}(?![0-9.,]))?)
        )?
    )(?![0-9]) (?P<percent>\ ?(?:\\?%|パーセント))?""",
    re.VERBOSE,
)
_KANJI = re.compile(
    r"(?:(?P<under>[〇零一二三四五六七八九十百千]+)分の)?(?P<over>[〇零一二三四五六七八九十百千万億兆]+)"
    r"(?P<percent>パーセント|%)?"
)
_LONE_NUMERAL_ENDS = re.compile(
    r"\s*(?:$|[。、,.!)\]}」』】*\n]|です|である|だ|と(?:なる|なり)|に(?:なる|なり)"
    r"|[個人本枚円年月日時秒匹台回歳才倍冊通点杯頭羽軒階色km%]|メートル|キロ|グラム|パーセント|センチ|リットル)"
)
_KANJI_SIGN = re.compile(r"[\u4e00-\u9fff]")
_WORDS = re.compile(
    "一人ひとり|一人一人|一日中|一時|一年中|一回り|一点張り|一本気|一枚岩|十人十色|万一"
)

_MARKER = re.compile(
    r"(?:答え|こたえ|正解|解答|回答|答|\b(?:final\ )?answer)"
    r"(?:\s*[】\])」』*]+\s*(?:[:=は]|is\b)?|\s*(?:[:=→は]|is\b)|\ *\n|\ +(?=[-0-9A-Z]))",
    re.IGNORECASE | re.VERBOSE,
)
_SEGMENT = 500
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]{0,80}\}){0,200})\}")
_CITATION = re.compile(r"(?<!\[)\[[^\[\]\n]{1,12}\](?!\])")
_CLAUSE_END = re.compile(r"。|\n|です|である|だと|なので|だから|\.(?=\s)")
_ASIDE = re.compile(r"\([^()]*\)")
_OPERATOR_BEFORE = re.compile(r"(?:[×÷+*/]|[0-9)] ?-) ?$")
_OPERATOR_BEHIND = re.compile(r"^[^\s0-9×÷+*=。、]{0,6} ?(?:[×÷+*=]|- ?[0-9])")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written.

    Attributes:
        value: Exact; 25 for 25 %.
        percent: Whether a per cent sign stands behind it.
        text: How the answer wrote it.
    """

    value: Fraction
    percent: bool
    text: str

    def near(self, target: Number, tolerance: Fraction) -> bool:
        """Whether it is the target within an absolute tolerance."""
        return self.distance(target) <= tolerance

    def distance(self, target: Number) -> Fraction:
        """Return how far it is from the target.

        A percentage is measured as a share where the target is a bare number below one, and
        as written elsewhere: 25 % is both the probability 0.25 and the answer to "how many %".
        """
        value = self.value
        if self.percent and not target.percent and abs(target.value) < 1:
            value /= 100
        return abs(value - target.value)


def segments(text: str) -> Iterator[str]:
    """Yield the start of what stands behind each answer marker, the last marker's first.

    Args:
        text: Unified text.
    """
    spans = [m.span(1) for m in _BOXED.finditer(text)]
    spans += [(m.end(), m.end() + _SEGMENT) for m in _MARKER.finditer(text)]
    for start, end in sorted(spans, reverse=True):
        yield text[start:end].lstrip()


def clause(text: str) -> str:
    """Return the text up to the end of its first clause, asides in brackets left out."""
    found = _CLAUSE_END.search(text)
    first = text[: found.start()] if found else text
    return _ASIDE.sub("", first).strip() or first


def read_number(answer: str) -> Number | None:
    """Return the number an answer gives: the last one, behind its answer marker if it has one.

    Operands of a calculation are read only where nothing else is; kanji numerals only where
    they stand free and the text has no other figures.
    """
    text = unify(answer)
    uncited = _CITATION.sub("", text)  # documents are cited as [1], behind the number or not
    return _read(uncited) or _read(text)


def _read(text: str) -> Number | None:
    for part in segments(text):
        if found := _last(clause(part)):
            return found
    return _last(text)


def _last(text: str) -> Number | None:
    matches = [m for m in _NUMBER.finditer(text) if _value(m) is not None]
    results = [m for m in matches if not _operand(text, m)]
    for match in reversed(results or matches):
        value = _value(match)
        if value is not None:
            return Number(value, match["percent"] is not None, match[0])
    return _last_kanji(text)


def _operand(text: str, match: re.Match[str]) -> bool:
    before, behind = text[max(0, match.start() - 3) : match.start()], text[match.end() :][:12]
    return bool(_OPERATOR_BEFORE.search(before) or _OPERATOR_BEHIND.match(behind))


def _value(match: re.Match[str]) -> Fraction | None:
    over, under = match["over"] or match["over_ja"], match["under"] or match["under_ja"]
    figures = (match["figures"] or "").replace(",", "")
    if figures:
        over, under = figures, match["denominator"] or "1"
    if int(under) == 0:
        return None
    value = Fraction(over) / int(under)
    if match["exponent"]:
        value *= Fraction(10) ** int(match["exponent"])
    if match["power"]:
        value = value ** int(match["power"]) if value else Fraction(0)
    if match["scale"]:
        value = _scaled(value, match["scale"])
    return -value if match["sign"] else value


def _scaled(first: Fraction, scale: str) -> Fraction:
    """Return 3万5千, 1億2000万 and the like: figures with kanji places between them."""
    total, group, figures = Fraction(0), Fraction(0), first
    for token in re.findall(r"[0-9]+|[千百十万億兆]", scale):
        if token in _MYRIADS:
            total += (group + figures) * _MYRIADS[token]
            group = figures = Fraction(0)
        elif token in _UNITS:
            group += (figures or 1) * _UNITS[token]
            figures = Fraction(0)
        else:
            figures = Fraction(token)
    return total + group + figures


def _last_kanji(text: str) -> Number | None:
    masked = _WORDS.sub(lambda m: "＿" * len(m[0]), text)
    for match in reversed(list(_KANJI.finditer(masked))):
        if not _free(masked, match):
            continue
        under = kanji_number(match["under"]) if match["under"] else 1
        over = kanji_number(match["over"])
        if over is not None and under:
            return Number(Fraction(over, under), match["percent"] is not None, match[0])
    return None


def _free(text: str, match: re.Match[str]) -> bool:
    """Whether the numeral is a number: 十二 is, the 一 of 統一 and 一緒 is not."""
    if len(match["over"]) > 1:
        return True
    before = text[match.start() - 1 : match.start()]
    return not _KANJI_SIGN.match(before) and bool(_LONE_NUMERAL_ENDS.match(text, match.end()))


def kanji_number(text: str) -> int | None:
    """Return the value of 十二, 三百, 二〇二四 or 一億二千万; None where it is no number."""
    if all(sign in _FIGURES for sign in text):
        return int("".join(str(_FIGURES[sign]) for sign in text[:30]))
    total = group = 0
    figure: int | None = None
    for sign in text:
        if sign in _FIGURES:
            if figure is not None:
                return None
            figure = _FIGURES[sign]
        elif sign in _UNITS:
            group += (1 if figure is None else figure) * _UNITS[sign]
            figure = None
        else:
            total += (group + (figure or 0) or 1) * _MYRIADS[sign]
            group, figure = 0, None
    return total + group + (figure or 0)
