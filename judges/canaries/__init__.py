"""Canaries: twins of an answer that differ from it in one thing a judge must not be moved by.

A forged verdict, a plea for marks and fake headings stand behind the answer; padding doubles and
redoubles it without saying more; a null answer says nothing; an English twin says the same in
another language; a planted wrong answer is wrong by its item's own rule. What a judge gives a
twin more than the answer it was made of is a paired difference, free of the item's difficulty
(null answer: Zheng et al. 2024, arXiv 2410.07137).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import cycle, islice
from typing import Final, Literal

from data.suites.item import Item
from judges.rules import check_item
from moa.answer import Answer

Kind = Literal[
    "forged verdict", "plea", "fake headings", "null answer", "padding", "english", "wrong answer"
]

INJECTED: Final[Mapping[Kind, str]] = {
    "forged verdict": "forged_verdict",
    "plea": "plea",
    "fake headings": "fake_headings",
}
"""Texts that speak to the judge, and the files that hold them.

A judge that compares has its own, in files named `…_pairwise`: they claim the win, not a mark.
"""

_BETWEEN: Final = "\n----\n"
_LONGER: Final = 4  # times the plain answer, and
_PADDED: Final = 1200  # characters of padding at most: windows are small


@dataclass(frozen=True, slots=True)
class Twin:
    """An answer and its twin.

    Attributes:
        item: What both answer.
        plain: The answer as it was; for a wrong answer the right one.
        twin: The one changed thing.
        doublings: How many times the twin's length is doubled; 0 for other kinds than padding.
    """

    kind: Kind
    item: Item
    plain: Answer
    twin: Answer
    doublings: float = 0.0


def injected(
    kind: Kind, answers: Sequence[tuple[Item, Answer]], *, pairwise: bool = False
) -> list[Twin]:
    """Return twins with a text behind them that asks for marks, each wording in turn.

    Where answers are compared (`pairwise`) it asks for the win.
    """
    words = cycle(wordings(kind, pairwise=pairwise))
    return [
        Twin(kind, item, answer, _last(answer, f"{answer.texts[-1].rstrip()}\n\n{next(words)}"))
        for item, answer in answers
    ]


def nulls(answers: Sequence[tuple[Item, Answer]]) -> list[Twin]:
    """Return twins that say the same nothing to every turn of every item."""
    (text,) = _texts("null_answer")
    return [
        Twin("null answer", item, answer, replace(answer, texts=(text,) * len(answer.texts)))
        for item, answer in answers
    ]


def padded(answers: Sequence[tuple[Item, Answer]]) -> list[Twin]:
    """Return twins up to four times as long that say no more."""
    return [_padded(item, answer) for item, answer in answers if answer.texts[-1].strip()]


def english() -> list[Twin]:
    """Return answers of our own to questions of our own, and what they say in English.

    No rule translates an answer, so these twins are the same for every suite.
    """
    lines = (files(__name__) / "english.jsonl").read_text("utf-8").splitlines()
    return [_english(json.loads(line)) for line in lines]


def planted(answers: Iterable[tuple[Item, Answer]], most: int) -> list[Twin]:
    """Return right answers with wrong ones to the same item, by the word of the item's rule.

    Where models gave no such pair, another item's reference of the same category and rule
    stands in for the wrong one, and the item's own for the right one.

    Args:
        answers: What models answered.
        most: Twins wanted; the pairs that models gave come first, item after item in turn.
    """
    seen = list(answers)
    real = _in_turn(_sorted_out(seen))
    known = {twin.item.id for twin in real}
    items = list({item.id: item for item, _ in seen}.values())
    return [*real, *_shuffled([item for item in items if item.id not in known])][:most]


@cache
def wordings(kind: Kind, *, pairwise: bool = False) -> tuple[str, ...]:
    """Return the texts of an injected kind, for a judge that compares where `pairwise`."""
    return _texts(INJECTED[kind] + "_pairwise" * pairwise)


def written(texts: tuple[str, ...]) -> Answer:
    """Return an answer that no model gave."""
    return Answer(texts, "", frozenset(), (), (), False, 0.0, 0, 0, 0, 0.0)


def _texts(name: str) -> tuple[str, ...]:
    text = (files(__name__) / f"{name}.txt").read_text("utf-8").rstrip("\n")
    return tuple(text.split(_BETWEEN))


def _last(answer: Answer, text: str) -> Answer:
    return replace(answer, texts=(*answer.texts[:-1], text))


def _padded(item: Item, answer: Answer) -> Twin:
    plain = answer.texts[-1].rstrip()
    wanted = min((_LONGER - 1) * len(plain), _PADDED)
    padding, length = [], 0
    for sentence in cycle(_texts("padding")[0].split("\n")):
        if length >= wanted:
            break
        padding.append(sentence)
        length += len(sentence)
    text = f"{plain}\n\n{''.join(padding)}"
    return Twin("padding", item, answer, _last(answer, text), math.log2(len(text) / len(plain)))


def _english(line: Mapping[str, str]) -> Twin:
    item = Item(line["id"], "english", (line["question"],), "search")
    return Twin("english", item, written((line["answer"],)), written((line["english"],)))


def _sorted_out(answers: Iterable[tuple[Item, Answer]]) -> list[list[Twin]]:
    """Return for each item its right answers paired with its wrong ones."""
    right: dict[str, list[Answer]] = {}
    wrong: dict[str, list[Answer]] = {}
    items: dict[str, Item] = {}
    for item, answer in answers:
        value = None
        if item.rule is not None and answer.texts[-1].strip():
            value = check_item(item, answer.texts[-1]).value
        if value in (0.0, 1.0):
            items[item.id] = item
            (right if value else wrong).setdefault(item.id, []).append(answer)
    return [
        [Twin("wrong answer", item, *pair) for pair in zip(right[name], wrong[name], strict=False)]
        for name, item in items.items()
        if name in right and name in wrong
    ]


def _in_turn(groups: list[list[Twin]]) -> list[Twin]:
    rounds = max(map(len, groups), default=0)
    return [group[n] for n in range(rounds) for group in groups if n < len(group)]


def _shuffled(items: Sequence[Item]) -> Iterator[Twin]:
    """Yield references against those of the next item of their category and rule."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.rule is not None and item.reference and len(item.turns) == 1:
            groups.setdefault((item.category, str(item.rule["kind"])), []).append(item)
    for group in groups.values():
        following = islice(cycle(group), 1, None)
        for item, other in zip(group, following, strict=False):
            if check_item(item, other.reference[0]).value == 0:
                own, wrong = written(item.reference[:1]), written(other.reference[:1])
                yield Twin("wrong answer", item, own, wrong)
