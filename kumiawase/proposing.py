"""Settings → who proposes the ensembles of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optuna.samplers import BaseSampler

from data import catalogue
from data.catalogue import Entry
from data.suites import Suite
from db.store import Store
from db.study_facts import StudyFacts
from endpoints.completions import Completions
from kumiawase.judging import verdicts_a_turn
from kumiawase.settings import Settings
from optimizer.items import item_shares
from optimizer.pareto import WEIGHTS, Thrifty
from optimizer.proposers import Proposer
from optimizer.proposers.audition import Audition
from optimizer.proposers.discovery import Discovery
from optimizer.proposers.discovery.faults import Gate
from optimizer.proposers.evolution import Evolution
from optimizer.proposers.new_calls import Effort
from optimizer.proposers.random import Random, Sometimes
from optimizer.proposers.set_gp import EXPLORED, SetGP
from optimizer.sampler import tpe
from optimizer.space import Space


def surrogate_of(settings: Settings, suite: Suite, space: Space) -> SetGP:
    """Return the surrogate: it recommends whoever proposes, and proposes under `auto`."""
    effort = _effort(settings, suite)
    return SetGP(space, item_shares(suite, "search"), effort, settings.form.search.seed)


def proposers_of(
    settings: Settings, suite: Suite, space: Space, surrogate: SetGP
) -> tuple[Proposer, ...]:
    """Return who proposes trials, first come first served; nobody where Optuna's TPE draws."""
    sampler, seed = settings.form.search.sampler, settings.form.search.seed

    def by_objective(plain: Proposer, make: Callable[[], Proposer]) -> Proposer:
        if settings.form.search.objective == "score":
            return plain
        return Thrifty(plain, {weight: make() for weight in WEIGHTS}, seed)

    if sampler == "evolution":
        return (by_objective(Evolution(space, seed), lambda: Evolution(space, seed)),)
    if sampler in ("auto", "set-gp"):
        audition = Audition(space, item_shares(suite, "search"))
        last = by_objective(surrogate, lambda: surrogate_of(settings, suite, space))
        return (audition, Sometimes(Random(space, seed), EXPLORED, seed), last)
    return ()


def sample_of(settings: Settings) -> Callable[[int], BaseSampler] | None:
    """Return Optuna's sampler for a trial's number where it draws; None where it does not."""
    form = settings.form.search
    return tpe(form.seed) if form.sampler == "tpe" else None


def discovery_of(
    settings: Settings,
    suite: Suite,
    space: Space,
    store: Store,
    completions: Completions,
    texts: dict[str, str],
    gates: Sequence[Gate],
    facts: StudyFacts,
) -> Discovery | None:
    """Return the discovery turn; None where nobody discovers.

    What is discovered joins `texts`; `gates` are asked of each proposal before an item is spent.
    """
    form = settings.form.search
    if form.discoverer is None or form.sampler not in ("auto", "discovery"):
        return None
    discoverer = settings.models[form.discoverer]
    window = facts.facts(discoverer.name).context or discoverer.context
    return Discovery(
        completions,
        form.discoverer,
        space,
        settings.models,
        store,
        settings.study,
        texts=texts,
        known=_catalogued(settings),
        strata={item.id: item.category for item in suite.half("search")},
        weights=suite.weights,
        gates=gates,
        seed=form.seed,
        priced=form.objective == "pareto",
        window=window,
    )


def _effort(settings: Settings, suite: Suite) -> Effort:
    items, limits = suite.half("search"), settings.form.max_tokens
    judged = [item for item in items if item.rule is None or item.rubric]
    turns = sum(len(item.turns) for item in judged)
    return Effort(
        items=len(items),
        later_turns=sum(len(item.turns) - 1 for item in items),
        verdicts=turns * verdicts_a_turn(settings, settings.form.judge),
        shared=limits.proposer == limits.aggregator,
    )


def _catalogued(settings: Settings) -> dict[str, Entry]:
    forms = settings.form.models
    names = {name: forms[name].catalogue or settings.models[name].served_name for name in forms}
    found = {name: catalogue.find(known) for name, known in names.items()}
    return {name: entry for name, entry in found.items() if entry is not None}
