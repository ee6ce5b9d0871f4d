"""The models of a study, and by what each of them is known."""

from __future__ import annotations

from data.digest import digest
from endpoints.specs import ModelSpec
from kumiawase.settings import Settings


def identity(settings: Settings, model: ModelSpec) -> str:
    """Return what a served model is known by: server, name there, and what is always sent."""
    server = settings.endpoints[model.endpoint].identity
    native = ["native tools"] if model.tools == "native" else []
    return digest([server, model.served_name, dict(model.extra_body), *native])


def asked(settings: Settings) -> list[str]:
    """Return the models that may stand in an ensemble."""
    return sorted({*members(settings), *settings.form.baselines})


def members(settings: Settings) -> list[str]:
    """Return the pool, aggregators first."""
    return list(dict.fromkeys((*settings.aggregators, *settings.proposers)))
