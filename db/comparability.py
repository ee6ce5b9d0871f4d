"""What makes scores comparable, and what is named where they are not.

A score belongs to a suite with its references, to a judge with its models, prompts and parser,
and to the scale a panel's judges were put on. Judges move scores by more than models differ, so
scores with another of these are never ranked together unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.digest import digest
from db.pins import JudgeRole, first_difference, is_digest, judged_by, short

Pins = Mapping[str, Any]

_SUITE = ("name", "references", "weights", "digest")  # in the order in which a person is told


def comparable_by(pins: Pins) -> str:
    """Return a digest that two studies share if their scores may be ranked together."""
    suite = pins["suite"]
    return digest([suite["digest"], suite["weights"], judged_by(pins)])


def differences(studies: Mapping[str, Pins]) -> list[str]:
    """Return why studies cannot be ranked with the first of them; empty if they can.

    Args:
        studies: Name → pins, at least one.
    """
    (name, pins), *rest = studies.items()
    return [
        f"{found} in {name} and {other}"
        for other, others in rest
        if comparable_by(others) != comparable_by(pins)
        for found in _between(pins, others)
    ]


def _between(first: Pins, second: Pins) -> list[str]:
    mine, others = judged_by(first), judged_by(second)
    found = []
    if any(first["suite"][key] != second["suite"][key] for key in ("digest", "weights")):
        found.append(_suite(first["suite"], second["suite"]))
    if mine["search"] != others["search"]:
        found.append(_judge(first, second, "judge"))
    reported = first.get("report_judge") or second.get("report_judge")
    if reported and mine["held_out"] != others["held_out"]:
        found.append(_judge(first, second, "report_judge"))
    return found


def _suite(first: Pins, second: Pins) -> str:
    changed = next(key for key in _SUITE if first.get(key) != second.get(key))
    return _named(first.get(changed), second.get(changed), f"suite.{changed}")


def _judge(first: Pins, second: Pins, role: JudgeRole) -> str:
    if first.get(role) == second.get(role):
        return f"`{role}` reads its marks on another scale, frozen from other baselines"
    mine, others = (
        pins.get(role) and {k: v for k, v in pins[role].items() if k != "digest"}
        for pins in (first, second)
    )
    if mine == others:
        return f"`{role}.digest` differs"
    return _named(mine, others, role)


def _named(first: object, second: object, path: str) -> str:
    path, mine, others = first_difference(first, second, path) or (path, first, second)
    if is_digest(mine) and is_digest(others):
        return f"`{path}` differs"
    return f"`{path}` is {short(mine)} and {short(others)}"
