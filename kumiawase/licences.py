"""The licences of models, as far as the catalogue knows them, in words for the user."""

from __future__ import annotations

from collections.abc import Iterable

from data import catalogue
from data.catalogue import Entry
from kumiawase.settings.forms import ModelForm

_USES = {
    "allowed": "commercial use allowed",
    "conditions": "commercial use with conditions",
    "forbidden": "FORBIDS commercial use",
    None: "commercial use unclear",
}


def entry_of(name: str, form: ModelForm) -> Entry | None:
    """Return what the catalogue knows of a model of the settings."""
    return catalogue.find(form.catalogue or form.served_name or name)


def describe(entry: Entry | None) -> str:
    """Return a model's licence and what it says about commercial use."""
    if entry is None:
        return "unknown: not in the catalogue"
    if not entry.licence:
        return "unknown: the catalogue has none"
    doubt = entry.evidence["licence"]
    source = f" ({doubt})" if "doubts" in doubt else ""
    return f"{entry.licence}{source}: {_USES[entry.commercial_use]}"


def warning(entry: Entry | None) -> tuple[str, ...]:
    """Return a line for a licence that forbids commercial use, else nothing."""
    if entry is None or entry.commercial_use != "forbidden":
        return ()
    return (f"Licence: {describe(entry)}.",)


def warnings(models: Iterable[tuple[str, ModelForm]]) -> list[str]:
    """Return a line for each model whose licence forbids commercial use."""
    return [
        f"{name}: {describe(entry)}"
        for name, entry in ((name, entry_of(name, form)) for name, form in models)
        if warning(entry)
    ]
