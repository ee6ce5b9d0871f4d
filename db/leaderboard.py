"""Ensembles ranked, with how sure that is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from data.errors import StudyError
from data.suites.item import Split
from db.comparability import differences
from db.contender import Comparisons, Contender, contenders
from db.gains import gain
from db.inflation import chosen
from db.lengths import Lengths, lengths
from db.of_ten import OF
from db.own_family import own_family
from db.pareto import Trade, trade
from db.pins import JudgeRole, scale_of
from db.records import Spent
from db.seen import seen
from db.standings import HeldOut, Latency, Leaderboard, PerAnswer, Standing
from db.store import Store
from db.studies import begun, trials
from judges.statistics import Difference

_MIXED = "mixed: scores of other judges or suites stand side by side and prove nothing"


def rank(store: Store, study: str, *others: str, mixed: bool = False) -> Leaderboard:
    """Rank the ensembles of a study, or of several together.

    Confirmed ensembles come first, by held-out score; then the others by search score, pruned
    ones behind complete ones; last, without a rank, those that cannot be ranked: evaluation
    failed or running, under 95 % of the items scored, over 5 % of the answers marked.

    Args:
        store: Holds the studies.
        study: A study.
        others: Studies of the same suite and judges to rank it with.
        mixed: Rank together what other judges or suites scored, and say so.

    Raises:
        StudyError: No such study; or scores that cannot be compared, with what differs.
    """
    pins = {name: begun(store, name) for name in dict.fromkeys((study, *others))}
    apart = differences(pins)
    if apart and not mixed:
        raise StudyError(
            "scores that cannot be compared: " + "; ".join(apart),
            place="studies " + ", ".join(map(repr, pins)),
            remedy="rank them apart, or give --allow-mixed",
        )
    found = [one for name in pins for one in _contenders(store, name, pins[name])]
    field = sorted(_merged(found) if others else found, key=lambda one: one.place)
    first, outsiders = pins[study], set.intersection(*map(_outsiders, pins.values()))
    compared = [name for one in pins.values() for name in one.get("baselines") or []]
    against = _references(field, list(dict.fromkeys(compared)))
    comparisons = Comparisons(field)
    offered = None if apart else trade(field, against, comparisons)
    groups = {} if apart else _groups(field, comparisons)
    sized = {} if apart else _lengths(field)
    return Leaderboard(
        study=" + ".join(pins),
        suite=first["suite"],
        judge=first["judge"],
        report_judge=first.get("report_judge"),
        verdict=_MIXED if apart else _verdict(field, outsiders),
        confirmations=sum(c.confirmed and c.origin != "baseline" for c in field),
        spent=sum((store.spent(name) for name in pins), Spent()),
        rows=_rows(field, _versus(field, against, comparisons), groups, offered, sized),
        pareto=offered,
        chosen=None if apart else chosen(field),
        gain=gain(field, outsiders) if first.get("report_judge") and not apart else None,
        own_family=tuple(own_family(store, study, first)) if len(pins) == 1 else (),
        scales={} if apart else _scales(first),
        lengths=sized,
        mixed=tuple(apart),
    )


def _contenders(store: Store, study: str, pins: Mapping[str, Any]) -> list[Contender]:
    numbers: dict[str, int] = {}
    for trial in trials(store, study):
        if trial.digest is not None:
            numbers.setdefault(trial.digest, trial.number)
    return contenders(study, store.read(seen(study)), pins, numbers)


def _merged(found: Sequence[Contender]) -> list[Contender]:
    """Return the ensembles, those once that several studies scored alike."""
    kept: dict[tuple[object, ...], Contender] = {}
    for one in found:
        scores = [half and tuple(half.scores.items()) for half in (one.search, one.held_out)]
        same = (one.digest, one.key, *scores)
        twin = kept.get(same)
        kept[same] = replace(twin, study=f"{twin.study} + {one.study}") if twin else one
    return list(kept.values())


def _scales(pins: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    roles: tuple[JudgeRole, ...] = ("judge", "report_judge")
    found = {role: scale_of(pins, role) for role in roles}
    return {role: scale for role, scale in found.items() if scale is not None}


def _rows(
    field: Sequence[Contender],
    versus: Mapping[Contender, Mapping[str, Difference]],
    groups: Mapping[Contender, int],
    offered: Trade | None,
    sized: Mapping[Split, Lengths],
) -> tuple[Standing, ...]:
    front = {one for one in field if offered and offered.holds(one)}
    return tuple(
        _standing(one, position, groups.get(one), versus[one], one in front, sized)
        for position, one in enumerate(field, start=1)
    )


def _standing(
    one: Contender,
    position: int,
    group: int | None,
    versus: Mapping[str, Difference],
    pareto: bool,
    sized: Mapping[Split, Lengths],
) -> Standing:
    main = one.main
    answers = max(len(main.seconds), 1)
    return Standing(
        study=one.study,
        rank=position if one.ranked else None,
        group=group,
        trial=one.trial,
        ensemble=one.ensemble,
        digest=one.digest,
        origin=one.origin,
        state=main.evaluation.state,
        estimate=one.estimate,
        items=main.items,
        unscored=main.unscored,
        coverage=main.coverage,
        marked=main.evaluation.marked,
        micro=one.search.micro if one.search else None,
        bounds=one.bounds,
        adjusted=_adjusted(one, sized.get("search")),
        held_out=_held_out(one, sized.get("held_out")),
        vs=versus,
        by_category=main.by_category,
        per_answer=PerAnswer(main.calls / answers, main.tokens / answers, main.usd / answers),
        latency=Latency(main.percentile(50), main.percentile(95)),
        pareto=pareto,
        seen=tuple(half for half in (one.search, one.held_out) if half),
    )


def _groups(field: Sequence[Contender], compared: Comparisons) -> dict[Contender, int]:
    """Return the group of each ranked ensemble: one that its head is not shown to beat."""
    left = [one for one in field if one.ranked]
    groups: dict[Contender, int] = {}
    number = 0
    while left:
        number += 1
        equals = 1 + compared.first(left[0], left[1:], apart=True)
        groups |= dict.fromkeys(left[:equals], number)
        left = left[equals:]
    return groups


def _versus(
    field: Sequence[Contender], references: Mapping[str, Contender], compared: Comparisons
) -> dict[Contender, dict[str, Difference]]:
    """Return by ensemble, then by reference, how each differs from each it shares items with."""
    found: dict[Contender, dict[str, Difference]] = {one: {} for one in field}
    for name, reference in references.items():
        others = [one for one in field if one is not reference]
        gaps = compared.versus([(one, reference) for one in others])
        for one, gap in zip(others, gaps, strict=True):
            if gap is not None:
                found[one][name] = gap
    return found


def _references(field: Sequence[Contender], baselines: Sequence[str]) -> dict[str, Contender]:
    """Return whom everyone is compared with: each baseline and the best other single model."""
    best: dict[str, Contender] = {}
    for one in field:
        if one.single is not None:
            best.setdefault(one.single, one)
    members = [name for name in best if name not in baselines]
    names = dict.fromkeys((*baselines, *members[:1]))
    return {name: best[name] for name in names if name in best}


def _verdict(field: Sequence[Contender], outsiders: Collection[str]) -> str:
    """Return the one sentence that leaderboard, report and export say first.

    It is about the pool: compared models that are no members are in `vs` alone. As long as the
    pool's best single model or every combination lacks a held-out score, nothing is proved.
    """
    pool = [one for one in field if one.single not in outsiders]
    if not pool or not pool[0].ranked:
        return "no ensemble could be ranked yet"
    combined = [one for one in pool if one.single is None]
    single = next((one for one in pool if one.confirmed and one.single is not None), None)
    if single is None or (combined and not any(one.confirmed for one in combined)):
        leading = max(pool, key=lambda one: (one.ranked, one.value or 0.0))
        return f"nothing is confirmed yet: {leading.ensemble.label} leads on the search items"
    top = pool[0]
    found = None if top is single else top.versus(single)
    if found is None or found.low <= 0:
        return f"no ensemble proved better than {single.single}"
    return (
        f"{top.ensemble.label} beats {single.single} by {found.value * OF:.2f} "
        f"[{found.low * OF:.2f}, {found.high * OF:.2f}] of {OF} on {found.items} held-out items"
    )


def _outsiders(pins: Mapping[str, Any]) -> set[str]:
    """Return the compared models that are no members of the pool."""
    space = pins.get("space") or {}
    members = {*space.get("proposers", ()), *space.get("aggregators", ())}
    return set(pins.get("baselines") or ()) - members


def _lengths(field: Sequence[Contender]) -> dict[Split, Lengths]:
    halves: tuple[Split, ...] = ("search", "held_out")
    found = {half: lengths(field, half) for half in halves}
    return {half: one for half, one in found.items() if one is not None}


def _adjusted(one: Contender, sized: Lengths | None) -> float | None:
    return sized.adjusted.get(one) if sized else None


def _held_out(one: Contender, sized: Lengths | None) -> HeldOut | None:
    kept = one.held_out
    if kept is None or one.confirmation is None or not one.confirmed:
        return None
    judge, bounds = kept.evaluation.judge_name, one.confirmed_bounds
    adjusted = _adjusted(one, sized)
    return HeldOut(one.confirmation, kept.items, judge, kept.micro, bounds, adjusted)
