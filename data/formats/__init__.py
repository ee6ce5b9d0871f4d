"""Readers of the formats in which suites are published.

The files are the user's own; what each format asks, and what goes wrong with it, is known from
the projects named in `PublicSuite.published_at`.
"""

from __future__ import annotations

from data.errors import SuiteError
from data.formats import jglue, jmmlu, open_ended
from data.formats.base import Format, PublicSuite, ReadReference
from data.lines import Line, brief, check
from data.row import Row

__all__ = ["FORMATS", "Format", "PublicSuite", "ReadReference", "known_format", "published"]

_JGLUE = "github.com/yahoojapan/JGLUE: datasets/{}-v1.3/valid-v1.3.json"
_SHABERI = "; with Shaberi's columns: github.com/shisa-ai/shaberi"


def _kumiawase(line: Line) -> Row:
    names = ", ".join(name for name in FORMATS if name != "kumiawase")
    remedy = f"if the file is of another format, name it: {{path, format}} with {names}"
    return check(Row, line.value, place=line.place, remedy=remedy)


FORMATS: dict[str, Format] = {
    "kumiawase": Format(_kumiawase),
    "rakuda": Format(
        open_ended.rakuda,
        public=PublicSuite(
            "rakuda",
            "Rakuda v1, v2",
            "40",
            "github.com/yuzu-ai/japanese-llm-ranking: jrank/data/rakuda_v1, rakuda_v2" + _SHABERI,
            "Apache-2.0",
        ),
    ),
    "elyza": Format(
        open_ended.elyza,
        public=PublicSuite(
            "elyza",
            "ELYZA-tasks-100",
            "100",
            "huggingface.co/datasets/elyza/ELYZA-tasks-100, saved as JSON lines" + _SHABERI,
            "CC BY-SA 4.0",
        ),
    ),
    "tengu": Format(
        open_ended.tengu,
        public=PublicSuite(
            "tengu",
            "Tengu-Bench",
            "120",
            "huggingface.co/datasets/lightblue/tengu_bench, saved as JSON lines" + _SHABERI,
            "none stated on its page; Shaberi's repository is Apache-2.0",
        ),
    ),
    "japanese-mt-bench": Format(
        open_ended.mt_bench,
        open_ended.mt_bench_reference,
        PublicSuite(
            "japanese-mt-bench",
            "Japanese MT-Bench",
            "80 of two turns (an early set: 60)",
            "github.com/Stability-AI/FastChat, branch jp-stable: "
            "fastchat/llm_judge/data/japanese_mt_bench" + _SHABERI,
            "Apache-2.0; the reference answers under OpenAI's terms",
        ),
    ),
    "jcommonsenseqa": Format(
        jglue.commonsense_qa,
        public=PublicSuite(
            "jcommonsenseqa",
            "JGLUE: JCommonsenseQA",
            "1119",
            _JGLUE.format("jcommonsenseqa"),
            "CC BY-SA 4.0",
        ),
    ),
    "jnli": Format(
        jglue.nli,
        public=PublicSuite("jnli", "JGLUE: JNLI", "2434", _JGLUE.format("jnli"), "CC BY-SA 4.0"),
    ),
    "jsquad": Format(
        jglue.squad,
        public=PublicSuite(
            "jsquad", "JGLUE: JSQuAD", "4442", _JGLUE.format("jsquad"), "CC BY-SA 4.0"
        ),
        lines=jglue.squad_lines,
    ),
    "jsts": Format(
        jglue.sts,
        public=PublicSuite("jsts", "JGLUE: JSTS", "1457", _JGLUE.format("jsts"), "CC BY-SA 4.0"),
    ),
    "jmmlu": Format(
        jmmlu.jmmlu,
        public=PublicSuite(
            "jmmlu",
            "JMMLU",
            "7097 in 53 subjects",
            "github.com/nlp-waseda/JMMLU: JMMLU, a folder of CSV files",
            "CC BY-SA 4.0, but japanese_history and world_history for research and evaluation"
            " only; the three subjects in JMMLU_NC_ND: CC BY-NC-ND 4.0",
        ),
        lines=jmmlu.jmmlu_lines,
    ),
}


def published() -> list[PublicSuite]:
    """Return the public suites that can be read, in the order of their formats' names."""
    return [form.public for _, form in sorted(FORMATS.items()) if form.public is not None]


def known_format(name: str, place: str) -> Format:
    """Return a format by its name.

    Raises:
        SuiteError: There is none of that name.
    """
    if name not in FORMATS:
        remedy = f"use one of {', '.join(FORMATS)}"
        raise SuiteError(f"unknown format {brief(name)}", place=place, remedy=remedy)
    return FORMATS[name]
