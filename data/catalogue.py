"""What is known of the models a Japanese ensemble may be made of.

`catalogue.csv` has a column `…_evidence` beside each fact the program acts on, so that a person
can see where it is from and which of them are inferred.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from data.licences import CommercialUse, commercial_use

SystemRole = Literal["yes", "folded", "dropped", "refused"]

#: Facts with an evidence of their own.
ATTESTED = (
    "context",
    "licence",
    "template_family",
    "system_role",
    "roles_alternate",
    "tokenizer",
    "thinks",
)
#: How a fact begins in its evidence when nobody read it from the model's own files.
INFERRED = "inferred"

_MT_BENCH = {"gpt-4": "mt_bench_gpt4", "gpt-4o": "mt_bench_gpt4o", "gpt-5.2": "mt_bench_gpt52"}

# What is put behind a name by those who convert a model: precision, quantisation, container.
_CONVERSION = re.compile(
    r"[-_.:](?:gguf|ggml|awq|gptq|exl2|mlx|bnb|fp8|fp16|bf16|f16|f32|mxfp4|nvfp4|int[48]|w[48]a16"
    r"|[2-8]-?bits?|i?q[1-8](?:_[0-9a-z]+)*|imat(?:rix)?|latest)$"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One model; blank or None is unknown.

    Attributes:
        id: Owner and name on Hugging Face, or provider and name.
        family: Whose line of models it belongs to.
        developer: Who made it.
        released: Year, or day as YYYY-MM-DD.
        base: The model it was trained from, or its architecture.
        params_b: Parameters, all experts counted, in billions.
        active_b: Parameters that take part in one token, in billions, where they are fewer.
        context: Tokens of prompt and reply together.
        licence: An SPDX name where there is one, else the licence's own; `; ` joins several.
        template_family: How its chat template writes turns; `none` is a base model without one.
        system_role: `yes`; `folded` into the first user turn; `dropped` without a word; `refused`
            with an error.
        roles_alternate: Whether the template refuses two messages of one role in a row.
        tokenizer: `sentencepiece`, `unigram` or `bpe` (byte-level).
        thinks: Whether it reasons before its answer, which takes tokens.
        mt_bench: Japanese MT-Bench as Swallow measured it, 0 to 1, by judge. Three judges, three
            scales: no two of them can be compared.
        note: What to know before using it.
        source: Where the facts are from.
        evidence: Fact of `ATTESTED` → what it rests on, for each that is known.
    """

    id: str
    name: str
    family: str
    developer: str
    released: str
    base: str
    params_b: float | None
    active_b: float | None
    context: int | None
    licence: str
    template_family: str
    system_role: SystemRole | None
    roles_alternate: bool | None
    tokenizer: str
    thinks: bool | None
    mt_bench: Mapping[str, float]
    note: str
    source: str
    evidence: Mapping[str, str]

    @property
    def commercial_use(self) -> CommercialUse | None:
        """What its licence says about commercial use; None where that is unknown or doubted."""
        use = commercial_use(self.licence)
        doubted = "doubts" in self.evidence.get("licence", "")
        return None if doubted and use != "forbidden" else use


@cache
def load() -> tuple[Entry, ...]:
    """Return all entries, families together."""
    text = (files("data") / "catalogue.csv").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in csv.DictReader(text.splitlines()))


def find(name: str) -> Entry | None:
    """Return the model a name means, or None where that is not certain.

    Args:
        name: A full id, the part behind its owner, or either as converters and Ollama write it
            (`…-GGUF`, `…-AWQ`, `…:8b-q4_K_M`, a path to a `.gguf` file). Case does not matter.
    """
    names = _names()
    wanted = name.strip().lower()
    if wanted in names:
        return names[wanted]
    wanted = wanted.rsplit("/", 1)[-1].replace(":", "-")
    while wanted not in names:
        shorter = _CONVERSION.sub("", wanted)
        if shorter == wanted:
            return None
        wanted = shorter
    return names[wanted]


def search(text: str = "", licence: str = "") -> list[Entry]:
    """Return the entries that hold every word of `text` and whose licence holds `licence`.

    A word that begins with a digit is meant from that digit on: `7b` finds neither 27B nor 8x7B.
    """
    words = [re.compile(_word(word)) for word in text.lower().split()]
    return [
        entry
        for entry in load()
        if licence.lower() in entry.licence.lower()
        and all(word.search(f"{entry.id} {entry.name} {entry.family}".lower()) for word in words)
    ]


def _word(word: str) -> str:
    return (r"(?<![\d.x])" if word[0].isdigit() else "") + re.escape(word)


@cache
def _names() -> Mapping[str, Entry]:
    """Return full ids and the parts behind the owner, which no two rows share."""
    ids = {entry.id.lower(): entry for entry in load()}
    return {key.rsplit("/", 1)[-1]: entry for key, entry in ids.items()} | ids


def _entry(row: Mapping[str, str]) -> Entry:
    return Entry(
        id=row["id"],
        name=row["name"],
        family=row["family"],
        developer=row["developer"],
        released=row["released"],
        base=row["base"],
        params_b=_number(row["params_b"]),
        active_b=_number(row["active_b"]),
        context=int(row["context"]) if row["context"] else None,
        licence=row["licence"],
        template_family=row["template_family"],
        system_role=cast("SystemRole", row["system_role"]) if row["system_role"] else None,
        roles_alternate=_yes(row["roles_alternate"]),
        tokenizer=row["tokenizer"],
        thinks=_yes(row["thinks"]),
        mt_bench={judge: float(row[column]) for judge, column in _MT_BENCH.items() if row[column]},
        note=row["note"],
        source=row["source"],
        evidence={fact: row[f"{fact}_evidence"] for fact in ATTESTED if row[f"{fact}_evidence"]},
    )


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _yes(cell: str) -> bool | None:
    return {"yes": True, "no": False}.get(cell)
