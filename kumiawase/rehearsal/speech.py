"""What simulated models say: Japanese prose that carries its own worth in a few kana.

The kana stand near the start, so that an answer cut at its end keeps them, and end in a
checksum, so that no other text is taken for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kumiawase.rehearsal import draws
from moa import prompts

KANA = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
)
_FAMILIES, _GENERATIONS = 6, 8
_STEPS, _ZERO = 100, 800
_BODY, _CHECK = 3, 2  # kana
_CHECKS = len(KANA) * len(KANA)
_MARK = re.compile(f"〔模擬回答・([{KANA}]{{{_BODY + _CHECK}}})〕")
_SIGNS = "\u200b\u200c\u2060\u2063"
_SILENT = re.compile(f"[{_SIGNS}]{{14}}")
_SHOWN = re.compile(r"⟨U\+(20[0-9A-F]{2})⟩")
_DISCLAIMER = "これは稽古用に作られた模擬の回答で、実在のモデルが書いたものではありません。"


@dataclass(frozen=True, slots=True)
class Voice:
    """What a simulated answer tells of itself.

    Attributes:
        margin: Logits above the difficulty of its item, -8 to 8 in steps of 0.01.
        generation: Syntheses that lie behind it, at most 7.
        family: Index of its author's family.
    """

    margin: float
    generation: int
    family: int


def mark(voice: Voice) -> str:
    """Return the text that carries a voice."""
    return f"〔模擬回答・{_figures(_number(voice), KANA, _BODY + _CHECK)}〕"


def silent_mark(voice: Voice) -> str:
    """Return signs that carry a voice unseen, for answers that must be nothing but a word.

    They are signs that `judges.japanese.unify` drops.
    """
    return _figures(_number(voice), _SIGNS, 14)


def voices(text: str) -> list[Voice]:
    """Return every voice in a text whose checksum holds.

    Silent marks are also read as `judges.verdict.neutralise` shows them.
    """
    text = _SHOWN.sub(lambda m: chr(int(m[1], 16)), text)
    numbers = [_value(m[1], KANA) for m in _MARK.finditer(text)]
    numbers += [_value(m[0], _SIGNS) for m in _SILENT.finditer(text)]
    return [voice for number in numbers if (voice := _voice(number)) is not None]


def references(system: str) -> list[Voice | None]:
    """Return the voices of the references in a system message; None for one without any.

    References follow the last line of one of our aggregate-and-synthesize prompts, each after
    a newline, its number, a dot and a blank.
    """
    for header in _headers():
        start = system.find(f"{header}\n1. ")
        if start >= 0:
            return [_first(text) for text in _numbered(system[start + len(header) :])]
    return []


def prose(length: int, *salt: object) -> str:
    """Return about `length` characters of prose, the same for the same `salt`."""
    text = _DISCLAIMER
    for sentence in sorted(_sentences(), key=lambda sentence: draws.whole(*salt, sentence)):
        if len(text) >= length:
            break
        text += sentence
    return text


def _number(voice: Voice) -> int:
    step = round(voice.margin * _STEPS) + _ZERO
    generation = min(voice.generation, _GENERATIONS - 1)
    body = (step * _FAMILIES + voice.family) * _GENERATIONS + generation
    return body * _CHECKS + _checksum(body)


def _voice(number: int) -> Voice | None:
    body, checksum = divmod(number, _CHECKS)
    if checksum != _checksum(body):
        return None
    rest, generation = divmod(body, _GENERATIONS)
    step, family = divmod(rest, _FAMILIES)
    return Voice((step - _ZERO) / _STEPS, generation, family)


@cache
def _checksum(body: int) -> int:
    return draws.whole("check", body) % _CHECKS


def _figures(number: int, alphabet: str, digits: int) -> str:
    out = ""
    for _ in range(digits):
        number, rest = divmod(number, len(alphabet))
        out = alphabet[rest] + out
    return out


def _value(figures: str, alphabet: str) -> int:
    number = 0
    for figure in figures:
        number = number * len(alphabet) + alphabet.index(figure)
    return number


def _first(text: str) -> Voice | None:
    found = voices(text)
    return found[0] if found else None


def _numbered(text: str) -> list[str]:
    parts: list[str] = []
    start = len("\n1. ")
    while start >= 0:
        following = f"\n{len(parts) + 2}. "
        end = text.find(following, start)
        parts.append(text[start : end if end >= 0 else None])
        start = end + len(following) if end >= 0 else -1
    return parts


@cache
def _headers() -> tuple[str, ...]:
    return tuple(prompts.text(name).rsplit("\n", 1)[-1] for name in prompts.AGGREGATE)


@cache
def _sentences() -> tuple[str, ...]:
    return tuple((files(__package__) / "sentences_ja.txt").read_text("utf-8").splitlines())
