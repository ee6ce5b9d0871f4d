"""The rule `overlap`: how much of a target's characters or words an answer has."""

from __future__ import annotations

from typing import Final

from data.suites.item import Item
from judges.japanese import normalize, words
from judges.rules.kind import Kind, Options, Seen, is_texts, texts
from judges.short_answer import f1

UNITS: Final = ("character", "word")


def _overlap(rule: Options, item: Item, answer: str) -> Seen:
    """Return the best F1 over the targets.

    F1 = 2 · common / (in the answer + in the target), each character or word counted as often
    as it stands there. Over characters it is JSQuAD's (JGLUE), without blanks; over words, cut
    by MeCab with ipadic, it is ROUGE-1 (Lin 2004). llm-jp-eval's `char_f1` is another measure:
    a ratio of edits.
    """
    cut = words if rule.get("unit") == "word" else _characters
    read = cut(answer)
    value, like = max((f1(read, cut(text)), text) for text in texts(item.target))
    return Seen(value, f"F1 {value:.2f} with {like[:60]}")


def _characters(text: str) -> list[str]:
    return list(normalize(text).replace(" ", ""))


KINDS: Final = {
    "overlap": Kind(_overlap, {"unit": lambda v: v in UNITS}, is_texts, "a text"),
}
