"""What `doctor` prints: a line a model, what is not as it should be, and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from endpoints.probe import Finding, State
from kumiawase import tables
from kumiawase.checkup import Checkup

_NAMED = 5  # models that a line names
_WORDS: Mapping[State, str] = {"fails": "FAILS", "warn": "WARN", "note": "note"}

Groups = dict[Finding, list[str]]  # what was found → of which models


def models(found: Sequence[Checkup]) -> Table:
    """Return a line for each model: whether it can be used, its context and its first reply."""
    columns = ("model", "", "context", "seconds", "reply")
    return tables.table(columns, [_model(one) for one in found], "context seconds")


def lines(found: Sequence[Checkup]) -> list[str]:
    """Return what is not as it should be, the worst first, each with what is done about it."""
    told = [
        f"{word} {one.check}: {_with_action(one)} ({_whose(who, found)})"
        for state, word in _WORDS.items()
        for one, who in _groups(found, state).items()
    ]
    unknown = Counter(f.check for one in found for f in one.findings if f.state == "unknown")
    if unknown:
        counted = ", ".join(f"{check} ({n} of {len(found)})" for check, n in unknown.items())
        told.append(f"could not tell: {counted}; why, and all else: kumiawase doctor --json")
    return told


def verdict(found: Sequence[Checkup]) -> str:
    """Return in one line whether the search can begin."""
    faults = _groups(found, "fails")
    if faults:
        named = ", ".join(f"{one.check} ({_whose(who, found)})" for one, who in faults.items())
        number = "1 fault, mend it" if len(faults) == 1 else f"{len(faults)} faults, mend them"
        return f"doctor: {number} before the search: {named}"
    warned = len(_groups(found, "warn"))
    more = f", with {warned} warning{'s' * (warned > 1)}" if warned else ""
    return f"doctor: {len(found)} of {len(found)} models answer{more}"


def _model(one: Checkup) -> tuple[str | Text, ...]:
    states = {finding.state for finding in one.findings}
    word = next((_WORDS[state] for state in ("fails", "warn") if state in states), "ok")
    first = one.findings[0]
    said = first.found.removesuffix(f" ({one.seconds:.1f} s)") if first.state == "ok" else ""
    reply = tables.plain(said)
    reply.no_wrap, reply.overflow = True, "ellipsis"
    context = "?" if one.context is None else str(one.context)
    return one.model, word, context, f"{one.seconds:.1f}", reply


def _groups(found: Iterable[Checkup], state: State) -> Groups:
    out: Groups = {}
    for one in found:
        for finding in one.findings:
            if finding.state == state:
                out.setdefault(finding, []).append(one.model)
    return out


def _with_action(one: Finding) -> str:
    return f"{one.found}; {one.action}" if one.action else one.found


def _whose(models: Sequence[str], found: Sequence[Checkup]) -> str:
    if len(models) == len(found) > 1:
        return f"all {len(models)} models"
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return ", ".join(models[:_NAMED]) + more
