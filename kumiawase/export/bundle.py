"""The exported file: written from a leaderboard row, read by whoever runs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.digest import text_digest
from data.errors import ConfigError
from db.standings import Leaderboard, Standing
from endpoints.specs import EndpointSpec, ModelSpec
from kumiawase import __version__, licences
from kumiawase.settings import Settings, endpoint_spec, model_spec, yaml_lines
from kumiawase.settings.faults import finding
from kumiawase.settings.forms import EndpointForm, MaxTokensForm, ModelForm
from moa.ensemble import Ensemble
from moa.prompts import library

_SECRET = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)


class _Form(BaseModel):
    """What running an exported ensemble needs; the rest of the file is for the reader."""

    model_config = ConfigDict(extra="ignore", strict=True)

    ensemble: dict[str, Any]
    models: dict[str, ModelForm] = Field(min_length=1)
    endpoints: dict[str, EndpointForm] = Field(min_length=1)
    prompts: dict[str, str] = Field(default_factory=dict)
    max_tokens: MaxTokensForm = MaxTokensForm()


@dataclass(frozen=True, slots=True)
class Bundle:
    """An ensemble with all it needs to answer."""

    ensemble: Ensemble
    models: Mapping[str, ModelSpec]
    endpoints: Mapping[str, EndpointSpec]
    prompts: Mapping[str, str]
    max_tokens: MaxTokensForm


def write(
    file: Path,
    settings: Settings,
    board: Leaderboard,
    row: Standing,
    prompts: Mapping[str, str],
    folding: frozenset[str] = frozenset(),
    named: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the file of CONTRACT `export`: no key, no password, nothing outside it needed.

    Args:
        file: Written anew.
        settings: Of the study.
        board: Its leaderboard.
        row: The ensemble.
        prompts: Texts by digest.
        folding: Models found to lose a system turn: whoever runs the file cannot know.
        named: What prompts are called, by digest.
    """
    head = f"# {row.ensemble.label}\n# {board.verdict}\n"
    file.write_text(
        head + dump(document(settings, board, row, prompts, folding, named)), encoding="utf-8"
    )


def document(
    settings: Settings,
    board: Leaderboard,
    row: Standing,
    prompts: Mapping[str, str],
    folding: frozenset[str] = frozenset(),
    named: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the exported file's content."""
    form, ensemble = settings.form, row.ensemble
    members = sorted(ensemble.models)
    endpoints = sorted({form.models[name].endpoint for name in members})
    shown = row.to_json()
    used = {a.prompt for a in (*ensemble.agents, ensemble.aggregator) if a.prompt is not None}
    return {
        "ensemble": ensemble.to_json(),
        "models": {name: _model(form.models[name], name in folding) for name in members},
        "endpoints": {name: _masked(form.endpoints[name]) for name in endpoints},
        "prompts": {name: prompts[name] for name in sorted(used)},
        "max_tokens": form.max_tokens.model_dump(),
        "licences": {
            name: licences.describe(licences.entry_of(name, form.models[name])) for name in members
        },
        "score": {
            "verdict": board.verdict,
            "search": {key: shown[key] for key in ("score", "ci", "items")},
            "held_out": shown["held_out"],
            "judge": board.to_json()["judge"],
        },
        "cost": shown["per_answer"],
        "latency_s": shown["latency_s"],
        "provenance": {
            "study": settings.study,
            "trial": shown["trial"],
            "origin": shown["origin"],
            "digest": ensemble.digest,
            "suite": board.to_json()["suite"],
            "prompts": {name: named[name] for name in sorted(used) if name in named},
            "kumiawase": __version__,
        },
    }


def dump(value: Mapping[str, Any]) -> str:
    """Return YAML that a person can read: keys in order, Japanese as it is."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Write everything out: we refuse aliases when we read."""
        return True


def read(file: Path) -> Bundle:
    """Read an exported ensemble.

    Raises:
        ConfigError: It is none, or a prompt's text does not fit its digest.
    """
    found = yaml_lines.load(file, written_by="kumiawase export -o FILE")
    if not isinstance(found.value, dict) or "ensemble" not in found.value:
        raise ConfigError(
            "is no exported ensemble", place=str(file), remedy="write one with `kumiawase export`"
        )
    try:
        form = _Form.model_validate(found.value)
    except ValidationError as error:
        raise finding(error, found) from None
    for name, text in form.prompts.items():
        if text_digest(text) != name:
            raise ConfigError(
                "the text does not fit its digest",
                place=found.place(("prompts", name)),
                remedy="export the ensemble again",
            )
    return _bundle(form, found, file.resolve().parent)


def study_of(file: Path) -> str:
    """Return the name of the study an exported file came from; empty for any other file."""
    try:
        value = yaml_lines.load(file).value
    except ConfigError:
        return ""
    provenance = value.get("provenance") if isinstance(value, dict) else None
    study = provenance.get("study") if isinstance(provenance, dict) else None
    return study if isinstance(study, str) else ""


def _bundle(form: _Form, found: yaml_lines.Document, folder: Path) -> Bundle:
    prompts = {**library(), **form.prompts}
    ensemble = Ensemble.from_json(
        form.ensemble, prompt=next(iter(library())), place=found.place(("ensemble",))
    )
    for agent in (*ensemble.agents, ensemble.aggregator):
        if agent.model not in form.models:
            raise _missing(found, "models", agent.model)
        if form.models[agent.model].endpoint not in form.endpoints:
            raise _missing(found, "endpoints", form.models[agent.model].endpoint)
        if agent.prompt is not None and agent.prompt not in prompts:
            raise _missing(found, "prompts", agent.prompt)
    return Bundle(
        ensemble,
        {name: model_spec(name, model, folder) for name, model in form.models.items()},
        {name: endpoint_spec(name, endpoint) for name, endpoint in form.endpoints.items()},
        prompts,
        form.max_tokens,
    )


def _missing(found: yaml_lines.Document, section: str, name: str) -> ConfigError:
    return ConfigError(
        f"the ensemble names {name!r}, `{section}` does not",
        place=found.place((section,)),
        remedy="export it again",
    )


def _plain(form: BaseModel) -> dict[str, Any]:
    return form.model_dump(exclude_unset=True)


def _model(form: ModelForm, folds: bool) -> dict[str, Any]:
    """Return the model with what was learned of it, and without its tokenizer: that file stays."""
    learned = {"system_role": "fold"} if folds and form.system_role == "auto" else {}
    return {k: v for k, v in _plain(form).items() if k != "tokenizer"} | learned


def _masked(form: EndpointForm) -> dict[str, Any]:
    """Return the endpoint without what may be a secret: userinfo, keys in query and headers."""
    plain = _plain(form) | {"base_url": _address(form.base_url)}
    if form.identity:
        plain["identity"] = _address(form.identity)
    if "headers" in plain:
        plain["headers"] = {k: v for k, v in form.headers.items() if not _SECRET.search(k)}
    return plain


def _address(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(p for p in parts.query.split("&") if not _SECRET.search(p.partition("=")[0]))
    return urlunsplit(parts._replace(netloc=host, query=query))
