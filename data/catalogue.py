"""What is known of the models a Japanese ensemble may be made of."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
        params_b: Parameters, all experts counted, in billions.
        context: Tokens of prompt and reply together.
        licence: An SPDX name where there is one, else the licence's own.
        tokenizer: `sentencepiece`, `unigram` or `bpe` (byte-level).
        system_role: `yes`, or `no` where the chat template drops or refuses a system message.
        note: What to know before using it, and what in this row was inferred.
        source: Where the facts are from.
    """

    id: str
    name: str
    family: str
    params_b: float | None
    context: int | None
    licence: str
    tokenizer: str
    system_role: str
    note: str
    source: str


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
    """Return the entries that hold every word of `text` and whose licence holds `licence`."""
    words = text.lower().split()
    return [
        entry
        for entry in load()
        if licence.lower() in entry.licence.lower()
        and all(word in f"{entry.id} {entry.name} {entry.family}".lower() for word in words)
    ]


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
        params_b=float(row["params_b"]) if row["params_b"] else None,
        context=int(row["context"]) if row["context"] else None,
        licence=row["licence"],
        tokenizer=row["tokenizer"],
        system_role=row["system_role"],
        note=row["note"],
        source=row["source"],
    )
