"""Whether kumiawase.yaml still says what a study was searched with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.errors import StudyError
from kumiawase.settings import Settings
from kumiawase.wiring import identity
from moa.ensemble import Ensemble


def check(settings: Settings, pins: Mapping[str, Any], ensemble: Ensemble) -> None:
    """Refuse settings that would have other models answer, or other lengths, than were scored.

    Raises:
        StudyError: A member is missing or another one by now, or `max_tokens` changed.
    """
    for name in sorted(ensemble.models):
        if name not in settings.models:
            raise _changed(
                settings,
                f"the settings no longer name {name!r}",
                f"put {name!r} back under `models`",
            )
        if identity(settings, settings.models[name]) != pins["models"].get(name):
            raise _changed(
                settings,
                f"{name!r} is not what was searched with",
                "put its endpoint, served_name, extra_body and tools back, or set the endpoint's"
                " identity",
            )
    for role, limit in settings.form.max_tokens.model_dump().items():
        pinned = pins["max_tokens"].get(role)
        if limit != pinned:
            raise _changed(
                settings, f"max_tokens.{role} was {pinned} and is now {limit}", "undo the change"
            )


def _changed(settings: Settings, fault: str, remedy: str) -> StudyError:
    return StudyError(fault, place=f"study {settings.study!r}", remedy=remedy)
