"""Whole sets of verdict files: their rows, what repeats, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from data.errors import SuiteError
from data.lines import Line
from data.verdicts import VerdictFormat
from data.verdicts.files import files_of, objects
from data.verdicts.rows import Fault, Ruling

MISFITS = 0.05
"""Share of a file's rows that may be of no use before the file is taken for another format."""

RulingT = TypeVar("RulingT", bound=Ruling)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files hold.

    Attributes:
        rulings: Every verdict as it stands, repeated ones too.
        misfits: What is no verdict, with its place.
        remarks: What files say that contradicts itself, with its place.
    """

    files: tuple[Path, ...]
    rulings: list[Ruling]
    misfits: list[SuiteError]
    remarks: list[SuiteError]


@dataclass(frozen=True, slots=True)
class Repeated:
    """Verdicts of one judge on one answer, of which one was expected.

    Attributes:
        rulings: All of them, in the order of their files.
        newest: Whether the newest counts; otherwise their mean, for want of times.
    """

    rulings: tuple[Ruling, ...]
    newest: bool


def load(form: VerdictFormat, paths: Iterable[Path]) -> Loaded:
    """Read files, and the fitting files in folders, each once.

    Raises:
        SuiteError: Nothing to read, or files of another format.
    """
    found = [file for path in paths for file in files_of(path, form.patterns)]
    files = {file.resolve(): file for file in found}
    loaded = Loaded(tuple(files.values()), [], [], [])
    for file in loaded.files:
        _read(form, file, loaded)
    return loaded


def settle(rulings: Sequence[RulingT]) -> tuple[list[RulingT], list[Repeated]]:
    """Return one ruling for each judge and answer, and what was repeated.

    Of rulings that all carry a time the newest that can be read counts, else their mean.
    """
    groups: dict[tuple[object, ...], list[RulingT]] = {}
    for ruling in rulings:
        groups.setdefault(ruling.key, []).append(ruling)
    settled, repeated = [], []
    for group in groups.values():
        newest = all(ruling.at is not None for ruling in group)
        settled.append(_newest(group) if newest else _mean(group))
        if len(group) > 1:
            repeated.append(Repeated(tuple(group), newest))
    return settled, repeated


def _read(form: VerdictFormat, file: Path, into: Loaded) -> None:
    """Add what a file holds; its first row must fit, and nearly all of the others."""
    before, rows = len(into.rulings), 0
    misfits: list[SuiteError] = []
    for rows, line in enumerate(objects(file), start=1):
        try:
            _add(form, line, file, into)
        except SuiteError as fault:
            misfits.append(fault)
            if rows == 1:
                raise _another(fault, form) from None
    if len(into.rulings) == before:
        raise SuiteError("no verdict in this file", place=str(file))
    if len(misfits) > MISFITS * rows:
        raise _another(misfits[0], form, f" ({len(misfits)} of {rows} rows)")
    into.misfits.extend(misfits)


def _add(form: VerdictFormat, line: Line | SuiteError, file: Path, into: Loaded) -> None:
    if isinstance(line, SuiteError):
        raise line
    for found in form.read(line, file):
        if isinstance(found, SuiteError):
            into.remarks.append(found)
        else:
            into.rulings.append(found)


def _another(fault: SuiteError, form: VerdictFormat, share: str = "") -> SuiteError:
    remedy = fault.remedy or f"the format {form.name} is that of {form.published_at}"
    return SuiteError(f"{fault.fault}{share}", place=fault.place, remedy=remedy)


def _newest(group: Sequence[RulingT]) -> RulingT:
    return max(group, key=lambda ruling: (ruling.sound, ruling.at or 0.0))


def _mean(group: Sequence[RulingT]) -> RulingT:
    sound = [ruling for ruling in group if ruling.sound]
    if len(sound) < 2:
        return (sound or list(group))[0]
    value = fmean(ruling.value for ruling in sound if ruling.value is not None)
    text = any(ruling.fault is Fault.AS_TEXT for ruling in sound)
    return replace(sound[0], value=value, fault=Fault.AS_TEXT if text else None)
