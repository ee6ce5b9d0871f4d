"""What a study has done, spent and waited for: all that `status` shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from db.records import Evaluation, Health, Reason, Spent, Worker
from db.store import Store
from db.studies import trials
from kumiawase import tables
from kumiawase.limits import limits_of
from kumiawase.night import ending, expected, waits
from kumiawase.reading import counted
from kumiawase.settings import Settings
from kumiawase.tables import duration
from optimizer.budget import Amount, Budget, Level

NARROW: Final = 72  # columns in which the eight of the endpoints would fold within words
_OVER: Final = 1.005  # share that is not 100 % any more as it is shown
_ENDED: Final = {"COMPLETE": "done", "PRUNED": "pruned", "FAILED": "failed", "RUNNING": "begun"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How an endpoint fared.

    Attributes:
        calls: Requests whose end is known.
        failed: Those that brought no completion, by how they ended.
        lost_s: Seconds they took.
        slots: Requests it was found to bear at a time; None where no run has told.
        paused_s: Seconds it was left alone at its own wish.
        away_s: Model → seconds it did not answer.
        away_now: Model → why, if it does not answer.
    """

    name: str
    calls: int
    failed: Mapping[str, int]
    lost_s: float
    slots: int | None
    max_concurrency: int
    paused_s: float
    away_s: Mapping[str, float]
    away_now: Mapping[str, str]

    @property
    def error_rate(self) -> float:
        """Share of the requests that failed."""
        return sum(self.failed.values()) / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Overview:
    """A study at one moment.

    Attributes:
        last_end: How the last search ended, in one line; empty while one is at work.
        lacking: Baselines that could not be evaluated so far.
        trials: Ensembles of the search by state, `wanted` and `retried` (asked again because the
            process at work on them had died).
        evaluations: Those whose scores count, by half and state.
        unscored: Answers without a score, and `marked` those made of fewer references.
        limits: How far each limit of the budget is used, the nearest first.
        estimate: Quantity → expected, took, and once all is done how far off that was; None
            where none was made for these settings.
    """

    study: str
    searching: Sequence[Worker]
    last_end: str
    lacking: Sequence[str]
    trials: Mapping[str, int]
    evaluations: Mapping[str, int]
    unscored: int
    marked: int
    spent: Spent
    endpoints: Sequence[Endpoint]
    limits: Sequence[Level]
    estimate: Mapping[str, Mapping[str, float]] | None
    reasons: Sequence[Reason]

    def to_json(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        return {
            "study": self.study,
            "searching": [{"host": w.host, "pid": w.pid} for w in self.searching],
            "last_end": self.last_end,
            "lacking": list(self.lacking),
            "trials": dict(self.trials),
            "evaluations": dict(self.evaluations),
            "unscored": self.unscored,
            "marked": self.marked,
            "spent": asdict(self.spent),
            "endpoints": [{**asdict(e), "error_rate": e.error_rate} for e in self.endpoints],
            "limits": [{**asdict(level), "share": level.share} for level in self.limits],
            "estimate": self.estimate,
            "reasons": [asdict(reason) for reason in self.reasons],
        }


def overview(settings: Settings, store: Store) -> Overview:
    """Return what the database holds of the settings' study."""
    study = settings.study
    spent, evaluations = store.spent(study), counted(store, study)
    workers, notes = store.workers(study), store.notes(study)
    note = notes.get(expected.NOTE)
    made = note if expected.kept_for(settings, note) else None
    whole = ending.finished(notes.get(ending.NOTE), workers)
    compared = expected.against if whole else expected.so_far
    before = Amount(spent.searched.calls, spent.usd, spent.seconds)
    told = [notes[waits.NOTE + w.id] for w in workers if waits.NOTE + w.id in notes]
    return Overview(
        study=study,
        searching=[worker for worker in workers if worker.at_work],
        last_end=ending.told(notes.get(ending.NOTE), workers),
        lacking=_lacking(evaluations),
        trials=_trials(settings, store, evaluations),
        evaluations=Counter(f"{e.half} {e.state}".lower() for e in evaluations),
        unscored=sum(e.unscored for e in evaluations),
        marked=sum(e.marked for e in evaluations),
        spent=spent,
        endpoints=[_endpoint(settings, h, told) for h in store.health(study)],
        limits=Budget(limits_of(settings, store), before).levels,
        estimate=compared(made, spent) if made else None,
        reasons=store.reasons(study),
    )


def _lacking(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return the baselines that could not be evaluated so far."""
    return sorted(
        e.ensemble.label
        for e in evaluations
        if e.half == "search" and e.origin == "baseline" and e.state == "FAILED"
    )


def _trials(settings: Settings, store: Store, evaluations: Sequence[Evaluation]) -> dict[str, int]:
    mine = [e for e in evaluations if e.half == "search" and e.origin != "baseline"]
    states = Counter(_ENDED[e.state] for e in mine)
    asked = trials(store, settings.study)
    return {
        "wanted": settings.form.search.trials,
        **{state: states[state] for state in _ENDED.values()},
        "retried": sum(trial.retries for trial in asked),
        "given_up": sum(trial.state == "FAIL" and trial.retries > 0 for trial in asked),
    }


def _endpoint(settings: Settings, found: Health, told: Sequence[Mapping[str, Any]]) -> Endpoint:
    """Return an endpoint's health: what the ledger holds, and what each run has told, in order."""
    runs = [one[found.endpoint] for one in told if found.endpoint in one]
    last = runs[-1] if runs else {}
    away: dict[str, float] = defaultdict(float)
    for run in runs:
        for model, seconds in run["away_s"].items():
            away[model] += seconds
    spec = settings.endpoints.get(found.endpoint)
    return Endpoint(
        name=found.endpoint,
        calls=found.calls,
        failed=found.failed,
        lost_s=found.lost,
        slots=last.get("slots"),
        max_concurrency=spec.max_concurrency if spec else 0,
        paused_s=sum(run["paused_s"] for run in runs),
        away_s=dict(away),
        away_now=last.get("away_now", {}),
    )


def line(found: Overview) -> str:
    """Return how far it is in one line: what changes when an evaluation begins or ends."""
    closed = sum(found.trials[state] for state in ("done", "pruned", "failed"))
    confirmed = found.evaluations.get("held_out complete", 0)
    return (
        f"trials {closed} of {found.trials['wanted']}, {found.trials['begun']} begun;"
        f" confirmed {confirmed}"
    )


def rendered(found: Overview, width: int) -> RenderableType:
    """Return it for a person: what is done, what it took, what went wrong.

    In few columns of `width` the endpoints are no table.
    """
    parts: list[RenderableType] = [_head(found), _counts(found)]
    if found.lacking:
        named = ", ".join(found.lacking)
        parts.append(tables.plain(f"baselines that could not be evaluated so far: {named}"))
    if found.limits:
        parts.append(Text(f"limits: {', '.join(_level(level) for level in found.limits)}"))
    if found.estimate:
        parts.append(Text(expected.told(found.estimate)))
    shares = [
        (name, f"{s.calls:,}", f"{s.tokens:,}", f"{s.usd:.4f}")
        for group in (found.spent.by_role, found.spent.by_model)
        for name, s in sorted(group.items())
    ]
    columns = ("role or model", "calls", "tokens", "USD")
    parts += [Text(), tables.table(columns, shares, "calls tokens USD"), Text()]
    parts += [_health(found)] if width >= NARROW else _in_words(found)
    parts += [tables.plain(f"{reason.number} x {reason.text}") for reason in found.reasons]
    return Group(*parts)


def _head(found: Overview) -> RenderableType:
    pids = ", ".join(f"process {w.pid} on {w.host}" for w in found.searching)
    last = f"; the last search {found.last_end}" if found.last_end else ""
    return tables.plain(
        f"study {found.study}: " + (f"searched by {pids}" if pids else f"nobody searches it{last}")
    )


def _counts(found: Overview) -> RenderableType:
    counts = dict(found.trials)
    wanted = counts.pop("wanted")
    shown = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n)
    held_out = {
        state.removeprefix("held_out "): n
        for state, n in found.evaluations.items()
        if state.startswith("held_out ")
    }
    confirmed = ", ".join(f"{n} {state}" for state, n in sorted(held_out.items())) or "none"
    return Text(
        f"trials: {shown or 'none'} of {wanted} wanted; confirmation: {confirmed};"
        f" {found.unscored} answers unscored, {found.marked} made of fewer references"
    )


def _level(level: Level) -> str:
    used = f"{level.share:.0%}"
    if level.share > _OVER:  # one that was lowered may lie far behind: how far tells nothing
        used = "passed" if level.name == "until" else "over the budget"
    if level.name in ("hours", "until"):
        return f"{level.name} {duration(level.spent)} of {duration(level.limit)} ({used})"
    return f"{level.name} {level.spent:,.10g} of {level.limit:,.10g} ({used})"


def _health(found: Overview) -> RenderableType:
    rows = [
        (
            one.name,
            f"{one.calls:,}",
            f"{one.error_rate:.1%}",
            _slots(one),
            duration(one.lost_s),
            duration(one.paused_s),
            duration(sum(one.away_s.values())),
            _state(one, at_work=bool(found.searching)),
        )
        for one in found.endpoints
    ]
    columns = ("endpoint", "calls", "failed", "slots", "lost", "paused", "away", "state")
    return tables.table(columns, rows, "calls failed slots lost paused away")


def _in_words(found: Overview) -> list[RenderableType]:
    return [
        tables.plain(
            f"{one.name}: {one.calls:,} calls, {one.error_rate:.1%} failed; slots {_slots(one)};"
            f" lost {duration(one.lost_s)}, paused {duration(one.paused_s)},"
            f" away {duration(sum(one.away_s.values()))};"
            f" {_state(one, at_work=bool(found.searching))}"
        )
        for one in found.endpoints
    ]


def _slots(one: Endpoint) -> str:
    return f"{one.slots or '?'}/{one.max_concurrency}"


def _state(one: Endpoint, *, at_work: bool) -> str:
    silent = "does not answer" if at_work else "did not answer in the end"
    away = ", ".join(f"{model} {silent}" for model in one.away_now)
    ends = ", ".join(f"{n} {end}" for end, n in sorted(one.failed.items(), key=lambda e: -e[1]))
    return "; ".join(part for part in (away, ends) if part) or "ok"
