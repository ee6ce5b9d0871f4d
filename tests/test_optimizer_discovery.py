"""The discovery turn: what a model proposes is data, checked before anything is spent on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.catalogue import find
from data.digest import text_digest
from data.errors import BudgetSpentError, EmptyReplyError, FilteredError
from data.suites.item import Suite
from db.store import Store
from endpoints.ledger import CHARACTERS_PER_TOKEN
from endpoints.request import Request
from endpoints.tokens import units
from moa.ensemble import Agent, Ensemble, single
from optimizer.archive import Archive
from optimizer.events import DiscoveryDone
from optimizer.proposers.discovery.page import BEST, WINNERS
from optimizer.proposers.discovery.reading import LONGEST
from optimizer.proposers.discovery.smoke import Smoke
from tests.support.completers import Reply, ScriptedCompleter, saying
from tests.support.discoveries import (
    AS_READ,
    GOOD,
    OTHER,
    UNKNOWN,
    UNREADABLE,
    WORDED,
    WORDS,
    changed,
    discovery,
    proposal,
    real,
    reply,
)
from tests.support.pool import PROMPT, SPACE, STUDY, Lab, Models, echo, suite


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path) as opened:
        yield opened


# -- a turn


async def test_a_good_proposal_is_kept_with_the_reply_it_came_from(lab: Lab) -> None:
    asked = saying(reply(proposal()))
    assert await discovery(lab, asked).propose(Archive(), 4) == [AS_READ]
    (one,) = lab.fates()
    assert (one.digest, one.thought, one.rejected) == (AS_READ.digest, "案", "")
    assert one.completion_key
    assert len(asked.requests) == 1  # nothing to repair


async def test_odd_text_is_kept_as_it_is(lab: Lab) -> None:
    odd, half = "改行\n、\0 と \x1b[31m", "\ud800"
    said = json.dumps({"proposals": [proposal(thought=odd + half, name=odd)]})
    assert await discovery(lab, saying(said)).propose(Archive(), 4) == [AS_READ]
    assert (lab.fates()[0].thought, lab.fates()[0].name) == (odd + half, odd)


async def test_no_more_are_read_than_were_asked_for(lab: Lab) -> None:
    many = [changed(aggregator={"model": m, "temperature": t}) for m in "abc" for t in (0, 0.7)]
    assert len(await discovery(lab, saying(reply(*many))).propose(Archive(), 2)) == 2
    assert len(lab.fates()) == 2


async def test_no_reply_is_kept_and_a_turn_that_cannot_be_paid_is_none(lab: Lab) -> None:
    assert await discovery(lab, saying(FilteredError("withheld"))).propose(Archive(), 4) == []
    assert lab.fates()[0].rejected.startswith("no_reply: ")
    with pytest.raises(BudgetSpentError):
        await discovery(lab, saying(BudgetSpentError("enough"))).propose(Archive(), 4)


# -- repair


async def test_a_faulty_proposal_is_repaired_once_with_code_sentence_and_alternatives(
    lab: Lab,
) -> None:
    asked = saying(reply(UNKNOWN, OTHER), reply(proposal(), proposal()))
    found = await discovery(lab, asked).propose(Archive(), 4)
    assert [e.aggregator.model for e in found] == ["c", "b"]
    first, second = asked.requests
    assert second.messages[: len(first.messages)] == first.messages
    assert second.messages[-2]["role"] == "assistant"
    _, limits, told = second.messages[-1]["content"].splitlines()
    assert json.loads(limits)["limits"]["proposals"] == 1  # as many as failed
    assert json.loads(told)["fault"] == {
        "code": "unknown_model",
        "sentence": "unknown model 'gpt-9'",
        "legal": ["a", "b", "c"],
    }
    assert [p.rejected == "" for p in lab.fates()] == [False, True, True]


async def test_what_is_still_wrong_is_rejected_for_good(lab: Lab) -> None:
    asked = saying(reply(UNKNOWN))
    assert await discovery(lab, asked).propose(Archive(), 4) == []
    assert len(asked.requests) == 2
    assert len(lab.fates()) == 2
    assert all("unknown model" in p.rejected for p in lab.fates())


@pytest.mark.parametrize("name", ["nothing", "code", "braces", "gigantic"])
async def test_an_unreadable_reply_may_be_said_again(lab: Lab, name: str) -> None:
    said = UNREADABLE[name]
    asked = saying(said, reply(proposal()))
    assert await discovery(lab, asked).propose(Archive(), 4) == [AS_READ]
    limits = json.loads(asked.prompts[1].splitlines()[1])
    assert limits["limits"]["proposals"] == 4  # all of them once more
    first = lab.fates()[0]
    assert first.rejected.startswith("unreadable: ")
    assert first.ensemble == said[:LONGEST]


async def test_a_repair_that_gets_no_reply_ends_the_turn(lab: Lab) -> None:
    asked = saying(reply(UNKNOWN, OTHER), FilteredError("withheld"))
    assert len(await discovery(lab, asked).propose(Archive(), 4)) == 1


# -- what it is shown


async def shown(lab: Lab, archive: Archive, **more: Any) -> list[dict[str, Any]]:
    messages = await discovery(lab, saying(""), **more).messages(archive, 4)
    assert [m["role"] for m in messages] == ["system", "user"]
    return [json.loads(line) for line in messages[1]["content"].splitlines()]


def many(lab: Lab, number: int) -> Archive:
    """Return single models and so many ensembles, better and better."""
    found = [
        real(lab, single(m, 0.0), 0.1 + n / 50, origin="baseline") for n, m in enumerate("abc")
    ]
    for i in range(number):
        agents = tuple(Agent(m, 0.7, 1 + i) for m in ("ab", "ac", "bc")[i % 3])
        ensemble = Ensemble((agents,), Agent("abc"[i % 2], 0.0, prompt=PROMPT))
        found.append(real(lab, ensemble, 0.2 + i / 50))
    return Archive(found)


async def test_it_reads_limits_models_and_scores_and_the_best_last(lab: Lab) -> None:
    lines = await shown(lab, many(lab, 20))
    assert lines[0]["limits"] == {
        "layers": 1,
        "width": 2,
        "n": 2,
        "temperatures": [0.0, 0.7],
        "prompts": ["p1"],
        "new_prompts": 8,
        "proposals": 4,
        "objective": "score",
    }
    assert lines[1] == {"prompt": "p1", "text": "まとめてください。"}
    scored = [line for line in lines if "ensemble" in line]
    assert BEST <= len(scored) <= BEST + WINNERS
    assert [s["score"] for s in scored] == sorted(s["score"] for s in scored)
    assert scored[-1]["score"] == pytest.approx(6.3)
    assert (scored[-1]["se"], scored[-1]["items"]) == (0.2, 8)
    assert "sha256" not in json.dumps(lines)


async def test_models_come_with_their_facts_and_what_they_are_worth(lab: Lab) -> None:
    entry = find("tokyotech-llm/Swallow-70b-instruct-hf")
    assert entry is not None
    archive = many(lab, 0)
    for i in range(12):
        agents = tuple(Agent(m, 0.7, 1 + i % 2) for m in ("ab", "ac", "bc")[i % 3])
        ensemble = Ensemble((agents,), Agent("abc"[i // 4], 0.0, prompt=PROMPT))
        archive.add(real(lab, ensemble, 0.7 if "a" in ensemble.models else 0.3))
    lines = await shown(lab, archive, known={"a": entry})
    cards = {line["model"]: line for line in lines if "model" in line}
    assert (cards["a"]["context"], cards["a"]["family"]) == (4096, "family-a")
    assert cards["a"]["parameters_b"] == entry.params_b
    assert "context" not in cards["b"]
    assert cards["b"]["alone"] == {"score": 1.7, "se": 0.2, "items": 8}
    assert cards["a"]["roles"] == ["proposer", "aggregator"]
    for role in ("as_proposer", "as_aggregator"):
        assert cards["a"][role].keys() == {"effect", "se", "ensembles"}
    assert {s["category"] for s in cards["c"]["strong_in"]} <= set(lab.suite.weights)
    few = await shown(lab, many(lab, 5))
    assert not any("as_proposer" in line for line in few)


async def test_the_incumbents_weakest_categories_come_with_their_error(lab: Lab) -> None:
    best = real(lab, AS_READ, 0.5)
    weak = {i: 0.2 if i.startswith("search-1") else s for i, s in best.scores.items()}
    lines = await shown(lab, Archive([replace(best, scores=weak)]))
    found = [line["weak_category"] for line in lines if "weak_category" in line]
    assert [f["category"] for f in found] == ["分野1", "分野0"]
    assert found[0] == {"category": "分野1", "score": 2.0, "se": 0.0, "items": 4}


async def test_who_wins_items_is_shown_though_its_mean_is_low(lab: Lab) -> None:
    archive = many(lab, 12)
    peak = real(lab, single("a", 0.7), 0.1)
    scores = {**peak.scores, "search-0-0": 1.0, "search-1-1": 1.0}
    archive.add(replace(peak, scores=scores))
    lines = [line for line in await shown(lab, archive) if "ensemble" in line]
    (one,) = [line for line in lines if line["id"] == peak.ensemble.digest[:8]]
    assert one["wins"] == 2


async def test_rejections_and_what_became_of_proposals_are_shown(lab: Lab) -> None:
    asked = discovery(lab, saying(reply(UNKNOWN, proposal()), reply()))
    await asked.propose(Archive(), 4)
    known = Archive([real(lab, AS_READ, 0.5)])
    await discovery(lab, saying(reply(proposal()), reply())).propose(known, 4)
    lines = await shown(lab, known)
    assert [line["reason"] for line in lines if "rejected" in line] == [
        "unknown_model: unknown model 'gpt-9'",
        "duplicate: evaluated or proposed before",
    ]
    (told,) = [line for line in lines if "proposed" in line]
    assert (told["expected_score"], told["score"], told["se"], told["items"]) == (7.5, 5.5, 0.2, 8)


async def test_cost_is_shown_where_it_counts(lab: Lab) -> None:
    archive = Archive([real(lab, AS_READ, 0.5)])
    assert "cost" not in (await shown(lab, archive))[-1]
    lines = await shown(lab, archive, priced=True)
    assert lines[-1]["cost"] == {"usd": 0.002, "seconds": 1.5}
    assert lines[0]["limits"]["objective"] == "score and cost"


async def test_the_prompt_does_not_grow_with_the_study(lab: Lab) -> None:
    sizes = [len(json.dumps(await shown(lab, many(lab, n)))) for n in (40, 80)]
    assert sizes[1] < 1.1 * sizes[0]


@pytest.mark.parametrize("window", [2200, 4096, 8192])
async def test_a_small_window_is_shown_less_and_the_best_always(lab: Lab, window: int) -> None:
    archive = many(lab, 30)
    asked = saying(reply())
    await discovery(lab, asked, window=window).propose(archive, 4)
    (request,) = asked.requests
    told = "".join(m["content"] for m in request.messages)
    assert units(told) / CHARACTERS_PER_TOKEN + request.max_tokens <= window
    lines = [json.loads(line) for line in request.messages[1]["content"].splitlines()]
    assert [line["model"] for line in lines if "model" in line] == ["a", "b", "c"]
    best = archive.incumbent
    assert best is not None
    assert lines[-1]["id"] == best.ensemble.digest[:8]
    assert any("weak_category" in line for line in lines) == (window > 2200)


async def test_pruned_ensembles_are_never_shown(lab: Lab) -> None:
    pruned = replace(real(lab, AS_READ, 0.9), state="PRUNED")
    assert not [line for line in await shown(lab, Archive([pruned])) if "ensemble" in line]


SECRET = "伏せた問い"


def planted() -> Suite:
    """Return a suite whose texts no prompt of discovery may hold."""
    plain = suite()
    items = tuple(
        replace(item, turns=(f"{SECRET}{item.id}",), target=f"{SECRET}の答え")
        for item in plain.items
    )
    return replace(plain, items=items)


async def test_neither_held_out_scores_nor_items_ever_reach_it(tmp_path: Path) -> None:
    def worth(item: Any, answer: Any) -> float:  # noqa: ARG001
        return 0.7177 if item.split == "held_out" else 0.5

    prompts: list[str] = []

    def says(request: Request) -> Reply:
        if request.role != "discovery":
            return echo(request)
        prompts.append("\n".join(m["content"] for m in request.messages))
        return reply(UNKNOWN)

    with Lab(tmp_path, models=Models(says), asked=planted()) as lab:
        lab.judge.worth = worth
        first = discovery(lab, lab.models)
        await lab.search(trials=2, confirm=2, discovery=first).run()
        held = [e for e in lab.store.evaluations(STUDY, "held_out") if e.value is not None]
        assert {round(10 * (e.value or 0), 2) for e in held} == {7.18}
    with Lab(tmp_path, models=Models(says), asked=planted()) as lab:
        again = discovery(lab, lab.models)
        await lab.search(trials=5, confirm=2, discovery=again).run()
    assert len(prompts) >= 4
    assert all("5.0" in text for text in prompts)
    for text in prompts:
        assert SECRET not in text
        assert "held" not in text
        assert "7.18" not in text
        assert "search-" not in text


# -- in a search


@pytest.mark.parametrize("sampled", [True, False], ids=["beside tpe", "alone"])
async def test_nonsense_costs_no_item_and_never_stops_a_search(
    tmp_path: Path, sampled: bool
) -> None:
    bad = [UNKNOWN, proposal([]), changed(layers=[[]]), proposal(aggregation_prompt="[[10]]"), 7]
    script = [*list(UNREADABLE.values())[:5], *(json.dumps({"proposals": [raw]}) for raw in bad)]

    def said(request: Request) -> Reply:
        return script[len(request.messages[1]["content"]) % len(script)]

    with Lab(tmp_path) as lab:
        asked = ScriptedCompleter(said)
        smoke = Smoke(lab.engine(), lab.judge, lab.suite.half("search"))
        search = lab.search(trials=7, sampled=sampled, discovery=discovery(lab, asked, (smoke,)))
        assert await search.run() == "done"
        assert len(lab.tried()) == 7
        assert {r.role for r in asked.requests} == {"discovery"}
        assert all(p.rejected for p in lab.fates())
        assert "discovery" not in {origin for *_, origin in lab.trials()}
        items = sum(len(lab.store.results(e.id)) for e in lab.store.evaluations(STUDY))
        assert len(lab.judge.seen) == items


async def test_what_is_proposed_is_evaluated(tmp_path: Path) -> None:
    def says(request: Request) -> Reply:
        return reply(proposal()) if request.role == "discovery" else echo(request)

    with Lab(tmp_path, models=Models(says)) as lab:
        asked = discovery(lab, lab.models)
        await lab.search(trials=3, in_flight=1, discovery=asked).run()
        origins = {digest: origin for _, _, digest, origin in lab.trials()}
        assert origins[AS_READ.digest] == "discovery"
        assert [e.accepted for e in lab.heard.events if isinstance(e, DiscoveryDone)] == [1, 0, 0]


async def test_another_run_knows_what_was_taken_before(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        await discovery(lab, saying(reply(proposal()))).propose(Archive(), 4)
    with Lab(tmp_path) as lab:
        again = discovery(lab, saying(reply(proposal())))
        assert again.pending() == [AS_READ]
        assert await again.propose(Archive(), 4) == []
        assert lab.fates()[-1].rejected == "duplicate: evaluated or proposed before"


async def test_smoke_that_fails_costs_two_items_and_is_recorded(tmp_path: Path) -> None:
    def says(request: Request) -> Reply:
        system = request.messages[0]["content"]
        return EmptyReplyError("nothing") if WORDS.split("\n")[0] in system else echo(request)

    with Lab(tmp_path, models=Models(says)) as lab:
        smoke = Smoke(lab.engine(), lab.judge, lab.suite.half("search"))
        asked = saying(reply(proposal(aggregation_prompt=WORDS)), reply())
        assert await discovery(lab, asked, (smoke,)).propose(Archive(), 4) == []
        (one,) = lab.fates()
        assert one.rejected == "smoke_empty: the answer to a smoke item is empty"
        assert one.digest == WORDED.digest
        assert len(lab.models.asked) == 2 * WORDED.calls
        assert lab.space.prompts == (PROMPT,)  # it never joins the menu


# -- prompts in a search


async def run_worded(folder: Path, trials: int) -> tuple[Lab, list[Any]]:
    """Search with a discoverer that brings a prompt; return what was tried."""

    def says(request: Request) -> Reply:
        if request.role != "discovery":
            return (
                f"ご質問に日本語でていねいにお答えします。要点は次のとおりです。{echo(request)}"[
                    :50
                ]
            )
        return reply(proposal(aggregation_prompt=WORDS))

    with Lab(folder, models=Models(says)) as lab:
        lab.texts |= lab.store.prompts()
        smoke = Smoke(lab.engine(), lab.judge, lab.suite.half("search"))
        asked = discovery(lab, lab.models, (smoke,))
        search = lab.search(trials=trials, in_flight=2, discovery=asked)
        assert await search.run() == "done"
        return lab, lab.trials()


async def test_a_discovered_prompt_is_tried_kept_and_known_to_the_next_run(
    tmp_path: Path,
) -> None:
    lab, trials = await run_worded(tmp_path, 3)
    origins = {digest: origin for _, _, digest, origin in trials}
    assert origins[WORDED.digest] == "discovery"
    assert lab.space.prompts == (PROMPT, text_digest(WORDS))
    assert lab.space.to_json()["prompts"] == [PROMPT]  # what the study is pinned to
    first = {o.ensemble.digest for o in lab.archive.all()}
    lab, trials = await run_worded(tmp_path, 14)
    assert lab.space.prompts == (PROMPT, text_digest(WORDS))
    digests = [digest for _, state, digest, _ in trials if state in ("COMPLETE", "PRUNED")]
    assert len(digests) == len(set(digests))  # nothing twice over both runs
    assert first <= {o.ensemble.digest for o in lab.archive.all()}
    used = [o.ensemble.aggregator.prompt for o in lab.archive.all()]
    assert used.count(text_digest(WORDS)) > 1  # others read under it as well
    with Store.open(lab.url) as store:
        assert store.prompts()[text_digest(WORDS)] == WORDS


async def test_a_trial_that_waits_keeps_its_discovered_prompt(tmp_path: Path) -> None:
    from db.studies import open_study
    from optimizer.asking import Asker

    class Worded:
        name = "worded"

        async def propose(self, archive: Archive, k: int) -> list[Ensemble]:  # noqa: ARG002
            return [] if archive.taken(WORDED.digest) else [WORDED]

    with Lab(tmp_path) as lab:
        lab.space.admit(WORDED)
        asker = Asker(open_study(lab.url, STUDY), lab.space, Archive(), 0, (Worded(),), None)
        await asker.open()
        asked = await asker.ask()
        asker.close()
        assert asked is not None
        assert asked.ensemble == WORDED
    with Lab(tmp_path) as lab:  # killed before it told anything, and nobody discovers today
        archive = Archive()
        asker = Asker(open_study(lab.url, STUDY), lab.space, archive, 0, (), None)
        await asker.open()
        assert asker.waiting == 1
        assert archive.taken(WORDED.digest)
        again = await asker.ask()
        asker.close()
        assert again is not None
        assert (again.ensemble, again.trial.number) == (WORDED, 0)


def test_optunas_choices_never_change() -> None:
    space = replace(SPACE)
    before = space.distributions(1)
    space.admit(WORDED)
    space.admit(WORDED)
    assert space.prompts == (PROMPT, text_digest(WORDS))
    assert space.contains(WORDED)
    assert space.distributions(1) == before
    assert space.decode(space.encode(AS_READ)) == AS_READ
    assert space.decode(space.encode(WORDED)) == AS_READ  # the trial carries the rest
    assert GOOD["aggregator"]["model"] == WORDED.aggregator.model
