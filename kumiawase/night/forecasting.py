"""What the settings' search will take: `kumiawase estimate`, and the line a search begins with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import Final

from data.suites import Suite
from data.suites.item import Split
from db.seen import Seen, seen
from db.store import Store
from judges.panel import LEAST_OUTSIDE
from judges.statistics import Estimate, deviation
from kumiawase.judging import verdicts
from kumiawase.proposing import proposers_of, sample_of, surrogate_of
from kumiawase.settings import Settings
from kumiawase.settings.forms import JudgeForm
from kumiawase.wiring import space_of, tariff_of
from moa.ensemble import Ensemble
from optimizer.distinct import Judges
from optimizer.estimate import Forecast, Imagination, Question, estimate
from optimizer.outcome import Outcome
from optimizer.pareto import thrifty
from optimizer.proposers import Proposer
from optimizer.proposers.random import Inbox
from optimizer.simulation import Crew, Scope

ENOUGH: Final = 200  # calls from which the pace of a database is believed
_FEW, _COMPARED = 8, 12  # items that say enough of a spread; ensembles that are compared for it


def forecast(
    settings: Settings,
    suite: Suite,
    store: Store | None,
    parallel: float | None = None,
    *,
    trials: int | None = None,
    imagination: Imagination | None = None,
) -> Forecast:
    """Return what the search will take, by what the database holds where there is one.

    Args:
        settings: The search.
        suite: Its suite.
        store: The database.
        parallel: Requests in flight on average, where somebody knows better than the database.
        trials: Replaces what the settings say, if given.
        imagination: Remembers what was imagined for the forecasts of one search.
    """
    if parallel is None and store is not None:
        parallel = _parallel(store)
    question = _question(settings, suite, store, parallel)
    if trials is not None:
        question = replace(question, scope=replace(question.scope, trials=trials))
    return estimate(question, tariff_of(settings, store), imagination or Imagination())


def scope_of(settings: Settings) -> Scope:
    """Return what the settings' search is to do."""
    form = settings.form.search
    discovery = form.discoverer is not None and form.sampler in ("auto", "discovery")
    return Scope(
        trials=form.trials,
        confirm=form.confirm,
        compared=tuple(settings.form.baselines),
        racing=form.racing == "auto" and form.objective == "score",
        discovery=discovery,
        in_flight=form.in_flight,
        seed=form.seed,
        families={name: model.family for name, model in settings.models.items()},
    )


def _crew(settings: Settings, suite: Suite) -> Crew:
    """Return who proposes in an imagined search: the real ones."""
    space, form = space_of(settings), settings.form.search
    surrogate = surrogate_of(settings, suite, space)
    proposers: tuple[Proposer, ...] = proposers_of(settings, suite, space, surrogate)
    pareto = form.objective == "pareto"
    recommend = thrifty(surrogate.recommend) if pareto else surrogate.recommend
    slow = form.sampler in ("auto", "set-gp", "tpe")
    if form.sampler == "discovery":
        proposers = (Inbox(),)
    return Crew(proposers, recommend, sample_of(settings), slow)


def _question(
    settings: Settings, suite: Suite, store: Store | None, parallel: float | None
) -> Question:
    form = settings.form
    found = store.read(seen(settings.study)) if store else []
    return Question(
        space=space_of(settings),
        suite=suite,
        scope=scope_of(settings),
        crew=partial(_crew, settings, suite),
        judges={
            "search": _judges(settings, form.judge),
            "held_out": _judges(settings, form.report_judge or form.judge),
        },
        limits=(form.max_tokens.proposer, form.max_tokens.aggregator),
        contexts={name: model.context for name, model in settings.models.items()},
        discoverer=form.search.discoverer if scope_of(settings).discovery else None,
        slots={name: spec.max_concurrency for name, spec in settings.endpoints.items()},
        endpoints={name: model.endpoint for name, model in settings.models.items()},
        parallel=parallel,
        paired_sd=_paired_sd(found, suite.weights),
        seed=form.search.seed,
        known=_known(found, settings.models),
        again=_judges(settings, form.judge) if form.report_judge else None,
    )


def _judges(settings: Settings, form: JudgeForm) -> Judges:
    names = verdicts(settings, form)
    own = form.kind == "self"

    def judges(ensemble: Ensemble) -> Sequence[str]:
        """Return who speaks, as `judges.panel` has it."""
        if not own:
            return names
        took_part = {settings.models[model].family for model in ensemble.models}
        outside = [n for n in names if settings.models[n].family not in took_part]
        if len(outside) >= LEAST_OUTSIDE:
            return outside
        writer = settings.models[ensemble.aggregator.model].family
        return [n for n in names if settings.models[n].family != writer]

    return judges


def _parallel(store: Store) -> float | None:
    """Return how many requests were in flight on average while searches ran."""
    usage = [u for u in store.usage() if u.replies and u.role != "audit"]
    running = store.running()
    if sum(u.calls for u in usage) < ENOUGH or running <= 0:
        return None
    return max(sum(u.seconds for u in usage) / running, 1.0)


def _known(found: Sequence[Seen], models: Collection[str]) -> list[Outcome]:
    """Return what was evaluated on the search items, of models that are still there."""
    closed = [
        one
        for one in found
        if one.evaluation.half == "search" and one.evaluation.ensemble.models <= set(models)
    ]
    return [_outcome(one) for one in closed if one.evaluation.state in ("COMPLETE", "PRUNED")]


def _outcome(one: Seen) -> Outcome:
    kept = one.evaluation
    value = kept.value or 0.0
    return Outcome(
        kept.ensemble,
        kept.origin,
        "PRUNED" if kept.state == "PRUNED" else "COMPLETE",
        Estimate(value, kept.low or 0.0, kept.high or 1.0, len(one.scores)),
        one.scores,
        kept.items,
        kept.marked,
        kept.value,
    )


def _paired_sd(found: Sequence[Seen], weights: Mapping[str, float]) -> float | None:
    """Return the deviation between two ensembles on one item, weighed as the study does."""
    halves: tuple[Split, Split] = ("held_out", "search")
    for half in halves:
        whole = [s for s in found if s.evaluation.half == half and len(s.scores) >= _FEW]
        some = [s for s in whole if s.evaluation.state == "COMPLETE"][:_COMPARED]
        pairs = [deviation(a.scores, b.scores, a.strata, weights) for a, b in _pairs(some)]
        if pairs:
            return fmean(pair.error * pair.items**0.5 for pair in pairs)
    return None


def _pairs(some: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    return [(a, b) for a, b in combinations(some, 2) if a.scores.keys() == b.scores.keys()]
