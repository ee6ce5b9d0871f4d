"""Ensembles ranked, with how sure that is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from data.errors import StudyError
from db.contender import Contender, contenders, cost
from db.seen import Seen, seen
from db.standings import OF, HeldOut, Latency, Leaderboard, PerAnswer, Standing
from db.store import Store
from db.studies import study_names, trials


def rank(store: Store, study: str) -> Leaderboard:
    """Rank the ensembles of a study.

    Confirmed ensembles come first, by held-out score; then the others by search score, pruned
    ones behind complete ones; last, without a rank, those that cannot be ranked: evaluation
    failed or running, under 95 % of the items scored, over 5 % of the answers marked.

    Raises:
        StudyError: No such study.
    """
    pins = store.pins(study)
    if not {"suite", "judge"} <= pins.keys():
        raise _unknown(store, study)
    numbers: dict[str, int] = {}
    for trial in trials(store, study):
        if trial.digest is not None:
            numbers.setdefault(trial.digest, trial.number)
    field = contenders(store.read(seen(study)), pins, numbers)
    return Leaderboard(
        study=study,
        suite=pins["suite"],
        judge=pins["judge"],
        report_judge=pins.get("report_judge"),
        verdict=_verdict(field, _outsiders(pins)),
        confirmations=sum(c.confirmed and c.origin != "baseline" for c in field),
        spent=store.spent(study),
        rows=_rows(field, pins.get("baselines") or []),
    )


def _rows(field: Sequence[Contender], baselines: Sequence[str]) -> tuple[Standing, ...]:
    groups, front = _groups(field), _front(field)
    against = _references(field, baselines)
    return tuple(
        _standing(one, position, groups.get(one.digest), against, one.digest in front)
        for position, one in enumerate(field, start=1)
    )


def _standing(
    one: Contender,
    position: int,
    group: int | None,
    against: Mapping[str, Contender],
    pareto: bool,
) -> Standing:
    main = one.main
    answers = max(len(main.seconds), 1)
    versus = {name: one.versus(other) for name, other in against.items() if other is not one}
    return Standing(
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
        held_out=_held_out(one),
        vs={name: found for name, found in versus.items() if found is not None},
        by_category=_by_category(main),
        per_answer=PerAnswer(main.calls / answers, main.tokens / answers, main.usd / answers),
        latency=Latency(main.percentile(50), main.percentile(95)),
        pareto=pareto,
    )


def _groups(field: Sequence[Contender]) -> dict[str, int]:
    """Return the group of each ranked ensemble: one that its head is not shown to beat."""
    groups: dict[str, int] = {}
    head: Contender | None = None
    number = 0
    for one in field:
        if not one.ranked:
            break
        if head is None or head.told_from(one):
            head, number = one, number + 1
        groups[one.digest] = number
    return groups


def _references(field: Sequence[Contender], baselines: Sequence[str]) -> dict[str, Contender]:
    """Return whom everyone is compared with: each baseline and the best other single model."""
    best: dict[str, Contender] = {}
    for one in field:
        if one.single is not None:
            best.setdefault(one.single, one)
    members = [name for name in best if name not in baselines]
    names = dict.fromkeys((*baselines, *members[:1]))
    return {name: best[name] for name in names if name in best}


def _front(field: Sequence[Contender]) -> set[str]:
    """Return the ensembles that none evaluated in full beats in both score and cost."""
    full = [c for c in field if c.ranked and c.search and c.search.evaluation.state == "COMPLETE"]
    in_money = any(one.main.usd > 0 for one in full)
    points = sorted((cost(c.main, in_money), -(c.value or 0.0), c.digest) for c in full)
    front: set[str] = set()
    best: tuple[float, float] | None = None
    for price, lost, digest in points:
        if best is None or lost < best[1] or (price, lost) == best:
            best = (price, lost)
            front.add(digest)
    return front


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


def _held_out(one: Contender) -> HeldOut | None:
    kept = one.held_out
    if kept is None or not kept.closed or one.confirmation is None:
        return None
    return HeldOut(one.confirmation, kept.items, kept.evaluation.judge_name)


def _by_category(one: Seen) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for item, score in one.scores.items():
        groups.setdefault(one.strata[item], []).append(score)
    return {name: sum(groups[name]) / len(groups[name]) for name in sorted(groups)}


def _unknown(store: Store, study: str) -> StudyError:
    names = study_names(store)
    remedy = f"there are: {', '.join(names)}" if names else "start one with `kumiawase search`"
    return StudyError("no search has begun", place=f"study {study!r}", remedy=remedy)
