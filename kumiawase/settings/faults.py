"""What pydantic finds wrong with a form, as one line with place, fault and remedy."""

from __future__ import annotations

import difflib

from pydantic import BaseModel, ValidationError

from data.errors import ConfigError
from kumiawase.settings.forms import (
    BudgetForm,
    EndpointForm,
    JudgeForm,
    MaxTokensForm,
    ModelForm,
    NotifyForm,
    SearchForm,
    SettingsForm,
)
from kumiawase.settings.yaml_lines import Document


def finding(error: ValidationError, document: Document) -> ConfigError:
    """Turn pydantic's first finding into a line with place, fault and remedy."""
    found = error.errors()[0]
    path = tuple(found["loc"])
    name = ".".join(map(str, path))
    place, word = document.place(path), str(path[-1]) if path else ""
    if found["type"] == "extra_forbidden":
        return ConfigError(f"unknown key {name!r}", place=place, remedy=_meant(word, path))
    if found["type"] == "missing":
        return ConfigError(f"{name!r} is missing", place=place, remedy="add it")
    return ConfigError(f"{name!r}: {_lower(found['msg'])}", place=place, remedy="mend the value")


def _meant(word: str, path: tuple[int | str, ...]) -> str:
    """Return what the user may have meant by an unknown key."""
    forms: dict[str, type[BaseModel]] = {
        "endpoints": EndpointForm,
        "models": ModelForm,
        "judge": JudgeForm,
        "report_judge": JudgeForm,
        "max_tokens": MaxTokensForm,
        "search": SearchForm,
        "budget": BudgetForm,
        "notify": NotifyForm,
    }
    form = forms.get(str(path[0]), SettingsForm) if len(path) > 1 else SettingsForm
    close = difflib.get_close_matches(word, form.model_fields, 1)
    return f"did you mean {close[0]!r}?" if close else "remove it"


def _lower(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
