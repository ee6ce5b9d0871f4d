"""The loop: counts what it should, asks nothing twice, goes on where it stopped, and ends."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import EndpointError, RejectedError, ServerFailedError
from data.suites import Item
from db.studies import MOST_RETRIES
from endpoints.request import Request
from judges.statistics import Estimate
from moa.answer import Answer
from moa.ensemble import Ensemble, single
from optimizer import patience
from optimizer.archive import Archive
from optimizer.budget import Amount, Budget, Limits
from optimizer.confirmation import StalledError
from optimizer.events import EnsembleClosed, PhaseStarted, TrialStarted
from optimizer.items import item_shares
from optimizer.outcome import Outcome
from optimizer.proposers import Proposer
from optimizer.proposers.audition import Audition
from optimizer.proposers.new_calls import Effort
from optimizer.proposers.random import Random, Sometimes
from optimizer.proposers.set_gp import EXPLORED, SetGP
from optimizer.search import IN_VAIN, STALLED
from optimizer.silence import SILENT
from optimizer.space import Space
from tests.support import rows
from tests.support.completers import Reply
from tests.support.pool import (
    PROMPT,
    SPACE,
    STUDY,
    Lab,
    Models,
    TableJudge,
    echo,
    skilled,
    suite,
)
from tests.support.stores import Listener

TINY = Space(("a", "b"), ("a",), 1, 2, 1, (0.0,), (PROMPT,))  # 1 single model and 3 layers
WIDE = Space(("a", "b", "c"), ("a", "b", "c"), 2, 3, 3, (0.0, 0.3, 0.7), (PROMPT,))


class Named:
    """A proposer that proposes what it was given, as many as asked."""

    name = "discovery"

    def __init__(self, ensembles: Sequence[Ensemble]) -> None:
        self.rest = list(ensembles)
        self.saw: list[list[str]] = []

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        self.saw.append([o.ensemble.digest for o in archive.all()])
        found, self.rest = self.rest[:k], self.rest[k:]
        return found

    def pending(self) -> list[Ensemble]:
        return []


class Stopper(Listener):
    """Cancels a task after so many events of a kind."""

    def __init__(self, kind: type, number: int) -> None:
        super().__init__()
        self.kind, self.number = kind, number
        self.task: asyncio.Task[object] | None = None

    def notice(self, event: object) -> None:
        super().notice(event)
        if isinstance(event, self.kind) and getattr(event, "phase", "trials") == "trials":
            self.number -= 1
            if self.number == 0 and self.task:
                self.task.cancel()


def each_once(lab: Lab) -> None:
    """Fail unless every ensemble was scored once on every item it saw."""
    seen = Counter((item, answer.texts) for item, answer in lab.judge.seen)
    assert set(seen.values()) == {1}


# -- counting


@pytest.mark.parametrize("sampled", [False, True], ids=["random", "tpe"])
async def test_exactly_so_many_new_ensembles_are_evaluated(tmp_path: Path, sampled: bool) -> None:
    with Lab(tmp_path) as lab:
        assert await lab.search(trials=12, sampled=sampled).run() == "done"
        assert len(lab.tried()) == 12
        assert len(set(lab.tried())) == 12
        numbers = [number for number, *_ in lab.trials()]
        assert numbers == list(range(len(numbers)))
        each_once(lab)
        told = lab.told()
        for number, _, digest, _ in lab.trials():
            known = lab.archive.get(digest or "")
            assert known is not None
            assert told[number] == known.value  # duplicates too: what the first one found


async def test_more_trials_add_to_those_there_are(tmp_path: Path) -> None:
    for wanted in (3, 7, 7, 5):
        with Lab(tmp_path) as lab:
            await lab.search(trials=wanted).run()
            assert len(lab.tried()) == max(3 if wanted == 3 else 7, wanted)
            if wanted == 5:
                assert lab.models.asked == []


async def test_no_trials_means_baselines_and_their_confirmation(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        assert await lab.search(trials=0, confirm=2).run() == "done"
        assert lab.trials() == []
        origins = {e.origin for e in lab.store.evaluations(STUDY)}
        assert origins == {"baseline"}
        assert [e.ensembles for e in lab.heard.events if isinstance(e, PhaseStarted)] == [
            3,
            2,
            0,
            4,
        ]


async def test_eight_trials_are_in_flight_together(tmp_path: Path) -> None:
    heard = Listener()
    together = asyncio.Event()

    async def before(_: Request) -> None:
        running = sum(isinstance(e, TrialStarted) for e in heard.events)
        if running == 8:
            together.set()
        if running:
            async with asyncio.timeout(300):  # a loop that takes turns would wait for ever
                await together.wait()

    with Lab(tmp_path, models=Models(before=before), space=WIDE) as lab:
        lab.heard = heard
        await lab.search(trials=8, in_flight=8).run()
        assert len(lab.tried()) == 8


async def test_a_duplicate_in_flight_waits_and_is_told_the_same(tmp_path: Path) -> None:
    """In a space of four ensembles TPE asks for the same one again and again."""
    with Lab(tmp_path, space=TINY) as lab:
        assert await lab.search(trials=3, sampled=True).run() in ("done", "exhausted")
        each_once(lab)
        values: dict[str | None, set[float | None]] = {}
        for number, _, digest, _ in lab.trials():
            values.setdefault(digest, set()).add(lab.told()[number])
        assert all(len(found) == 1 for found in values.values())
        assert len(lab.trials()) > len(set(lab.tried()))


async def test_a_space_tried_out_ends_the_search(tmp_path: Path) -> None:
    for _ in range(2):
        with Lab(tmp_path, space=TINY) as lab:
            assert await lab.search(trials=50).run() == "exhausted"
            known = {o.ensemble.digest for o in lab.archive.all() if TINY.contains(o.ensemble)}
            assert len(known) == 4
            assert lab.states().keys() == {"COMPLETE"}


@pytest.mark.parametrize("sampled", [False, True], ids=["random", "tpe"])
async def test_the_same_seed_gives_the_same_ensembles_in_another_study(
    tmp_path: Path, sampled: bool
) -> None:
    found = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        with Lab(tmp_path / name, space=WIDE) as lab:
            await lab.search(trials=10, seed=seed, sampled=sampled, in_flight=1).run()
            found.append([digest for _, _, digest, _ in lab.trials()])
    assert found[0] == found[1]
    assert found[0] != found[2]


async def test_random_asks_the_same_however_many_are_in_flight(tmp_path: Path) -> None:
    found = []
    for in_flight in (1, 8):
        (tmp_path / str(in_flight)).mkdir()
        with Lab(tmp_path / str(in_flight), space=WIDE) as lab:
            await lab.search(trials=12, in_flight=in_flight).run()
            found.append([digest for _, _, digest, _ in lab.trials()])
    assert found[0] == found[1]


async def test_a_hopeless_trial_is_told_as_pruned_with_the_incumbents_score_less_the_gap(
    tmp_path: Path,
) -> None:
    judge = TableJudge(lambda _, a: 0.9 if not a.models - {"c"} else 0.2)
    with Lab(tmp_path, asked=suite(2, 12), judge=judge, space=WIDE) as lab:
        await lab.search(trials=10, racing=True).run()
        assert lab.states()["PRUNED"] > 0
        pruned = [number for number, state, _, _ in lab.trials() if state == "PRUNED"]
        assert [lab.told()[n] for n in pruned] == [pytest.approx(0.2)] * len(pruned)


# -- stopping and going on


@pytest.mark.parametrize("sampled", [False, True], ids=["random", "tpe"])
@pytest.mark.parametrize(("kind", "number"), [(TrialStarted, 1), (EnsembleClosed, 1)])
async def test_stopped_in_the_middle_it_goes_on_exactly(
    tmp_path: Path, sampled: bool, kind: type, number: int
) -> None:
    judge = TableJudge()
    stopper = Stopper(kind, number)
    three = asyncio.Event()

    async def before(_: Request) -> None:
        """Let no trial end before three are at work."""
        begun = sum(isinstance(e, TrialStarted) for e in stopper.events)
        if begun >= 3:
            three.set()
        if begun:
            await three.wait()

    with Lab(tmp_path, judge=judge, space=WIDE, models=Models(before=before)) as lab:
        lab.heard = stopper
        stopper.task = asyncio.create_task(lab.search(trials=14, sampled=sampled).run())
        with pytest.raises(asyncio.CancelledError):
            await stopper.task
        assert lab.states()["WAITING"] > 0
        first = {n: d for n, _, d, _ in lab.trials() if d is not None}
        kept = sum(len(lab.store.results(e.id)) for e in lab.store.evaluations(STUDY))
    with Lab(tmp_path, judge=judge, space=WIDE, models=Models(kept=lab.models.kept)) as lab:
        seen = len(judge.seen)
        assert await lab.search(trials=14, sampled=sampled).run() == "done"
        after = {n: d for n, _, d, _ in lab.trials()}
        assert list(after) == list(range(len(after)))
        assert lab.states().keys() <= {"COMPLETE", "PRUNED"}
        assert {n: after[n] for n in first} == first
        assert len(lab.tried()) == len(set(lab.tried())) == 14
        items = sum(len(lab.store.results(e.id)) for e in lab.store.evaluations(STUDY))
        assert len(judge.seen) - seen == items - kept  # what was kept is not judged again


async def test_a_stopped_random_search_finds_what_an_unbroken_one_finds(tmp_path: Path) -> None:
    found = []
    for name, number in (("whole", 10**6), ("broken", 5)):
        (tmp_path / name).mkdir()
        stopper = Stopper(EnsembleClosed, number)
        with Lab(tmp_path / name, space=WIDE) as lab:
            lab.heard = stopper
            stopper.task = asyncio.create_task(lab.search(trials=12).run())
            await asyncio.gather(stopper.task, return_exceptions=True)
        with Lab(tmp_path / name, space=WIDE) as lab:
            await lab.search(trials=12).run()
            found.append([(n, d) for n, _, d, _ in lab.trials()])
    assert found[0] == found[1]


async def test_after_a_restart_a_duplicate_is_told_what_the_first_was_told(
    tmp_path: Path,
) -> None:
    """A pruned ensemble's kept estimate is not what the sampler was told of it."""
    judge = TableJudge(lambda item, a: (0.9 if a.models == {"c"} else 0.2) + int(item.id[-1]) / 99)
    space = Space(("a", "b", "c"), ("c",), 1, 3, 1, (0.0,), (PROMPT,))
    asked = suite(1, 30)
    with Lab(tmp_path, asked=asked, judge=judge, space=space) as lab:
        await lab.search(trials=4, racing=True, in_flight=1).run()
        first = {d: lab.told()[n] for n, s, d, _ in lab.trials() if s == "PRUNED"}
        assert first
    with Lab(tmp_path, asked=asked, judge=judge, space=space) as lab:
        await lab.search(trials=20, racing=True, sampled=True).run()
        told = lab.told()
        for number, _, digest, _ in lab.trials():
            if digest in first:
                assert told[number] == first[digest]
        assert sum(digest in first for _, _, digest, _ in lab.trials()) > len(first)


async def test_a_failed_ensemble_is_no_trial_of_the_count(tmp_path: Path) -> None:
    """Some ensembles fail; the search goes on until enough others are found."""

    def says(request: Request) -> object:
        broken = request.model == "b" and request.temperature == 0.3
        return ServerFailedError("502") if broken else echo(request)

    with Lab(tmp_path, models=Models(says), space=WIDE) as lab:  # type: ignore[arg-type]
        assert await lab.search(trials=10, in_flight=2).run() == "done"
        whole = [e for e in lab.store.evaluations(STUDY) if e.state == "COMPLETE"]
        assert sum(e.origin != "baseline" for e in whole) == 10
        assert lab.states()["COMPLETE"] == 10
        assert lab.states()["FAIL"] > 0


# -- ends


async def test_failure_after_failure_ends_it(tmp_path: Path) -> None:
    def says(request: Request) -> object:
        return ServerFailedError("502") if request.role == "proposer" else echo(request)

    with (
        Lab(tmp_path, models=Models(says), space=WIDE) as lab,  # type: ignore[arg-type]
        pytest.raises(StalledError, match=f"{STALLED} evaluations in a row"),
    ):
        await lab.search(trials=30, in_flight=1).run()


async def test_no_single_model_scored_ends_it_at_once(tmp_path: Path) -> None:
    models = Models(lambda _: ServerFailedError("502"))
    with Lab(tmp_path, models=models) as lab, pytest.raises(StalledError, match="no single model"):
        await lab.search().run()


async def test_a_server_that_goes_away_before_any_model_is_scored_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has answered, so it may come back, whatever phase it left in."""
    monkeypatch.setattr(patience, "FIRST", 0.0)
    said: list[Request] = []

    def says(request: Request) -> Reply:
        said.append(request)
        return ServerFailedError("502") if 5 < len(said) < 400 else echo(request)

    with Lab(tmp_path, models=Models(says)) as lab:
        assert await lab.search(trials=1, patience=60.0).run() == "done"
        assert lab.archive.tried == 1
        assert len(said) >= 400


async def test_held_out_items_refused_for_good_are_not_waited_for(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        texts = {item.turns[0] for item in lab.suite.half("held_out")[::2]}

        def says(request: Request) -> Reply:
            held_out = any(t in m["content"] for t in texts for m in request.messages)
            refused = held_out and request.model == "c" and request.role == "aggregator"
            return RejectedError("400: no such template") if refused else echo(request)

        lab.models.says = says
        async with asyncio.timeout(60):
            with pytest.raises(StalledError, match="could not be confirmed"):
                await lab.search(trials=3, confirm=2, patience=3600.0).run()


@pytest.mark.parametrize("in_flight", [1, 8])
async def test_a_budget_spent_ends_with_a_confirmation_from_the_reserve(
    tmp_path: Path, in_flight: int
) -> None:
    budget = Budget(Limits(300), kept=Amount(120))
    with Lab(tmp_path, models=Models(budget=budget)) as lab:
        search = lab.search(trials=1000, confirm=2, in_flight=in_flight)
        assert await search.run() == "budget"
        assert 180 < budget.spent <= 300
        assert len(lab.models.asked) == budget.spent
        held_out = lab.store.evaluations(STUDY, "held_out")
        assert {e.state for e in held_out} == {"COMPLETE"}
        assert len(held_out) == 4
        spent, running = budget.spent, lab.states()["WAITING"]
        assert running > 0
    budget = Budget(Limits(spent), before=Amount(spent))
    with Lab(tmp_path, models=Models(budget=budget)) as lab:
        assert await lab.search(trials=1000, confirm=2).run() == "budget"
        assert lab.models.asked == []
    with Lab(tmp_path) as lab:
        done = len(lab.tried())
        assert await lab.search(trials=done + 3, confirm=2).run() == "done"
        assert lab.states().keys() == {"COMPLETE"}


async def test_a_budget_too_small_confirms_the_baselines_before_the_best(tmp_path: Path) -> None:
    budget = Budget(Limits(300), kept=Amount(70))
    with Lab(tmp_path, models=Models(budget=budget), space=WIDE) as lab:
        assert await lab.search(trials=1000, confirm=8, compared=["judge"]).run() == "budget"
        assert budget.spent == 300
        held_out = lab.store.evaluations(STUDY, "held_out")
        assert [e.state for e in held_out][:3] == ["COMPLETE"] * 3
        assert [e.state for e in held_out].count("RUNNING") == 1
        first = [(e.ensemble.aggregator.model, e.ensemble.calls) for e in held_out][:3]
        assert first == [("judge", 1), ("c", 1), ("c", 4)]  # compared, best single, its Self-MoA


async def test_an_error_the_user_must_mend_comes_as_it_is(tmp_path: Path) -> None:
    def says(request: Request) -> object:
        wrong = EndpointError("refuses the key", place="endpoint x")
        return wrong if request.role == "proposer" else echo(request)

    with (
        Lab(tmp_path, models=Models(says)) as lab,  # type: ignore[arg-type]
        pytest.raises(EndpointError, match="endpoint x: refuses the key"),
    ):
        await lab.search().run()


# -- the halves


async def test_held_out_scores_never_reach_the_search(tmp_path: Path) -> None:
    """Held-out scores that would turn the search around change nothing in it."""
    found, prompts = [], []
    for name in ("plain", "planted"):
        (tmp_path / name).mkdir()
        with Lab(tmp_path / name, space=WIDE) as lab:
            if name == "planted":
                await _plant(lab)
        with Lab(tmp_path / name, space=WIDE) as lab:
            proposer = Named([])
            search = lab.search(
                trials=12, racing=True, sampled=True, in_flight=1, discovery=proposer
            )
            await search.run()
            told = lab.told()
            found.append([(n, s, d, told[n]) for n, s, d, _ in lab.trials()])
            prompts.append(proposer.saw)
            halves = {
                item.split for item in lab.suite.items for _ in range(lab.models.about(item))
            }
            assert halves == {"search"}
    assert found[0] == found[1]
    assert prompts[0] == prompts[1]


async def _plant(lab: Lab) -> None:
    """Keep held-out scores that say the opposite of what the search will find."""
    for model, value in (("a", 1.0), ("b", 0.5), ("c", 0.0)):
        ensemble = single(model, 0.0)
        kept = await lab.store.begin(STUDY, "held_out", "judge", "table", ensemble, "baseline")
        for item in lab.suite.half("held_out"):
            await lab.store.add(kept.id, item, rows.answer(), rows.scores(value))
        estimate = Estimate(value, value, value, 8)
        await lab.store.close_evaluation(
            kept.id, "COMPLETE", estimate, items=8, unscored=0, marked=0
        )


async def test_the_confirmation_asks_held_out_items_only_and_the_search_none(
    tmp_path: Path,
) -> None:
    with Lab(tmp_path) as lab:
        await lab.search(trials=4, confirm=2).run()
        halves = {item.id: item.split for item in lab.suite.items}
        for evaluation in lab.store.evaluations(STUDY):
            asked = {halves[r.item_id] for r in lab.store.results(evaluation.id)}
            assert asked == {evaluation.half}


# -- the proposers in a search


def surrogate(lab: Lab) -> SetGP:
    shares = item_shares(lab.suite, "search")
    return SetGP(lab.space, shares, Effort(len(shares), 0, len(shares)), 0)


def shipped(lab: Lab, set_gp: SetGP) -> tuple[Proposer, ...]:
    """Return what `sampler: auto` asks, in its order."""
    explored = Sometimes(Random(lab.space, 0), EXPLORED, 0)
    return (Audition(lab.space, item_shares(lab.suite, "search")), explored, set_gp)


async def test_auto_auditions_then_models_and_evaluates_nothing_twice(tmp_path: Path) -> None:
    with Lab(tmp_path, asked=suite(2, 8), space=WIDE) as lab:
        set_gp = surrogate(lab)
        search = lab.search(
            trials=24, confirm=2, racing=True,
            proposers=shipped(lab, set_gp), recommend=set_gp.recommend,
        )  # fmt: skip
        assert await search.run() == "done"
        each_once(lab)
        assert len(set(lab.tried())) == len(lab.tried()) == 24
        origins = [origin for _, _, _, origin in lab.trials()]
        assert {"audition", "set-gp"} <= {*origins} <= {"audition", "set-gp", "random"}
        first = origins.index("set-gp")
        assert "audition" not in origins[first:]
        states = {origin: state for _, state, _, origin in lab.trials()}
        assert states["set-gp"] == states["audition"] == "COMPLETE"  # not raced
        confirmed = {e.digest for e in lab.store.evaluations(STUDY, "held_out")}
        assert {o.ensemble.digest for o in set_gp.recommend(lab.archive)[:2]} <= confirmed


async def test_held_out_scores_never_reach_the_surrogate(tmp_path: Path) -> None:
    found = []
    for name in ("plain", "planted"):
        (tmp_path / name).mkdir()
        with Lab(tmp_path / name, space=WIDE) as lab:
            if name == "planted":
                await _plant(lab)
            set_gp = surrogate(lab)
            await lab.search(trials=16, in_flight=1, proposers=shipped(lab, set_gp)).run()
            best = [o.ensemble.digest for o in set_gp.recommend(lab.archive)]
            found.append((lab.trials(), lab.told(), best))
    assert found[0] == found[1]


async def test_a_repeat_is_followed_by_its_nearest_unseen_neighbour(tmp_path: Path) -> None:
    """In a small space TPE repeats itself; each repeat costs nothing and leads to a new one."""
    with Lab(tmp_path, space=SPACE) as lab:
        await lab.search(trials=30, sampled=True, in_flight=1).run()
        digests = [d for _, _, d, _ in lab.trials()]
        baselines = {o.ensemble.digest for o in lab.archive.all() if o.origin == "baseline"}
        repeats = [n for n, d in enumerate(digests) if d in {*digests[:n], *baselines}]
        assert repeats
        assert not {n + 1 for n in repeats} & {*repeats}
        each_once(lab)


# -- discovery


def ensembles(number: int) -> list[Ensemble]:
    """Return ensembles of WIDE that are no baselines."""
    rng = random.Random(99)
    found: dict[str, Ensemble] = {}
    while len(found) < number:
        ensemble = WIDE.sample(rng)
        if len(ensemble.layers) == 2:
            found[ensemble.digest] = ensemble
    return list(found.values())


async def test_proposals_become_trials_of_their_origin(tmp_path: Path) -> None:
    wanted = ensembles(4)
    with Lab(tmp_path, space=WIDE) as lab:
        await lab.search(trials=30, sampled=True, in_flight=2, discovery=Named(wanted)).run()
        origins = {digest: origin for _, _, digest, origin in lab.trials()}
        assert {origins[e.digest] for e in wanted} == {"discovery"}
        assert Counter(origins.values())["discovery"] == 4
        kept = {e.digest: e.origin for e in lab.store.evaluations(STUDY)}
        assert {kept[e.digest] for e in wanted} == {"discovery"}


async def test_discovery_may_be_the_only_sampler(tmp_path: Path) -> None:
    wanted = ensembles(6)
    with Lab(tmp_path, space=WIDE) as lab:
        await lab.search(trials=9, in_flight=3, discovery=Named(wanted)).run()
        origins = [origin for _, _, _, origin in lab.trials()]
        assert origins == ["discovery"] * 6 + ["random"] * 3
        assert [d for _, _, d, _ in lab.trials()][:6] == [e.digest for e in wanted]


async def test_a_proposal_is_not_lost_on_a_trial_that_has_its_ensemble(tmp_path: Path) -> None:
    """Trials that a stopped run left behind keep their own ensembles; proposals wait."""
    stopper = Stopper(TrialStarted, 3)
    first, second = ensembles(8)[:4], ensembles(8)[4:]
    with Lab(tmp_path, space=WIDE) as lab:
        lab.heard = stopper
        search = lab.search(trials=8, in_flight=3, discovery=Named(first))
        stopper.task = asyncio.create_task(search.run())
        await asyncio.gather(stopper.task, return_exceptions=True)
        assert 0 < len(lab.trials()) < 5
    with Lab(tmp_path, space=WIDE) as lab:
        left = len(lab.trials())
        await lab.search(trials=left + 4, in_flight=1, discovery=Named(second)).run()
        digests = [digest for _, _, digest, _ in lab.trials()]
        assert digests[:left] == [e.digest for e in first[:left]]
        assert digests[left:] == [e.digest for e in second]


class Unreachable:
    name = "discovery"

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:  # noqa: ARG002
        raise EndpointError("refuses the key", place="endpoint of the discoverer")

    def pending(self) -> list[Ensemble]:
        return []


@pytest.mark.parametrize("sampled", [False, True])
async def test_a_discoverer_with_a_wrong_key_is_told_to_the_user(
    tmp_path: Path, sampled: bool
) -> None:
    with Lab(tmp_path, space=WIDE) as lab, pytest.raises(EndpointError, match="discoverer"):
        await lab.search(trials=40, sampled=sampled, discovery=Unreachable()).run()


# -- what a second run finds


async def test_a_failed_trials_ensemble_may_come_back(tmp_path: Path) -> None:
    """In a space of few ensembles every one that failed in an outage is tried in the next run."""

    def says(request: Request) -> Reply:
        return ServerFailedError("502") if request.role == "proposer" else echo(request)

    down = Models(says)
    few = replace(SPACE, layers=1, width=1, n=1, temperatures=(0.0,))
    with Lab(tmp_path, models=down, space=few) as lab, pytest.raises(StalledError):
        await lab.search(trials=50, in_flight=1).run()
    with Lab(tmp_path, space=few) as lab:
        assert await lab.search(trials=50, in_flight=1).run() == "exhausted"
        count = len(lab.trials())
        assert not [e for e in lab.store.evaluations(STUDY, "search") if e.state != "COMPLETE"]
    with Lab(tmp_path, space=few) as lab:
        assert await lab.search(trials=50, in_flight=1).run() == "exhausted"
        assert len(lab.trials()) == count  # no trial is made that nothing could be tried in


async def test_a_single_model_found_by_a_trial_changes_no_baseline(tmp_path: Path) -> None:

    def worth(item: Item, answer: Answer) -> float | None:
        return 1.0 if "最高" in answer.texts[0] else skilled(item, answer)

    def says(request: Request) -> Reply:
        return "最高" if request.model == "b" and request.temperature > 0 else echo(request)

    runs = []
    for _ in range(2):
        with Lab(tmp_path, models=Models(says), judge=TableJudge(worth)) as lab:
            await lab.search(trials=40, in_flight=2).run()
            assert single("b", 0.7).digest in lab.archive
            runs.append({e.digest for e in lab.store.evaluations(STUDY) if e.origin == "baseline"})
    assert runs[0] == runs[1]


async def test_a_confirmation_that_failed_is_no_success(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        await lab.search(trials=2).run()
    held = {turn for item in suite().half("held_out") for turn in item.turns}

    def says(request: Request) -> Reply:
        asked = request.messages[-1]["content"] in held
        return ServerFailedError("502") if asked else echo(request)

    with (
        Lab(tmp_path, models=Models(says)) as lab,
        pytest.raises(StalledError, match="could not be confirmed"),
    ):
        await lab.search(trials=2, confirm=2).run()


async def test_what_was_proposed_before_a_stop_is_tried_after_it(tmp_path: Path) -> None:
    class Kept(Named):
        def pending(self) -> list[Ensemble]:
            return [kept]

    kept = SPACE.sample(random.Random(7))
    assert kept.layers
    with Lab(tmp_path) as lab:
        await lab.search(trials=3, sampled=True, discovery=Kept([])).run()
        assert (kept.digest, "discovery") in [(d, origin) for _, _, d, origin in lab.trials()]


async def test_failures_count_only_while_nothing_is_answered(tmp_path: Path) -> None:
    """A model that fails on half of the items fails its trials, and ends no search by that."""
    half = {item.turns[0] for item in suite().half("search")[::2]}

    def says(request: Request) -> Reply:
        failing = request.role == "proposer" and request.messages[-1]["content"] in half
        return ServerFailedError("502") if failing else echo(request)

    layered = replace(SPACE, aggregators=("a",))  # hardly a single model is left to try
    with Lab(tmp_path, models=Models(says), space=layered) as lab:
        with pytest.raises(StalledError):  # in the end: what comes back finds no new answer
            await lab.search(trials=30, in_flight=1).run()
        runs = "".join("F" if state == "FAIL" else "." for _, state, _, _ in lab.trials())
        assert max(map(len, runs.split("."))) > STALLED


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_one_dead_model_ends_no_search(tmp_path: Path, in_flight: int) -> None:
    def says(request: Request) -> Reply:
        return ServerFailedError("502") if request.model == "c" else echo(request)

    with Lab(tmp_path, models=Models(says), asked=suite(2, 4), space=WIDE) as lab:
        set_gp = surrogate(lab)
        proposers = shipped(lab, set_gp)
        search = lab.search(
            trials=12, in_flight=in_flight, proposers=proposers, recommend=set_gp.recommend
        )
        assert await search.run() == "done"
        assert lab.archive.tried == 12
        assert 0 < lab.states()["FAIL"] < 3 * SILENT


async def test_ensembles_that_never_answer_enough_end_the_search(tmp_path: Path) -> None:
    def says(request: Request) -> Reply:
        reads = request.messages[0]["role"] == "system"
        half = sum(map(ord, str(request.messages[-1]["content"]))) % 2
        return ServerFailedError("502") if reads and half else echo(request)

    with Lab(tmp_path, models=Models(says), asked=suite(2, 4), space=WIDE) as lab:
        search = lab.search(trials=200, in_flight=8)
        with pytest.raises(StalledError, match=f"{IN_VAIN} evaluations in a row"):
            await search.run()


def test_an_ensemble_is_retried_a_bounded_number_of_times() -> None:
    archive, ensemble = Archive(), single("a", 0.0)
    failed = Outcome(ensemble, "set-gp", "FAILED", None, {}, 4, 0, None)
    taken = []
    for _ in range(MOST_RETRIES + 1):
        archive.begin(ensemble)
        archive.add(failed)
        taken.append(archive.taken(ensemble.digest))
    assert taken == [False] * MOST_RETRIES + [True]
    assert not archive.pending
