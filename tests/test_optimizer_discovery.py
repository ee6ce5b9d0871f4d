"""The discovery turn: what a model proposes is data, checked before anything is spent on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.errors import BudgetSpentError, FilteredError
from db.records import Proposal
from endpoints.request import Request
from endpoints.specs import ModelSpec
from judges.statistics import Estimate
from moa.ensemble import Agent, Ensemble, single
from optimizer.archive import Archive
from optimizer.events import DiscoveryDone
from optimizer.proposers.discovery import LONGEST, SHOWN, Discovery
from optimizer.space import Space
from tests.support.completers import Reply, ScriptedCompleter, saying
from tests.support.pool import PROMPT, SPACE, STUDY, Lab, Models, echo, outcome

OTHER = "sha256:" + "b" * 64
MODELS = {
    name: ModelSpec(name, "e", name, f"family-{name}", context=4096 if name == "a" else None)
    for name in ("a", "b", "c")
}
GOOD: dict[str, Any] = {
    "layers": [[{"model": "a", "temperature": 0.7, "n": 2}]],
    "aggregator": {"model": "b", "temperature": 0.0},
}
AS_READ = Ensemble(((Agent("a", 0.7, 2),),), Agent("b", 0.0, prompt=PROMPT))


def proposal(ensemble: object = None, **changes: object) -> dict[str, object]:
    """Return a proposal as the model is asked to write it."""
    form = {"thought": "案", "name": "名前", "parents": ["12345678"], "expected_score": 7.5}
    return {**form, "ensemble": GOOD if ensemble is None else ensemble, **changes}


def reply(*proposals: object) -> str:
    return json.dumps({"proposals": proposals}, ensure_ascii=False)


def changed(**changes: object) -> dict[str, object]:
    return proposal({**GOOD, **changes})


def discovery(lab: Lab, completer: ScriptedCompleter, space: Space = SPACE) -> Discovery:
    return Discovery(completer, "d", space, MODELS, lab.store, STUDY)


async def turn(
    folder: Path, said: Reply, archive: Archive | None = None, k: int = 4
) -> tuple[list[Ensemble], list[Proposal]]:
    with Lab(folder) as lab:
        found = await discovery(lab, saying(said)).propose(archive or Archive(), k)
        return found, lab.fates()


async def test_a_good_proposal_is_taken_and_kept_with_its_thought(tmp_path: Path) -> None:
    found, kept = await turn(tmp_path, reply(proposal()))
    assert found == [AS_READ]
    assert len(kept) == 1
    (one,) = kept
    assert (one.origin, one.digest, one.rejected) == ("discovery", AS_READ.digest, "")
    assert (one.thought, one.name, one.parents) == ("案", "名前", ("12345678",))
    assert one.expected_score == 7.5
    assert one.completion_key != ""
    assert Ensemble.from_json(one.ensemble, prompt=PROMPT) == AS_READ


@pytest.mark.parametrize(
    "said",
    [
        "考えました。\n```json\n" + reply(proposal()) + "\n```\n以上です。",
        '{まず} {"note": 1} 次に ' + reply(proposal()),
        json.dumps({"analysis": {"a": [1, {}]}, "proposals": [proposal()]}),
        "{" * 50 + reply(proposal()),
    ],
    ids=["fenced", "after other braces", "not the first key", "after noise"],
)
async def test_the_json_is_found_among_words(tmp_path: Path, said: str) -> None:
    assert (await turn(tmp_path, said))[0] == [AS_READ]


DEEP = '{"proposals": [' + '{"ensemble": ' * 1 + "[" * 700 + "]" * 700 + "}]}"
NESTED = '{"ensemble": {"layers": ' + "[" * 600 + "]" * 600 + "}}"
UNREADABLE: dict[str, str] = {
    "nothing": "わかりません。",
    "no json": "{proposals: [a, b]}",
    "another shape": '{"ensembles": []}',
    "no list": '{"proposals": {"a": 1}}',
    "code": "```python\nimport os\nos.system('rm -rf /')\n```",
    "deep objects": '{"proposals":' * 30_000,
    "deep lists": '{"proposals": [' + "[" * 100_000,
    "braces": "{" * 300_000,
    "a number too long": '{"proposals": [' + "9" * 5000 + "]}",
    "gigantic": '{"a": "' + "あ" * 1_000_000 + '", "proposals": []}',
}


@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_kept_with_the_reason(tmp_path: Path, said: str) -> None:
    found, kept = await turn(tmp_path, said)
    assert found == []
    assert [p.rejected for p in kept] == ["the reply holds no JSON object with `proposals`"]
    assert kept[0].ensemble == said[:LONGEST]


REFUSED: dict[str, tuple[object, str]] = {
    "no object": (7, "valid dictionary"),
    "no ensemble": ({"thought": "案"}, "ensemble"),
    "a list": (proposal([]), "ensemble"),
    "an unknown model": (changed(aggregator={"model": "gpt-9"}), "unknown model 'gpt-9'"),
    "an unknown key": (
        changed(aggregator={"model": "a", "system": "__import__('os')"}),
        "unknown key 'system'",
    ),
    "code for a model": (changed(aggregator="os.system('ls')"), "aggregator"),
    "no aggregator": (proposal({"layers": []}), "aggregator"),
    "an empty layer": (changed(layers=[[]]), "layer without agents"),
    "no lists": (changed(layers={"a": 1}), "layers"),
    "too many layers": (changed(layers=GOOD["layers"] * 2), "outside the limits"),
    "too wide": (
        changed(layers=[[{"model": m, "temperature": 0.7} for m in "abc"]]),
        "outside the limits",
    ),
    "a gigantic layer": (changed(layers=[GOOD["layers"][0] * 2000]), "outside the limits"),
    "n too large": (
        changed(layers=[[{"model": "a", "temperature": 0.7, "n": 10**30}]]),
        "outside the limits",
    ),
    "n of minus one": (changed(layers=[[{"model": "a", "n": -1}]]), "n -1"),
    "n a truth": (changed(layers=[[{"model": "a", "n": True}]]), "`n` is True"),
    "a temperature that is none": (
        changed(aggregator={"model": "b", "temperature": float("nan")}),
        "temperature nan",
    ),
    "an endless one": (
        changed(aggregator={"model": "b", "temperature": float("inf")}),
        "beyond all bounds",
    ),
    "another temperature": (
        changed(aggregator={"model": "b", "temperature": 0.5}),
        "outside the limits",
    ),
    "an unknown prompt": (
        changed(aggregator={"model": "b", "temperature": 0.0, "prompt": "p9"}),
        "outside the limits",
    ),
    "half a character": (changed(aggregator={"model": "\ud800"}), "unknown model"),
    "half a character in a name": (proposal(name="半 \ud800"), "name"),
    "nul": (changed(aggregator={"model": "\0"}), "unknown model"),
    "an endless hope": (proposal(expected_score=float("inf")), "expected_score"),
    "parents by the hundred": (proposal(parents=["a"] * 100), "parents"),
    "a name of a book": (proposal(name="あ" * 1000), "name"),
}


@pytest.mark.parametrize(("raw", "reason"), REFUSED.values(), ids=REFUSED)
async def test_nonsense_is_kept_with_the_reason_and_stops_nothing(
    tmp_path: Path, raw: object, reason: str
) -> None:
    found, kept = await turn(tmp_path, json.dumps({"proposals": [raw, proposal()]}))
    assert found == [AS_READ]
    assert [p.rejected == "" for p in kept] == [False, True]
    assert reason in kept[0].rejected


@pytest.mark.parametrize("depth", [30, 254, 500, *range(970, 990), 5000])
async def test_however_deep_it_is_nested(tmp_path: Path, depth: int) -> None:
    for number, nested in enumerate(
        ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth)
    ):
        for written in (
            f'{{"ensemble": {{"layers": {nested}}}}}',
            nested,
            f'{{"ensemble": {nested}}}',
        ):
            folder = tmp_path / f"{number}-{len(written)}-{written[2:5]}"
            folder.mkdir(exist_ok=True)
            found, kept = await turn(folder, f'{{"proposals": [{written}]}}')
            assert found == []
            assert all(p.rejected for p in kept)


async def test_odd_text_in_thought_and_name_is_kept_as_it_is(tmp_path: Path) -> None:
    odd, half = "改行\n、\0 と \x1b[31m", "\ud800"
    found, kept = await turn(
        tmp_path, json.dumps({"proposals": [proposal(thought=odd + half, name=odd)]})
    )
    assert found == [AS_READ]
    assert (kept[0].thought, kept[0].name) == (odd + half, odd)


async def test_no_more_are_read_than_were_asked_for(tmp_path: Path) -> None:
    many = [changed(aggregator={"model": m, "temperature": t}) for m in "abc" for t in (0, 0.7)]
    found, kept = await turn(tmp_path, reply(*many), k=2)
    assert len(found) == len(kept) == 2


async def test_what_was_evaluated_or_proposed_is_nothing_new(tmp_path: Path) -> None:
    known = Archive([outcome(AS_READ, 0.5, 0.6)])
    other = changed(aggregator={"model": "c", "temperature": 0.0})
    with Lab(tmp_path) as lab:
        asked = discovery(lab, saying(reply(proposal(), other, other)))
        assert [e.aggregator.model for e in await asked.propose(known, 4)] == ["c"]
        assert await asked.propose(known, 4) == []  # its own, still under way
        reasons = [p.rejected for p in lab.fates()]
    known_before = "evaluated or proposed before"
    assert reasons == [known_before, "", known_before, *[known_before] * 3]


@pytest.mark.parametrize("said", [FilteredError("withheld")])
async def test_no_reply_is_kept_too(tmp_path: Path, said: Exception) -> None:
    found, kept = await turn(tmp_path, said)
    assert found == []
    assert "withheld" in kept[0].rejected


async def test_a_turn_that_cannot_be_paid_is_no_proposal(tmp_path: Path) -> None:
    with pytest.raises(BudgetSpentError):
        await turn(tmp_path, BudgetSpentError("enough"))


# -- what it is shown


def shown(lab: Lab, archive: Archive, space: Space = SPACE) -> list[dict[str, Any]]:
    messages = discovery(lab, saying(""), space).messages(archive, 4)
    assert [m["role"] for m in messages] == ["system", "user"]
    return [json.loads(line) for line in messages[1]["content"].splitlines()]


def many(number: int) -> Archive:
    """Return single models and so many ensembles, better and better."""
    found = [outcome(single(m, 0.0), 0.1, 0.2, origin="baseline") for m in "abc"]
    for i in range(number):
        agent = Agent("a", 0.7, 1 + i)
        ensemble = Ensemble(((agent,),), Agent("b", 0.0, prompt=PROMPT))
        found.append(outcome(ensemble, 0.2 + i / 50, 0.3 + i / 50))
    return Archive(found)


def test_it_reads_limits_models_and_scores_and_the_best_last(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        lines = shown(lab, many(20))
    assert lines[0]["limits"] == {
        "layers": 1,
        "width": 2,
        "n": 2,
        "temperatures": [0.0, 0.7],
        "proposals": 4,
    }
    facts = [line for line in lines if "family" in line]
    assert [f["model"] for f in facts] == ["a", "b", "c"]
    assert facts[0]["context"] == 4096
    assert "context" not in facts[1]
    scored = [line for line in lines if "score" in line]
    assert len(scored) == SHOWN + 3  # every single model on top
    assert [s["score"] for s in scored] == sorted(s["score"] for s in scored)
    assert scored[-1]["score"] == pytest.approx(6.3)
    assert scored[-1]["se"] == pytest.approx(10 * 0.2 / 3.92, abs=0.01)


def test_prompts_have_short_names_both_ways(tmp_path: Path) -> None:
    space = Space(("a",), ("a",), 1, 1, 1, (0.0,), (PROMPT, OTHER))
    ensemble = Ensemble(((Agent("a", 0.0),),), Agent("a", 0.0, prompt=OTHER))
    with Lab(tmp_path) as lab:
        lines = shown(lab, Archive([outcome(ensemble, 0.5, 0.5)]), space)
    assert lines[0]["limits"]["prompts"] == ["p1", "p2"]
    assert lines[-1]["ensemble"]["aggregator"]["prompt"] == "p2"
    assert "sha256" not in json.dumps(lines)


async def test_a_prompt_may_be_proposed_by_its_short_name(tmp_path: Path) -> None:
    space = Space(("a",), ("a",), 1, 1, 1, (0.0,), (PROMPT, OTHER))
    written = {
        "layers": [[{"model": "a", "temperature": 0}]],
        "aggregator": {"model": "a", "temperature": 0, "prompt": "p2"},
    }
    with Lab(tmp_path) as lab:
        found = await discovery(lab, saying(reply(proposal(written))), space).propose(Archive(), 1)
    assert [e.aggregator.prompt for e in found] == [OTHER]


def test_pruned_and_unscored_ensembles_are_shown_only_where_they_have_a_score(
    tmp_path: Path,
) -> None:
    whole = outcome(AS_READ, 0.9, 0.9)
    pruned = replace(whole, state="PRUNED", estimate=Estimate(0.1, 0.0, 0.2, 2))
    with Lab(tmp_path) as lab:
        assert not [line for line in shown(lab, Archive([pruned])) if "score" in line]


# -- in a search


@pytest.mark.parametrize("sampled", [True, False], ids=["beside tpe", "alone"])
async def test_nonsense_costs_no_item_and_never_stops_a_search(
    tmp_path: Path, sampled: bool
) -> None:
    script: list[str] = [
        *list(UNREADABLE.values())[:5],
        *(json.dumps({"proposals": [raw]}) for raw, _ in list(REFUSED.values())[:8]),
    ]

    def said(request: Request) -> Reply:
        return script[len(request.messages[1]["content"]) % len(script)]

    with Lab(tmp_path) as lab:
        asked = ScriptedCompleter(said)
        search = lab.search(trials=12, sampled=sampled, discovery=discovery(lab, asked))
        assert await search.run() == "done"
        assert len(lab.tried()) == 12
        assert asked.requests
        assert {r.role for r in asked.requests} == {"discovery"}
        assert all(p.rejected for p in lab.fates())
        assert "discovery" not in {origin for *_, origin in lab.trials()}
        items = sum(len(lab.store.results(e.id)) for e in lab.store.evaluations(STUDY))
        assert len(lab.judge.seen) == items


async def test_what_is_proposed_is_evaluated_and_its_score_shown_next(tmp_path: Path) -> None:
    seen: list[str] = []

    def says(request: Request) -> Reply:
        if request.role != "discovery":
            return echo(request)
        seen.append(request.messages[1]["content"])
        return reply(proposal())

    with Lab(tmp_path, models=Models(says)) as lab:
        asked = Discovery(lab.models, "d", SPACE, MODELS, lab.store, STUDY)
        await lab.search(trials=13, in_flight=2, sampled=True, discovery=asked).run()
        origins = {digest: origin for _, _, digest, origin in lab.trials()}
        assert origins[AS_READ.digest] == "discovery"
        assert [e.accepted for e in lab.heard.events if isinstance(e, DiscoveryDone)][:2] == [1, 0]
        known = lab.archive.get(AS_READ.digest)
        assert known is not None
        assert known.value is not None
        line = f'"id": "{AS_READ.digest[:8]}"'
    assert line not in seen[0]
    assert any(line in text for text in seen) or known not in lab.archive.best(SHOWN)


async def test_another_run_knows_what_was_taken_before(tmp_path: Path) -> None:
    await turn(tmp_path, reply(proposal()))
    with Lab(tmp_path) as lab:
        again = discovery(lab, saying(reply(proposal())))
        assert again.pending() == [AS_READ]
        assert await again.propose(Archive(), 4) == []
        assert lab.fates()[-1].rejected == "evaluated or proposed before"
