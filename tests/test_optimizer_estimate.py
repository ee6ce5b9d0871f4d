"""Counted requests are those a search sends; what is estimated comes from the suite and the space.

Against whole rehearsals of several settings and pools docs/design/night.md holds the figures.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import correlation, fmean
from typing import Any

import pytest

from data.digest import digest
from data.suites import Item, Suite
from data.suites.item import Split
from db.records import Usage
from endpoints.specs import EndpointSpec, ModelSpec
from judges.power import detectable
from moa.answer import Answer
from moa.ensemble import Agent, Ensemble, single
from optimizer.archive import Archive
from optimizer.distinct import Halves, distinct
from optimizer.estimate import LEAST, PAIRED_SD, SLOW, Forecast, Imagination, Question, estimate
from optimizer.imagined import World
from optimizer.items import item_shares, stratified
from optimizer.outcome import Outcome
from optimizer.prices import ENOUGH, Tariff
from optimizer.proposers.audition import Audition
from optimizer.proposers.new_calls import Effort
from optimizer.proposers.random import Inbox, Random
from optimizer.proposers.set_gp import SetGP
from optimizer.sampler import tpe
from optimizer.simulation import Asked, Crew, Scope, asked
from optimizer.space import Space
from tests.support.pool import PROMPT, SPACE, STUDY, Lab, TableJudge, suite

SUITE = suite(categories=2, each=8)
SCOPE = Scope(12, 2, (), racing=False, discovery=False, in_flight=4)
WIDE = Space(tuple("abcdefghijk"), tuple("abcdefghijk"), 2, 4, 2, (0.0, 0.7), (PROMPT,))
MODELS = {n: ModelSpec(n, "e", n, n, input_price=1.0, output_price=2.0) for n in WIDE.proposers}
ENDPOINTS = {"e": EndpointSpec("e", "http://127.0.0.1/v1", max_concurrency=4)}
LIMITS = (1024, 2048)


def nobody(ensemble: Ensemble) -> tuple[str, ...]:  # noqa: ARG001 - the form of `Judges`
    return ()


def j_judges(ensemble: Ensemble) -> tuple[str, ...]:  # noqa: ARG001 - the form of `Judges`
    return ("j",)


def j_twice(ensemble: Ensemble) -> tuple[str, ...]:
    return (*j_judges(ensemble), *j_judges(ensemble))


def k_judges(ensemble: Ensemble) -> tuple[str, ...]:  # noqa: ARG001 - the form of `Judges`
    return ("k",)


def halves(items: tuple[Item, ...] = ()) -> Halves:
    sides: tuple[Split, Split] = ("search", "held_out")
    chosen: dict[Split, Any] = {h: items or stratified(SUITE.half(h), 0) for h in sides}
    return Halves(chosen, lambda item: item.rule is None)


def counted(*some: Asked, items: tuple[Item, ...] = (), judges: Any = nobody) -> dict[str, int]:
    found = distinct(some, halves(items), {"search": judges, "held_out": judges}, LIMITS)
    roles: dict[str, int] = {kind.role: 0 for kind in found}
    for kind, requests in found.items():
        roles[kind.role] += requests.number
    return roles


def layer(*agents: Agent) -> tuple[Agent, ...]:
    return agents


WRITER = Agent("a", 0.0, prompt=PROMPT)
TWO = Ensemble((layer(Agent("a", 0.7, 2), Agent("b", 0.0)),), WRITER)


def test_equal_requests_count_once_and_more_items_add_the_rest() -> None:
    assert counted(Asked(TWO, "search", 10)) == {"proposer": 30, "aggregator": 10}
    other = replace(TWO, aggregator=Agent("b", 0.0, prompt=PROMPT))
    both = counted(Asked(TWO, "search", 10), Asked(other, "search", 16))
    assert both == {"proposer": 48, "aggregator": 26}
    assert counted(Asked(other, "search", 16), Asked(TWO, "search", 10)) == both
    again = counted(Asked(TWO, "search", 10), Asked(TWO, "held_out", 10))
    assert again == {"proposer": 60, "aggregator": 20}


def test_a_second_layer_is_shared_only_with_the_same_first() -> None:
    deep = Ensemble((*TWO.layers, layer(Agent("c", 0.0, prompt=PROMPT))), WRITER)
    wide = Ensemble((layer(Agent("b", 0.0)), *deep.layers[1:]), WRITER)
    found = counted(Asked(TWO, "search", 4), Asked(deep, "search", 4), Asked(wide, "search", 4))
    assert found == {"proposer": 4 * (3 + 1 + 1), "aggregator": 4 * 3}


def test_judges_read_answers_that_no_rule_decides_each_once() -> None:
    rule = {"kind": "exact"}
    items = tuple(
        Item(f"{n}", "分野", ("問い",), "search", rule=rule if n % 2 else None) for n in range(6)
    )
    found = counted(Asked(single("a", 0.0), "search", 6), items=items, judges=j_judges)
    assert found == {"aggregator": 6, "judge": 3}


def test_both_orders_are_two_verdicts_and_a_second_judge_reads_what_leads() -> None:
    one = Asked(single("a", 0.0), "held_out", 6)
    assert counted(one, judges=j_twice)["judge"] == 2 * counted(one, judges=j_judges)["judge"]
    kinds: list[int] = []
    for leads in (False, True):
        sides: Any = {"search": j_judges, "held_out": j_judges}
        found = distinct([replace(one, again=leads)], halves(), sides, LIMITS, k_judges)
        kinds.append(sum(r.number for kind, r in found.items() if kind.model == "k"))
    assert kinds == [0, counted(one, judges=j_judges)["judge"]]


def test_later_turns_hold_own_answers_and_are_shared_with_nobody() -> None:
    items = tuple(Item(f"{n}", "分野", ("一", "二"), "search") for n in range(3))
    warm = replace(TWO, aggregator=Agent("b", 0.0, prompt=PROMPT))
    found = counted(Asked(TWO, "search", 3), Asked(warm, "search", 3), items=items)
    assert found == {"proposer": 9 + 18, "aggregator": 2 * 6}


async def test_a_search_sends_exactly_the_requests_that_are_counted(tmp_path: Path) -> None:
    with Lab(tmp_path, asked=SUITE) as lab:
        await lab.search(trials=8, confirm=2, sampled=True).run()
        some = [Asked(e.ensemble, e.half, e.items) for e in lab.store.evaluations(STUDY)]
        sent = len(lab.models.kept)  # by all that decides a reply
    found = distinct(some, halves(), {"search": nobody, "held_out": nobody}, LIMITS)
    assert sum(requests.number for requests in found.values()) == sent


def by_score(archive: Archive) -> list[Outcome]:
    return archive.best(len(archive))


def optunas() -> Crew:
    return Crew((), by_score, tpe(0))


def auto(space: Space = SPACE, items: Suite = SUITE) -> Crew:
    """Who proposes by default, as `kumiawase.proposing` has it."""
    shares = item_shares(items, "search")
    surrogate = SetGP(space, shares, Effort(len(shares), verdicts=len(shares)), 0)
    return Crew((Audition(space, shares), surrogate), surrogate.recommend)


def test_an_imagined_search_does_what_the_real_one_does() -> None:
    found = asked(SPACE, SUITE, SCOPE, optunas(), 0)
    search = [one for one in found if one.half == "search"]
    held_out = [one for one in found if one.half == "held_out"]
    assert len({one.ensemble.digest for one in search}) == len(search) == 3 + 2 + SCOPE.trials
    assert all(SPACE.contains(one.ensemble) for one in search)
    assert len(held_out) == 2 + SCOPE.confirm
    assert (
        asked(SPACE, SUITE, SCOPE, optunas(), 0)
        == found
        != asked(SPACE, SUITE, SCOPE, optunas(), 1)
    )


def test_only_what_a_search_races_is_stopped_early() -> None:
    items, raced = suite(2, 40), replace(SCOPE, racing=True, trials=30)
    assert any(one.items < 80 for one in asked(SPACE, items, raced, optunas(), 0))
    assert all(
        one.items == 80 for one in asked(SPACE, items, replace(raced, racing=False), optunas(), 0)
    )
    found = asked(WIDE, items, raced, auto(WIDE, items), 0)
    whole = [one for one in found if one.half == "search" and one.items == 80]
    assert len(whole) == 14 + raced.trials


def lettered(item: Item, answer: Answer) -> float:
    """Score by who took part and by luck."""
    members = sum(WIDE.proposers.index(m) for m in answer.models) / len(answer.models)
    luck = int(digest([item.id, answer.texts])[:4], 16) / 0xFFFF
    return 0.4 + 0.03 * members + 0.2 * luck


async def test_the_next_trial_imagined_is_the_next_of_the_real_search(tmp_path: Path) -> None:
    scope = replace(SCOPE, trials=len(WIDE.aggregators), in_flight=1)
    judge = TableJudge(lettered)
    with Lab(tmp_path, asked=SUITE, space=WIDE, judge=judge) as lab:
        await lab.search(trials=scope.trials, in_flight=1, proposers=auto(WIDE).proposers).run()
        real = lab.archive.all()
    assert [o.origin for o in real[-2:]] == ["audition", "set-gp"]
    found = await asyncio.to_thread(asked, WIDE, SUITE, scope, auto(WIDE), 0, real[:-1])
    tried = [one.ensemble for one in found if one.half == "search"]
    assert tried == [outcome.ensemble for outcome in real]


def test_what_a_discoverer_proposes_is_imagined_too() -> None:
    crew = Crew((Inbox(),), by_score)
    alone = asked(WIDE, SUITE, SCOPE, crew, 0)
    found = asked(WIDE, SUITE, replace(SCOPE, discovery=True), crew, 0)
    best = max((o for o in found[:14]), key=lambda o: o.ensemble.calls)
    assert found != alone
    assert best.ensemble.layers
    assert len(found) == len(alone)


@pytest.mark.parametrize("changed", ["renamed", "more", "fewer"])
def test_what_was_evaluated_on_another_suite_is_not_believed(changed: str) -> None:
    before = suite(2, {"renamed": 8, "more": 4, "fewer": 16}[changed])
    if changed == "renamed":
        before = replace(before, items=tuple(replace(i, id=f"旧{i.id}") for i in before.items))
    old = World(before, 0, 0)
    tried = asked(SPACE, before, SCOPE, optunas(), 0)
    known = [old.outcome(one.ensemble, "tpe", None) for one in tried if one.half == "search"]
    new, cold = (asked(SPACE, SUITE, SCOPE, optunas(), 0, some) for some in (known, []))
    assert new == cold


def question(**changes: object) -> Question:
    base = Question(
        space=SPACE,
        suite=SUITE,
        scope=SCOPE,
        crew=optunas,
        judges={"search": j_judges, "held_out": j_judges},
        limits=LIMITS,
        contexts={},
        discoverer=None,
        slots={"e": 4},
        endpoints=dict.fromkeys(MODELS, "e"),
        parallel=None,
        paired_sd=None,
        seed=0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def made(*measured: Usage, **changes: object) -> Forecast:
    return estimate(question(**changes), Tariff(MODELS, ENDPOINTS, measured), Imagination())


def usage(model: str, role: Any, reply: int, seconds: float) -> Usage:
    return Usage(model, role, 100, 0, 100 * reply, 100 * seconds, 0.0, 100 * reply, 100)


MEASURED = [
    *(usage(m, "proposer", 200, 2.0) for m in "abc"),
    *(usage(m, "aggregator", 200, 2.0) for m in "abc"),
    usage("j", "judge", 50, 1.0),
]


def test_roles_and_ranges_add_up() -> None:
    found = made()
    assert set(found.by_role) == {"proposer", "aggregator", "judge"}
    parts = sum(part.calls.value for part in found.by_role.values())
    assert parts == pytest.approx(found.calls.value, rel=0.1)  # medians do not add up exactly
    for kept in (found.calls, found.tokens, found.usd, found.hours):
        assert 0 < kept.low <= kept.value <= kept.high
    assert 0 < found.confirmation.calls.value < found.calls.value
    assert not any(found.measured.values())


def test_what_was_measured_narrows_the_ranges_and_sets_lengths_and_speed() -> None:
    cold, warm = made(), made(*MEASURED, parallel=4.0)
    assert warm.measured == {"lengths": True, "speeds": True}
    assert warm.tokens.high / warm.tokens.low < cold.tokens.high / cold.tokens.low
    calls = {role: part.calls.value for role, part in warm.by_role.items()}
    seconds = 2.0 * (calls["proposer"] + calls["aggregator"]) + 1.0 * calls["judge"]
    assert warm.hours.value == pytest.approx(seconds / 4 / 3600, rel=0.05)
    twice = made(*(replace(u, completion_tokens=2 * u.completion_tokens) for u in MEASURED))
    assert twice.usd.value > 1.5 * warm.usd.value
    assert twice.calls == warm.calls


def test_more_of_anything_takes_more() -> None:
    least = made()
    for more in (
        made(scope=replace(SCOPE, trials=30)),
        made(suite=suite(2, 16)),
        made(scope=replace(SCOPE, confirm=8)),
    ):
        assert more.calls.value > least.calls.value
        assert more.usd.value > least.usd.value


def test_a_long_search_is_imagined_in_part_and_drawn_out() -> None:
    def calls(trials: int, crew: Any) -> float:
        scope = replace(SCOPE, trials=trials, confirm=0)
        return made(space=WIDE, scope=scope, crew=crew).calls.value

    def random() -> Crew:
        return Crew((Random(WIDE, 0),), by_score)

    trials: list[int] = []

    def counting() -> Crew:
        def recommend(archive: Archive) -> list[Outcome]:
            trials.append(archive.tried)
            return []

        return replace(random(), recommend=recommend, slow=True)

    whole, drawn_out = calls(240, random), calls(240, counting)
    assert trials == [SLOW // LEAST] * LEAST
    assert drawn_out == pytest.approx(whole, rel=0.1)
    trials.clear()
    assert calls(2400, counting) == pytest.approx(10 * whole, rel=0.15)
    assert sum(trials) <= SLOW


def test_what_was_imagined_is_priced_anew_and_imagined_anew_once_trials_tell_more() -> None:
    crews: list[int] = []

    def counting() -> Crew:
        crews.append(len(crews))
        return optunas()

    def forecast(*measured: Usage, known: Sequence[Outcome] = ()) -> Forecast:
        of = question(crew=counting, known=known)
        return estimate(of, Tariff(MODELS, ENDPOINTS, measured), imagination)

    imagination = Imagination()
    first, imagined = forecast(), len(crews)
    world = World(SUITE, 0, 0)
    alone = [world.outcome(single("a", 0.0), "baseline", None)]
    assert forecast(known=alone) == first
    slower = forecast(usage("a", "proposer", 1000, 9.0), known=alone)
    assert len(crews) == imagined > LEAST
    assert slower.calls == first.calls
    assert slower.tokens.value > first.tokens.value
    trials = [
        one.ensemble for one in asked(SPACE, SUITE, SCOPE, optunas(), 1) if one.ensemble.layers
    ]
    forecast(known=[*alone, *(world.outcome(e, "tpe", None) for e in dict.fromkeys(trials))])
    assert len(crews) > imagined


def test_a_space_that_is_tried_out_is_not_drawn_out() -> None:
    few = Space(("a", "b"), ("a", "b"), 1, 2, 1, (0.0,), (PROMPT,))
    scopes = [replace(SCOPE, trials=trials) for trials in (100, 5000)]
    less, more = (made(space=few, scope=scope).calls for scope in scopes)
    assert less == more


def test_trials_of_another_space_are_known_and_hinder_nobody() -> None:
    world, narrow = (
        World(SUITE, 0, 0),
        replace(SPACE, proposers=("a", "b"), aggregators=("a", "b")),
    )
    tried = [one.ensemble for one in asked(SPACE, SUITE, SCOPE, optunas(), 1) if one.trial]
    known = [world.outcome(ensemble, "tpe", None) for ensemble in tried]
    assert not all(narrow.contains(ensemble) for ensemble in tried)
    scope = replace(SCOPE, trials=len(tried) + 2)
    found = [one for one in asked(narrow, SUITE, scope, optunas(), 0, known) if one.trial]
    assert len({one.ensemble.digest for one in found}) == len(found) == scope.trials


def test_a_search_imagined_in_vain_leaves_no_thread() -> None:
    class Broken:
        name = "broken"

        async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
            raise RuntimeError(f"{len(archive)} {k}")

    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(RuntimeError):
            asked(SPACE, SUITE, SCOPE, Crew((Broken(),), by_score), 0)
    assert threading.active_count() == before


def test_an_audit_measures_verdicts_and_any_reply_how_fast_models_write() -> None:
    tariff = Tariff(MODELS, ENDPOINTS, [usage("a", "audit", 100, 2.0)])
    assert tariff.measured("judge")
    assert not tariff.measured("proposer")
    assumed = tariff.take("b", "discovery")
    assert (assumed.measured, assumed.seconds) == (False, assumed.reply * 2.0 / 100)


def test_relatives_err_alike() -> None:
    models, alike = [single(name, 0.0) for name in "ab"], []
    for families in ({}, {"a": "f", "b": "f"}):
        worlds = [World(suite(2, 40), 0, seed, (), families) for seed in range(8)]
        scores = [[[*w.outcome(m, "x", None).scores.values()] for m in models] for w in worlds]
        alike.append(fmean(correlation(*pair) for pair in scores))
    assert alike[1] > alike[0] + 0.05


def test_a_finished_search_is_estimated_from_what_it_did() -> None:
    whole = made(scope=replace(SCOPE, trials=0))
    assert whole.calls.value < made().calls.value


def test_the_tariff_prefers_the_nearest_of_what_was_measured() -> None:
    tariff = Tariff(MODELS, ENDPOINTS, [usage("a", "proposer", 100, 1.0)])
    assert tariff.take("a", "proposer").reply == 100
    assert tariff.take("a", "aggregator").reply == 100  # the same model
    assert tariff.take("b", "proposer").reply == 100  # the same role
    assert tariff.take("j", "judge").measured is False
    few = Usage("b", "proposer", ENOUGH - 1, 0, 10_000, 1.0, 0.0, 10, 1)
    assert Tariff(MODELS, ENDPOINTS, [few]).take("b", "proposer").measured is False


def test_connections_that_were_refused_tell_nothing_of_speeds() -> None:
    refused = Usage("a", "proposer", 10 * ENOUGH, 0, 0, 0.01)
    for model in "ab":
        assert Tariff(MODELS, ENDPOINTS, [refused]).take(model, "proposer") == Tariff(
            MODELS, ENDPOINTS
        ).take(model, "proposer")


def test_a_window_bounds_the_prompt() -> None:
    tariff = Tariff(MODELS, ENDPOINTS, MEASURED)
    wide = tariff.forecast("a", "aggregator", ("a",) * 50, 100.0, 2048, None)
    narrow = tariff.forecast("a", "aggregator", ("a",) * 50, 100.0, 2048, 4096)
    assert wide.prompt > 10_000
    assert narrow.prompt == 2048


# Exact powers of the paired t test (scipy.stats.nct): the true difference in units of the
# standard deviation that has power 0.8 at a two-sided 5 %.
EXACT = {10: 0.9962, 20: 0.6604, 64: 0.3557, 200: 0.1991}


@pytest.mark.parametrize(("items", "exact"), EXACT.items())
def test_the_least_difference_is_that_of_the_paired_t_test(items: int, exact: float) -> None:
    assert detectable(1.0, items) == pytest.approx(exact, rel=0.015)
    assert detectable(0.25, items) == pytest.approx(0.25 * detectable(1.0, items))


def test_without_evaluations_the_spread_is_that_of_real_verdicts() -> None:
    assert made().detectable.sd == pytest.approx(PAIRED_SD)
    assert not made().detectable.measured
    assert made(paired_sd=0.2).detectable == replace(
        made().detectable, sd=0.2, difference=detectable(0.2, 16), measured=True
    )
