"""One audit: the answers there are, what is asked of them, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from data.errors import ConfigError, RequestError, UserError
from data.observer import Observer
from data.suites import Item, Split, Suite
from data.verdicts.load import Loaded
from db.own_family import own_family
from db.pins import JudgeRole, judged_by
from db.store import Store
from endpoints.completions import Completions
from endpoints.request import Completer
from endpoints.specs import ModelSpec
from judges.audit import (
    Audit,
    Evidence,
    Favour,
    Given,
    Judges,
    Plan,
    Redrawn,
    audit,
    examine,
    plan,
)
from judges.audit.plan import MOST_ROUNDS
from judges.canaries import INJECTED, Kind
from judges.resampling import Z_975
from judges.score import Judge, Score
from kumiawase.auditing.engines import Engines
from kumiawase.auditing.forecast import Charged, Forecast, Unpaid
from kumiawase.auditing.reference import marks
from kumiawase.settings import Settings
from kumiawase.settings.forms import JudgeForm
from kumiawase.wiring import judge_of, judging, pins_of, space_of
from moa.answer import Answer
from moa.conversation import Conversation
from moa.ensemble import Ensemble, single
from optimizer.baselines import singles
from optimizer.items import stratified
from optimizer.scaling import Scaling

Say = Callable[[str], None]

MOST: Mapping[Kind, int] = dict.fromkeys((*INJECTED, "padding"), MOST_ROUNDS)
"""The rounds in which an undecided audit ends."""


class Auditor:
    """One audit with everything it needs open."""

    def __init__(
        self,
        settings: Settings,
        suite: Suite,
        store: Store,
        completions: Completions,
        role: JudgeRole,
        observer: Observer,
        say: Say,
    ) -> None:
        self._settings, self._suite, self._store = settings, suite, store
        self._completions, self._role = completions, role
        self._half: Split = "held_out" if role == "report_judge" else "search"
        self._say = say
        self._form = _form(settings, role)
        self._charged, self._forecast = Charged(completions), Forecast(completions)
        self._engines = Engines(settings, store, completions, self._forecast, observer)
        asked = judging(settings, self._form)
        self._panel = len(asked) > 1
        self._family = "" if self._panel else asked[0].family

    async def run(self, items: int, reference: Loaded | None) -> Audit:
        """Audit the judge, with more twins as long as its noise leaves lines undecided."""
        given = await self._studied()
        if given:
            await self._announce(given, items)
        else:
            given = await self._made(items)
        rounds: Mapping[Kind, int] = {}
        found = await self._examined(given, items, rounds, reference)
        while (more := found.further(rounds)) != rounds:
            rounds = more
            found = await self._examined(given, items, rounds, reference)
        await self._engines.keep()
        return found

    async def _examined(
        self,
        given: Sequence[Given],
        items: int,
        rounds: Mapping[Kind, int],
        reference: Loaded | None,
    ) -> Audit:
        asking = self._plan(given, items, rounds)
        evidence = await examine(given, asking, self._judges(self._charged, _same))
        return audit(self._completed(evidence, reference))

    def _plan(self, given: Sequence[Given], items: int, rounds: Mapping[Kind, int]) -> Plan:
        name = self._judge(self._form, self._completions).name
        return plan(given, name, self._own, items=items, rounds=rounds)

    async def _announce(self, given: Sequence[Given], items: int, before: int = 0) -> None:
        """Say once what is going to be asked in all, `before` calls for answers included."""
        asking, longest = (self._plan(given, items, rounds) for rounds in ({}, MOST))
        least = before + await self._unpaid(given, asking)
        most = before + await self._unpaid(given, longest)
        self._say(_ahead(asking, len(given), before, least, most))

    async def _unpaid(self, given: Sequence[Given], asking: Plan) -> int:
        self._forecast.keys.clear()
        await examine(given, asking, self._judges(self._forecast, Unpaid))
        return len(self._forecast.keys)

    async def _studied(self) -> list[Given]:
        """Return the answers that the judge scored in its study, if that has brought anything."""
        settings = self._settings
        if self._store.vain(settings.study):
            return []
        pins = self._store.pins(settings.study)
        forms = (settings.form.judge, settings.form.report_judge)
        judge, report = (self._gated(form) if form else None for form in forms)
        assert judge is not None
        now = pins_of(settings, self._suite, space_of(settings), judge, report)
        await self._store.pin(settings.study, now)  # refuses what is not the study's any more
        half = self._half
        items = {item.id: item for item in self._suite.items}
        name = self._judge(self._form, self._completions).name
        return [
            Given(items[result.item_id], result.answer, self._author(kept.ensemble), scores)
            for kept in self._store.evaluations(settings.study, half)
            if kept.judge == judged_by(pins)[half]
            for result in self._store.results(kept.id)
            for scores in (_spoken(result.scores, name),)
        ]

    async def _made(self, items: int) -> list[Given]:
        """Let the single models answer; a later search uses these answers, and has paid them."""
        settings, form = self._settings, self._settings.form
        chosen = stratified(self._suite.half("search"), form.search.seed)[:items]
        alone = singles(space_of(settings), form.baselines)
        kept = await self._answers(alone, chosen, self._forecast)
        before = len(self._forecast.keys)
        known = {(one.item.id, one.author) for one in kept}
        lacking = [
            _stand_in(item, ensemble, self._author(ensemble))
            for ensemble in alone
            for item in chosen
            if (item.id, self._author(ensemble)) not in known
        ]
        # A forecast knows a first turn only: the others hold the answer to it.
        before += sum(len(one.item.turns) - 1 for one in lacking)
        await self._announce([*kept, *lacking], items, before)
        given = await self._answers(alone, chosen, self._completions)
        if not given:
            raise UserError(
                "no model of the pool answers",
                place=f"study {settings.study!r}",
                remedy="`kumiawase doctor` says why",
            )
        return given

    async def _answers(
        self, ensembles: Sequence[Ensemble], items: Sequence[Item], completer: Completer
    ) -> list[Given]:
        async def answer(ensemble: Ensemble, item: Item) -> Given | None:
            try:
                found = await self._engines.answer(completer, ensemble, Conversation.of(item))
            except RequestError:
                return None  # the ledger holds the reason; the others say enough of the judge
            return Given(item, found, self._author(ensemble))

        asked = [answer(ensemble, item) for ensemble in ensembles for item in items]
        return [one for one in await asyncio.gather(*asked) if one is not None]

    def _judges(self, completer: Completer, shown: Callable[[Judge], Judge]) -> Judges:
        other, alone = self._other()
        return Judges(
            shown(self._judge(self._form, completer)),
            shown(self._judge(self._form, completer, again=True)),
            shown(self._judge(other, completer)) if other else None,
            alone,
            self._own,
        )

    def _judge(self, form: JudgeForm, completer: Completer, *, again: bool = False) -> Judge:
        """Return a judge, or the same with other draws, behind its rules and its gate."""

        async def answering(ensemble: Ensemble, conversation: Conversation) -> Answer:
            return await self._engines.answer(completer, ensemble, conversation)

        asked = Redrawn(completer) if again else completer
        judge = judge_of(self._settings, form, asked, answering)
        if judge.panel is not None:  # as the study reads its marks, once it has their scale
            Scaling(self._store, judge, judge.panel, self._settings.study, self._role)
        return judge.behind

    def _gated(self, form: JudgeForm) -> Judge:
        """Return a judge as the study's pins know it."""

        async def answering(ensemble: Ensemble, conversation: Conversation) -> Answer:
            return await self._engines.answer(self._completions, ensemble, conversation)

        return judge_of(self._settings, form, self._completions, answering)

    def _own(self, one: Given) -> bool:
        aggregator = self._settings.models.get(one.answer.aggregator)
        return aggregator is not None and aggregator.family == self._family

    def _author(self, ensemble: Ensemble) -> str:
        """Return a single model's name, and any other ensemble's digest."""
        model = ensemble.aggregator.model
        alone = single(model, min(self._settings.form.search.temperatures))
        return model if ensemble.digest == alone.digest else ensemble.digest

    def _other(self) -> tuple[JudgeForm | None, str]:
        """Return a judge of another family to compare with, or why there is none."""
        if self._panel:
            return None, "no member's family took part in answers that others judged"
        settings = self._settings
        models = settings.models
        pool = sorted({*settings.aggregators, *settings.proposers, *settings.form.baselines})
        if all(models[name].family != self._family for name in pool):
            return None, f"no model of the pool is of its family ({self._family})"
        second: JudgeRole = "judge" if self._role == "report_judge" else "report_judge"
        form = settings.form.report_judge if second == "report_judge" else settings.form.judge
        ready: Sequence[ModelSpec] = judging(settings, form) if form else ()
        for model in (*ready, *(models[name] for name in pool)):
            if model.family != self._family:
                return self._form.model_copy(update={"models": [model.name]}), ""
        return None, "no model of another family to compare with: name a report_judge"

    def _completed(self, evidence: Evidence, reference: Loaded | None) -> Evidence:
        favours = []
        if self._panel:
            pins = self._store.pins(self._settings.study)
            found = own_family(self._store, self._settings.study, pins) if pins else []
            for one in (one for one in found if one.half == self._half):
                gap = one.difference
                error = 10 * (gap.high - gap.low) / (2 * Z_975)
                favours.append(Favour(one.judge, 10 * gap.value, error, gap.items))
        known = {
            (one.item.id, one.author): value
            for one in evidence.given
            if (value := one.value(evidence.judge)) is not None
        }
        others = marks(reference) if reference else {}
        return replace(evidence, favours=favours, known=known, reference=others)


def _same(judge: Judge) -> Judge:
    return judge


def _form(settings: Settings, role: JudgeRole) -> JudgeForm:
    if role == "judge":
        return settings.form.judge
    if settings.form.report_judge is None:
        raise ConfigError(
            "the settings name no report_judge", place="--judge report", remedy="add one"
        )
    return settings.form.report_judge


def _spoken(scores: tuple[Score, ...], judge: str) -> tuple[Score, ...]:
    """Return an answer's scores, or none where a rule alone decided."""
    return scores if any(score.judge == judge for score in scores) else ()


def _stand_in(item: Item, ensemble: Ensemble, author: str) -> Given:
    """Return what stands for an answer still to be given: as many verdicts hang on it."""
    texts = tuple(f"{author}: {turn}" for turn in item.turns)
    model = ensemble.aggregator.model
    nothing = Answer(texts, model, frozenset({model}), (), (), False, 0.0, 0, 0, 0, 0.0)
    return Given(item, nothing, author)


def _ahead(asking: Plan, answers: int, before: int, least: int, most: int) -> str:
    first = f"{before} to be given first, " if before else ""
    second = f", {len(asking.compared)} by a second judge" if asking.compared else ""
    about = "about " if before else ""
    more = f", up to {most} while its noise leaves lines undecided" if most > least else ""
    return (
        f"audit of {answers} answers: {first}{len(asking.again)} judged again,"
        f" {len(asking.twins)} twins{second}: {about}{least} calls{more}"
    )
