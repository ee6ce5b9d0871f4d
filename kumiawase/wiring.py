"""Settings → objects: the one place that names concrete classes together.

What it is made of stands beside it: `judging` builds the judges, `proposing` the proposers, `pins`
says what a study is, `members` which models take part.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from data.observer import Observer
from data.suites import Split, Suite
from db.locks import study_lock
from db.pins import JudgeRole
from db.store import Store
from db.studies import open_study
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.request import Completer, Meter
from endpoints.specs import ModelSpec
from endpoints.tokens import Tokens
from judges import rules
from judges.combined import CombinedJudge
from judges.score import Judge
from kumiawase.judging import judge_of, judging, verdicts, verdicts_a_turn
from kumiawase.knowledge import Knowledge, facts_of
from kumiawase.limits import limits_of, pin_until
from kumiawase.members import identity
from kumiawase.pins import pins_of
from kumiawase.proposing import discovery_of, proposers_of, sample_of, surrogate_of
from kumiawase.settings import Settings
from kumiawase.settings.forms import JudgeForm
from moa import prompts
from moa.answer import Answer
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import Ensemble
from moa.fitting import Fitter
from optimizer.archive import Archive
from optimizer.budget import Amount, Budget
from optimizer.confirm import Reserve
from optimizer.evaluation import Evaluator
from optimizer.outcome import Outcome
from optimizer.pareto import thrifty
from optimizer.prices import Tariff
from optimizer.proposers.discovery.faults import Gate
from optimizer.proposers.discovery.purse import Purse
from optimizer.proposers.discovery.smoke import Smoke
from optimizer.proposers.discovery.turn import accepted
from optimizer.proposers.discovery.windows import Windows
from optimizer.scaling import Scaling
from optimizer.search import Plan, Search
from optimizer.space import Space
from optimizer.stepping import Together

__all__ = [
    "PATIENCE",
    "Session",
    "budget_of",
    "completions_of",
    "engine_of",
    "identity",
    "judge_of",
    "judging",
    "native_tools",
    "open_session",
    "pins_of",
    "reserve_of",
    "space_of",
    "tariff_of",
    "verdicts_a_turn",
]

PATIENCE = 2 * 3600.0  # seconds of silence of all endpoints that a search waits through


@dataclass(frozen=True, slots=True)
class Session:
    """A search ready to run."""

    store: Store
    search: Search
    budget: Budget
    closed: int
    knowledge: Knowledge
    suite: Suite
    completions: Completions


def space_of(settings: Settings) -> Space:
    """Return the ensembles that settings allow."""
    form = settings.form.search
    return Space(
        proposers=settings.proposers,
        aggregators=settings.aggregators,
        layers=form.layers,
        width=form.width,
        n=form.n,
        temperatures=tuple(form.temperatures),
        prompts=tuple(prompts.library()),
    )


def completions_of(
    settings: Settings, store: Store, meter: Meter, observer: Observer
) -> Completions:
    """Return the way to every model of the settings."""
    models = settings.models.values()
    endpoints = {n: Endpoint(s, models=models, facts=store) for n, s in settings.endpoints.items()}
    return Completions(settings.models, endpoints, store, meter, settings.study, observer)


def engine_of(
    settings: Settings, completions: Completer, fitter: Fitter, texts: Mapping[str, str]
) -> Engine:
    """Return the engine that lets ensembles answer, under prompts of these texts."""
    limits = settings.form.max_tokens
    return Engine(
        completions,
        texts,
        MaxTokens(limits.proposer, limits.aggregator),
        native_tools=native_tools(settings.models),
        fitter=fitter,
    )


def native_tools(models: Mapping[str, ModelSpec]) -> frozenset[str]:
    """Return the names of the models that take tools as such."""
    return frozenset(name for name, model in models.items() if model.tools == "native")


@asynccontextmanager
async def open_session(settings: Settings, observer: Observer) -> AsyncIterator[Session]:
    """Open a study for searching and close everything behind it, requests in flight included.

    Raises:
        UserError: The suite, the study, the database or a key cannot be used.
    """
    with ExitStack() as stack:
        suite = settings.suite()
        rules.validate(suite.items)
        store = stack.enter_context(Store.open(settings.storage))
        stack.enter_context(study_lock(settings.storage, settings.study))
        await pin_until(settings.form.budget.until, settings.study, store)
        space, budget = space_of(settings), budget_of(settings, store, reserve_of(settings, suite))
        completions = completions_of(settings, store, budget, observer)
        try:
            session = await _session(settings, suite, store, space, budget, completions, observer)
            try:
                yield session
            finally:
                await session.knowledge.keep()
        finally:
            await completions.close()


async def _session(
    settings: Settings,
    suite: Suite,
    store: Store,
    space: Space,
    budget: Budget,
    completions: Completions,
    observer: Observer,
) -> Session:
    form = settings.form

    async def answering(ensemble: Ensemble, conversation: Conversation) -> Answer:
        return await engine.answer(ensemble, conversation)  # which is built after the pins

    def judged(chosen: JudgeForm) -> CombinedJudge:
        return judge_of(settings, chosen, completions, answering)

    judge = judged(form.judge)
    report = judged(form.report_judge) if form.report_judge else None
    pins = pins_of(settings, suite, space, judge, report)
    await store.pin(settings.study, pins, renew=True)  # the lock is ours
    scaling = _scaling(settings, store, judge, "judge")
    report_scaling = _scaling(settings, store, report, "report_judge")
    await store.add_prompts(prompts.library())
    facts = await facts_of(settings, store, completions)
    tokens = Tokens(settings.models, completions.endpoints, facts, observer)
    texts = {**store.prompts(), **prompts.library()}
    engine = engine_of(settings, completions, Fitter(tokens, facts, completions.known), texts)
    for ensemble in accepted(store, settings.study, space.ours[0]):
        space.admit(ensemble)  # its prompt is on the menu, whoever discovers today

    shared = any(spec.resident is not None for spec in settings.endpoints.values())
    together = Together() if shared else None

    def evaluator(half: Split, judged_by: Judge) -> Evaluator:
        return Evaluator(
            store,
            engine,
            judged_by,
            suite,
            half,
            study=settings.study,
            seed=form.search.seed,
            observer=observer,
            together=together,
        )

    on_search = evaluator("search", judge)
    surrogate = surrogate_of(settings, suite, space)
    pareto = form.search.objective == "pareto"
    questions = ["\n".join(item.turns) for item in on_search.items]
    bounds = MaxTokens(form.max_tokens.proposer, form.max_tokens.aggregator)
    gates: tuple[Gate, ...] = (
        Windows(facts, tokens, texts, bounds, questions),
        Purse(sum(len(item.turns) for item in on_search.items), lambda: budget.calls_left),
        Smoke(engine, judge, on_search.items),
    )
    archive = _archive(store, settings.study, judge, on_search)
    search = Search(
        open_study(settings.storage, settings.study),
        space,
        archive,
        on_search,
        evaluator("held_out", report or judge),
        budget,
        Plan(
            trials=form.search.trials,
            in_flight=form.search.in_flight,
            confirm=form.search.confirm,
            # Against the best an ensemble that is to be cheap would lose every race.
            racing=form.search.racing == "auto" and not pareto,
            compared=tuple(form.baselines),
            seed=form.search.seed,
            patience=PATIENCE,
        ),
        proposers=proposers_of(settings, suite, space, surrogate),
        sample=sample_of(settings),
        discovery=discovery_of(settings, suite, space, store, completions, texts, gates, facts),
        recommend=thrifty(surrogate.recommend) if pareto else surrogate.recommend,
        observer=observer,
        scaling=scaling,
        report_scaling=report_scaling,
        second=evaluator("held_out", judge) if report else None,
    )
    knowledge = Knowledge(facts, tokens, completions)
    return Session(store, search, budget, archive.tried, knowledge, suite, completions)


def _scaling(
    settings: Settings, store: Store, judge: CombinedJudge | None, role: JudgeRole
) -> Scaling | None:
    if judge is None or judge.panel is None:
        return None
    return Scaling(store, judge, judge.panel, settings.study, role)


def tariff_of(settings: Settings, store: Store | None) -> Tariff:
    """Return what requests cost and take, by what a database holds of any study."""
    return Tariff(settings.models, settings.endpoints, store.usage() if store else ())


def reserve_of(settings: Settings, suite: Suite) -> Reserve:
    """Return what a confirmation will ask at most."""
    form = settings.form
    confirm = form.search.confirm
    return Reserve(
        turns=sum(len(item.turns) for item in suite.half("held_out")),
        ensembles=confirm + 2 + len(form.baselines) if confirm else 0,
        width=form.search.width,
        proposers=settings.proposers,
        aggregators=settings.aggregators,
        judges=verdicts(settings, form.report_judge or form.judge),
        again=verdicts(settings, form.judge) if form.report_judge else [],
    )


def budget_of(
    settings: Settings, store: Store, reserve: Reserve | None = None, *, audit: bool = False
) -> Budget:
    """Return what a study may still take, less what is kept back for its confirmation.

    Searches and audits each have all the calls of the budget to themselves; money is the same
    to whoever pays, and what both cost counts for both.
    """
    form, prices = settings.form.budget, tariff_of(settings, store)
    spent, unseen = store.spent(settings.study), store.unknown(settings.study)
    # A request whose end nobody saw, for our process was killed, may well have been charged.
    # Nor is the price of a model known that is not in the settings any more.
    known = [u for u in unseen if u.model in settings.models]
    charged = sum(u.calls * prices.expected(u.model, u.role) for u in known)
    calls = spent.audited.calls if audit else spent.searched.calls
    return Budget(
        limits_of(settings, store),
        before=Amount(calls, spent.usd + charged, spent.seconds),
        kept=reserve.amount(form.calls, form.usd, prices) if reserve else Amount(),
        prices=prices,
    )


def _archive(store: Store, study: str, judge: Judge, evaluator: Evaluator) -> Archive:
    """Return what earlier runs of the study closed on the search items."""
    closed = [e for e in store.evaluations(study, "search") if e.judge == judge.digest]
    kept = [e for e in closed if e.state in ("COMPLETE", "PRUNED")]
    found = [Outcome.of(e, store.results(e.id)) for e in kept]
    best = Archive(found).incumbent
    return Archive(evaluator.restored(outcome, best) for outcome in found)
