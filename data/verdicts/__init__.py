"""Readers of the formats in which judges' verdicts are published.

What each file says of its marks, and what goes wrong with them, is known from the projects named
in `VerdictFormat.published_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from data.errors import SuiteError
from data.lines import Line, brief
from data.verdicts import absolute, comparative
from data.verdicts.rows import Comparison, Fault, Ruling, Scale, Task, Terms, Verdict

__all__ = [
    "FORMATS",
    "Comparison",
    "Fault",
    "Ruling",
    "Scale",
    "Task",
    "Terms",
    "Verdict",
    "VerdictFormat",
    "known_format",
]


@dataclass(frozen=True, slots=True)
class VerdictFormat:
    """How files become verdicts, and what their marks mean.

    Attributes:
        read: Reads one object of a file, whose path may name judge, suite and model; an error
            that it yields is a remark, one that it raises means that the object is no verdict.
        published_at: The repository, and the files in it.
        scales: Suite → its marks; empty for choices between two answers.
        of: What a full score is shown as.
        by: What the mean is broken down by; empty where there is nothing.
        panel: Whether each answer has several judges, whose mean is meant.
        patterns: Names of files in a folder that are verdicts, without `.gz`.
    """

    name: str
    read: Callable[[Line, Path], Iterator[Ruling | SuiteError]]
    published_at: str
    scales: dict[str, Scale]
    of: float = 10
    by: Literal["suite", "criterion", "turn", ""] = ""
    panel: bool = False
    patterns: tuple[str, ...] = ("*.jsonl", "*.json")


_ALL = (
    VerdictFormat(
        "rakuda",
        comparative.rakuda,
        "github.com/yuzu-ai/japanese-llm-ranking: jrank/reviews",
        {},
    ),
    VerdictFormat(
        "shaberi",
        absolute.shaberi,
        "github.com/shisa-ai/shaberi and github.com/lightblue-tech/japanese_llm_eval:"
        " data/judgements/<judge>/<suite>/<model>.json",
        dict(absolute.SHABERI.values()),
        by="suite",
        patterns=("*.jsonl", "*.json", "*.csv"),
    ),
    VerdictFormat(
        "japanese-rp-bench",
        absolute.japanese_rp_bench,
        "github.com/Aratako/Japanese-RP-Bench: evaluations",
        {"": absolute.FIVE},
        of=5,
        by="criterion",
        panel=True,
    ),
    VerdictFormat(
        "fastchat-single",
        absolute.fastchat_single,
        "github.com/lm-sys/FastChat: data/<bench>/model_judgment/<judge>_single.jsonl",
        {"": absolute.TEN},
        by="turn",
        patterns=("*single*.jsonl", "*single*.json"),
    ),
    VerdictFormat(
        "fastchat-pairwise",
        comparative.fastchat_pairwise,
        "github.com/lm-sys/FastChat: data/<bench>/model_judgment/<judge>_pair.jsonl",
        {},
        patterns=("*pair*.jsonl", "*pair*.json"),
    ),
    VerdictFormat(
        "alpaca-eval",
        absolute.alpaca_eval,
        "github.com/tatsu-lab/alpaca_eval: results/<model>/<annotator>/annotations.json",
        {"": absolute.PERCENT},
        of=100,
        patterns=("annotations*.json", "annotations*.jsonl"),
    ),
    VerdictFormat(
        "gpt4-autoeval",
        absolute.gpt4_autoeval,
        "github.com/Northern-System-Service/gpt4-autoeval: assets/<model>/result.jsonl",
        {"": absolute.FIVE},
        of=5,
        patterns=("result*.jsonl", "result*.json"),
    ),
)

FORMATS = {form.name: form for form in _ALL}


def known_format(name: str) -> VerdictFormat:
    """Return a format by its name, however its words are joined.

    Raises:
        SuiteError: There is none of that name.
    """
    wanted = name.lower().replace("_", "-")
    if wanted in FORMATS:
        return FORMATS[wanted]
    near = get_close_matches(wanted, FORMATS, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(FORMATS)}"
    raise SuiteError(f"unknown format {brief(name)}", place="FORMAT", remedy=remedy)
