"""Settings → objects: the one place that names concrete classes together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from data.digest import digest
from data.observer import Observer
from data.suites import Split, Suite, load_suite
from db.store import Store
from db.studies import open_study, study_lock
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.request import Meter
from endpoints.specs import ModelSpec
from endpoints.tokens import Tokens
from judges import rules
from judges.combined import CombinedJudge
from judges.panel import PanelJudge, choose_members
from judges.rubric import RubricJudge
from judges.score import Judge
from kumiawase.forms import JudgeForm
from kumiawase.knowledge import Knowledge, facts_of
from kumiawase.settings import Settings
from moa import prompts
from moa.engine import Engine, MaxTokens
from moa.fitting import Fitter
from optimizer.archive import Archive
from optimizer.budget import Budget
from optimizer.confirm import reserve
from optimizer.evaluation import Evaluator, Outcome
from optimizer.proposers.discovery import Discovery
from optimizer.sampler import tpe
from optimizer.search import Plan, Search
from optimizer.space import Space
from optimizer.stepping import Together


@dataclass(frozen=True, slots=True)
class Session:
    """A search ready to run."""

    store: Store
    search: Search
    budget: Budget
    closed: int
    knowledge: Knowledge


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


def engine_of(settings: Settings, completions: Completions, fitter: Fitter) -> Engine:
    """Return the engine that lets ensembles answer."""
    limits = settings.form.max_tokens
    return Engine(
        completions,
        prompts.library(),
        MaxTokens(limits.proposer, limits.aggregator),
        native_tools=native_tools(settings.models),
        fitter=fitter,
    )


def native_tools(models: Mapping[str, ModelSpec]) -> frozenset[str]:
    """Return the names of the models that take tools as such."""
    return frozenset(name for name, model in models.items() if model.tools == "native")


def judge_of(settings: Settings, form: JudgeForm, completions: Completions) -> Judge:
    """Return the judge that `judge` or `report_judge` names, rules before it."""

    def member(model: ModelSpec) -> RubricJudge:
        return RubricJudge(
            completions,
            model.name,
            identity=identity(settings, model),
            family=model.family,
            max_tokens=settings.form.max_tokens.judge,
        )

    members = [member(model) for model in judging(settings, form)]
    if form.kind == "rubric":
        return CombinedJudge(members[0])
    families = {name: settings.models[name].family for name in _asked(settings)}
    return CombinedJudge(PanelJudge(members, families, exclude_own_family=form.kind == "self"))


def judging(settings: Settings, form: JudgeForm) -> tuple[ModelSpec, ...]:
    """Return the models that judge: those named, or those chosen from the pool."""
    if form.models:
        return tuple(settings.models[name] for name in dict.fromkeys(form.models))
    return choose_members([settings.models[name] for name in _members(settings)])


def identity(settings: Settings, model: ModelSpec) -> str:
    """Return what a served model is known by: server, name there, and what is always sent."""
    server = settings.endpoints[model.endpoint].identity
    native = ["native tools"] if model.tools == "native" else []
    return digest([server, model.served_name, dict(model.extra_body), *native])


def pins_of(
    settings: Settings, suite: Suite, space: Space, judge: Judge, report_judge: Judge | None
) -> dict[str, object]:
    """Return what makes the study the study it is, field by field."""
    form = settings.form
    asked = _asked(settings)
    return {
        "suite": {
            "name": suite.name,
            "digest": suite.digest,
            "search_items": len(suite.half("search")),
            "held_out_items": len(suite.half("held_out")),
            "weights": dict(suite.weights),
        },
        "judge": _judge_pin(settings, form.judge, judge),
        "report_judge": _judge_pin(settings, form.report_judge, report_judge),
        "baselines": list(form.baselines),
        "models": {name: identity(settings, settings.models[name]) for name in asked},
        "contexts": {name: form.models[name].context for name in asked},
        "space": space.to_json(),
        "max_tokens": form.max_tokens.model_dump(),
        "seed": form.search.seed,
    }


def _judge_pin(
    settings: Settings, form: JudgeForm | None, judge: Judge | None
) -> dict[str, object] | None:
    if form is None or judge is None:
        return None
    names = [model.name for model in judging(settings, form)]
    return {"kind": form.kind, "models": names, "digest": judge.digest}


def _asked(settings: Settings) -> list[str]:
    """Return the models that may stand in an ensemble."""
    return sorted({*_members(settings), *settings.form.baselines})


def _members(settings: Settings) -> list[str]:
    return list(dict.fromkeys((*settings.aggregators, *settings.proposers)))


@asynccontextmanager
async def open_session(settings: Settings, observer: Observer) -> AsyncIterator[Session]:
    """Open a study for searching and close everything behind it, requests in flight included.

    Raises:
        UserError: The suite, the study, the database or a key cannot be used.
    """
    with ExitStack() as stack:
        suite = load_suite(settings.form.suite, settings.folder)
        rules.validate(suite.items)
        store = stack.enter_context(Store.open(settings.storage))
        stack.enter_context(study_lock(settings.storage, settings.study))
        space, budget = space_of(settings), _budget(settings, store, suite)
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
    judge = judge_of(settings, form.judge, completions)
    report = judge_of(settings, form.report_judge, completions) if form.report_judge else None
    await store.pin(settings.study, pins_of(settings, suite, space, judge, report))
    await store.add_prompts(prompts.library())
    facts = await facts_of(settings, store, completions)
    tokens = Tokens(settings.models, completions.endpoints, facts, observer)
    engine = engine_of(settings, completions, Fitter(tokens, facts, completions.known))

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
            racing=form.search.racing == "auto",
            compared=tuple(form.baselines),
            seed=form.search.seed,
        ),
        sample=tpe(form.search.seed) if form.search.sampler in ("auto", "tpe") else None,
        discovery=_discovery(settings, space, store, completions),
        observer=observer,
    )
    return Session(store, search, budget, archive.tried, Knowledge(facts, tokens, completions))


def _discovery(
    settings: Settings, space: Space, store: Store, completions: Completions
) -> Discovery | None:
    form = settings.form.search
    if form.discoverer is None or form.sampler not in ("auto", "discovery"):
        return None
    return Discovery(completions, form.discoverer, space, settings.models, store, settings.study)


def _budget(settings: Settings, store: Store, suite: Suite) -> Budget:
    form = settings.form
    kept = reserve(
        form.budget.calls,
        items=sum(len(item.turns) for item in suite.half("held_out")),
        pool=len(settings.proposers),
        k=form.search.confirm + 2 + len(form.baselines),
        width=form.search.width,
        judges=len(judging(settings, form.report_judge or form.judge)),
    )
    return Budget(form.budget.calls, spent=store.calls(settings.study), kept=kept)


def _archive(store: Store, study: str, judge: Judge, evaluator: Evaluator) -> Archive:
    """Return what earlier runs of the study closed on the search items."""
    closed = [e for e in store.evaluations(study, "search") if e.judge == judge.digest]
    kept = [e for e in closed if e.state in ("COMPLETE", "PRUNED")]
    found = [Outcome.of(e, store.results(e.id)) for e in kept]
    best = Archive(found).incumbent
    return Archive(evaluator.restored(outcome, best) for outcome in found)
