"""Pools to start from: models of the catalogue, and how each of them is served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from data import catalogue
from data.catalogue import Entry

_CARD_GB = 80
_ROOM = 1.2  # cache for some prompts of a few thousand tokens, beside the weights

Server = Literal["vllm", "neuron", "ollama", "llama-cpp"]


class _MaxTokens(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    proposer: int = Field(ge=1)
    aggregator: int = Field(ge=1)
    judge: int = Field(ge=1)


class Member(BaseModel):
    """One model of a pool.

    Attributes:
        model: Its id in the catalogue.
        context: Tokens its server is to be started with.
        servers: What it runs on, the one to write down first.
        gguf: Repository and quantisation of a GGUF conversion, `OWNER/NAME:QUANT`.
        weights_gb: Size of its weights as published, where that is not 16 bit.
        chat_template: File in this folder, for a model without a chat template of its own.
        flags: What its server needs on the command line besides.
        roles, extra_body: As in kumiawase.yaml.
        note: What to know before starting it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str
    context: int = Field(ge=16)
    servers: list[Server] = Field(min_length=1)
    gguf: str = ""
    weights_gb: float | None = None
    chat_template: str = ""
    flags: str = ""
    roles: list[Literal["proposer", "aggregator"]] = Field(default_factory=list)
    extra_body: dict[str, Any] = Field(default_factory=dict)
    note: str = ""

    @property
    def entry(self) -> Entry:
        """What the catalogue knows of it."""
        found = catalogue.find(self.model)
        assert found is not None, self.model
        return found

    @property
    def size_gb(self) -> float | None:
        """Gigabytes of its weights as published; None where its size is unknown."""
        if self.weights_gb is not None or self.entry.params_b is None:
            return self.weights_gb
        return 2 * self.entry.params_b

    @property
    def gpus(self) -> int | None:
        """Graphics cards of 80 GB that hold it with room for prompts, a power of two."""
        if self.size_gb is None:
            return None
        return 1 << max(0, math.ceil(math.log2(_ROOM * self.size_gb / _CARD_GB)))


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    about: str
    needs: str
    max_tokens: _MaxTokens | None = None
    members: list[Member] = Field(min_length=2)


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool to start from.

    Attributes:
        about: What it is, in a sentence.
        needs: The machines it takes.
        max_tokens: Most tokens of a reply by role, where the usual ones do not do.
    """

    name: str
    about: str
    needs: str
    max_tokens: Mapping[str, int] | None
    members: tuple[Member, ...]


@cache
def load() -> Mapping[str, Pool]:
    """Return all pools by name, in the order of their names."""
    found = sorted(f.name for f in files(__name__).iterdir() if f.name.endswith(".yaml"))
    return {name: _read(name) for name in (file.removesuffix(".yaml") for file in found)}


def chat_template(name: str) -> str:
    """Return the text of a chat template that a member names."""
    return (files(__name__) / name).read_text(encoding="utf-8")


def _read(name: str) -> Pool:
    text = (files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
    form = _Form.model_validate(yaml.safe_load(text))
    return Pool(
        name,
        " ".join(form.about.split()),
        " ".join(form.needs.split()),
        form.max_tokens.model_dump() if form.max_tokens else None,
        tuple(form.members),
    )
