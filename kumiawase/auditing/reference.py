"""Marks from elsewhere, to compare a judge with."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from data.errors import ConfigError
from data.verdicts import Verdict, known_format
from data.verdicts.load import Loaded, load, settle


def read(name: str, path: Path) -> Loaded:
    """Read marks in a published format.

    Raises:
        UserError: They cannot be read, or are choices between two answers.
    """
    form = known_format(name)
    if not form.scales:
        raise ConfigError(
            f"{form.name} holds choices between two answers",
            place="--reference",
            remedy="give marks: fastchat-single, shaberi, japanese-rp-bench or gpt4-autoeval",
        )
    return load(form, [path])


def marks(reference: Loaded) -> dict[tuple[str, str], float]:
    """Return (item, model) → mean mark."""
    settled, _ = settle([one for one in reference.rulings if isinstance(one, Verdict)])
    found: dict[tuple[str, str], list[float]] = {}
    for one in settled:
        if one.sound and one.value is not None:
            found.setdefault((one.task.item, one.model), []).append(one.value)
    return {key: fmean(values) for key, values in found.items()}
