"""One contract for the store, kept by a real SQLite file and a real PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import example, given
from hypothesis import strategies as st

from data.errors import StoreError, StudyError
from db import types
from db.facts import Frozen, Served
from db.records import Proposal, Share
from db.store import Store
from db.studies import open_study
from db.study_facts import StudyFacts
from endpoints.facts import Kept, ModelFacts, Window
from judges.statistics import Estimate
from tests.support.postgres import any_database, database, engine_of
from tests.support.rows import ALONE, MOA, answer, attempt, completion, item, scores

ODD = [
    "",
    "改行\n\tと𠮷野家 🍣",
    "NUL\0の後",
    "片割れ\ud83cだけ",
    "escaped:のような文",
    "\ud800\0",
]


DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with any_database(request.param, tmp_path) as url, Store.open(url) as opened:
        yield opened


@given(st.text(st.characters(exclude_categories=())))
@example("escaped:")
@example("a\0\udfff")
def test_any_text_survives_the_escape(text: str) -> None:
    stored = types.encode(text)
    assert types.decode(stored) == text
    assert "\0" not in stored
    stored.encode()


async def test_a_completion_comes_back_as_received(store: Store) -> None:
    for number, text in enumerate(ODD):
        kept = replace(completion(f"k{number}", text), finish_reason="length", estimated=True)
        sent = attempt(str(number), kept.key)
        assert await store.claim(sent) is None
        assert store.get(kept.key) is None
        await store.settle(replace(sent, outcome="ok"), kept)
        assert store.get(kept.key) == kept
        assert store.get(kept.key).cut  # type: ignore[union-attr]


async def test_a_stored_completion_is_claimed_instead_of_an_attempt(store: Store) -> None:
    await store.settle(attempt("1", outcome="ok"), completion())
    assert await store.claim(attempt("2")) == completion()
    assert store.spent("s").calls == 1


async def test_a_failure_is_a_line_of_the_ledger_and_no_completion(store: Store) -> None:
    await store.claim(attempt("1"))
    await store.settle(attempt("1", outcome="timeout", seconds=180.0), None)
    assert store.get("k") is None
    assert store.spent("s").by_outcome == {"timeout": 1}


async def test_the_first_completion_of_a_key_stays(store: Store) -> None:
    await store.settle(attempt("1", outcome="ok"), completion(text="一"))
    await store.settle(attempt("2", outcome="ok"), completion(text="二"))
    assert store.get("k") == completion(text="一")


async def test_the_ledger_adds_up(store: Store) -> None:
    done = attempt("1", outcome="ok", prompt_tokens=10, completion_tokens=5, usd=0.5)
    await store.settle(done, None)
    await store.settle(replace(done, id="2", model="b"), None)
    await store.settle(replace(done, id="3", role="judge"), None)
    await store.claim(attempt("4", role="judge"))
    await store.claim(attempt("5", study="other"))
    spent = store.spent("s")
    assert (spent.calls, spent.tokens, spent.usd) == (4, 45, 1.5)
    assert spent.by_role == {"proposer": Share(2, 30, 1.0), "judge": Share(2, 15, 0.5)}
    assert spent.by_model == {"a": Share(3, 30, 1.0), "b": Share(1, 15, 0.5)}
    assert spent.by_outcome == {"ok": 3, "sent": 1}
    assert (store.spent("s").calls, store.spent("nobody").calls) == (4, 0)
    assert store.spent("nobody").calls == 0


async def test_an_evaluation_begins_once(store: Store) -> None:
    first = await store.begin("s", "search", "j", "rubric", MOA, "tpe")
    assert first == await store.begin("s", "search", "j", "rubric", MOA, "random")
    assert (first.ensemble, first.origin, first.state, first.value) == (
        MOA,
        "tpe",
        "RUNNING",
        None,
    )
    others = [
        await store.begin("s2", "search", "j", "rubric", MOA, "tpe"),
        await store.begin("s", "held_out", "j", "rubric", MOA, "tpe"),
        await store.begin("s", "search", "j2", "rubric", MOA, "tpe"),
        await store.begin("s", "search", "j", "rubric", ALONE, "tpe"),
    ]
    assert len({first.id, *(other.id for other in others)}) == 5
    assert store.evaluation("s", "search", "j", MOA.digest) == first
    assert store.evaluation("s", "search", "j", "0") is None
    assert [e.half for e in store.evaluations("s")] == ["search", "held_out", "search", "search"]
    assert [e.id for e in store.evaluations("s", "held_out")] == [others[1].id]


async def test_an_evaluation_ends_and_only_a_failed_one_runs_again(store: Store) -> None:
    counts = {"items": 64, "unscored": 1, "marked": 2}
    begun = await store.begin("s", "search", "j", "rubric", MOA, "tpe")
    await store.close_evaluation(begun.id, "FAILED", None, **counts)
    assert store.evaluations("s")[0].state == "FAILED"
    assert (await store.begin("s", "search", "j", "rubric", MOA, "tpe")).state == "RUNNING"
    await store.close_evaluation(begun.id, "COMPLETE", Estimate(0.7, 0.6, 0.8, 63), **counts)
    ended = replace(begun, state="COMPLETE", value=0.7, low=0.6, high=0.8)
    closed = replace(ended, items=64, unscored=1, marked=2)
    assert await store.begin("s", "search", "j", "rubric", MOA, "tpe") == closed
    await store.close_evaluation(begun.id, "FAILED", None, **counts)
    assert store.evaluations("s") == [closed]


async def test_the_first_answer_to_an_item_stays(store: Store) -> None:
    begun = await store.begin("s", "search", "j", "rubric", MOA, "tpe")
    kept = await store.add(begun.id, item("い"), answer("最初\0", lost=2), scores(0.7))
    assert (kept.item_id, kept.category, kept.value) == ("い", "数学", 0.7)
    assert await store.add(begun.id, item("い"), answer("次"), scores(0.1)) == kept
    unscored = await store.add(begun.id, item("あ"), answer(), scores(None))
    assert unscored.value is None
    assert sorted(store.results(begun.id), key=lambda r: r.item_id) == [unscored, kept]
    assert store.results(begun.id + 1) == []


async def test_a_write_that_fails_fails_alone(store: Store) -> None:
    begun = await store.begin("s", "search", "j", "rubric", MOA, "tpe")
    wrong = store.add(begun.id + 99, item(), answer(), scores())
    right = [store.add(begun.id, item(f"i{n}"), answer(), scores()) for n in range(20)]
    done = await asyncio.gather(*right[:10], wrong, *right[10:], return_exceptions=True)
    assert [type(each) for each in done].count(StoreError) == 1
    assert isinstance(done[10], StoreError)
    assert "\n" not in str(done[10])
    assert len(store.results(begun.id)) == 20


async def test_many_writers_at_once_lose_nothing(store: Store) -> None:
    keys = [f"k{n}" for n in range(300)]
    await asyncio.gather(*(store.claim(attempt(key, key)) for key in keys))
    settled = [store.settle(attempt(key, key, outcome="ok"), completion(key)) for key in keys]
    await asyncio.gather(*settled)
    assert [store.get(key) for key in keys] == [completion(key) for key in keys]
    assert store.spent("s").by_outcome == {"ok": 300}


async def test_a_cancelled_caller_does_not_take_its_write_along(store: Store) -> None:
    tasks = [asyncio.create_task(store.claim(attempt(str(n), str(n)))) for n in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert tasks[0].cancelled()
    await store.claim(attempt("last", "last"))
    assert store.spent("s").calls == 6


async def test_close_waits_for_what_was_asked(store: Store) -> None:
    tasks = [asyncio.create_task(store.claim(attempt(str(n), str(n)))) for n in range(50)]
    await asyncio.sleep(0)
    store.close()
    await asyncio.gather(*tasks)
    with Store.open(store.url) as again:
        assert again.spent("s").calls == 50
    with pytest.raises(StoreError, match="closed"):
        await store.claim(attempt())


async def test_reads_from_other_threads(store: Store) -> None:
    await store.settle(attempt("1", outcome="ok"), completion())
    reads = [asyncio.to_thread(store.get, "k") for _ in range(20)]
    assert set(await asyncio.gather(*reads)) == {completion()}
    assert await asyncio.to_thread(store.evaluations, "s") == []


async def test_prompts_are_written_once(store: Store) -> None:
    await store.add_prompts({"sha256:1": "統合\0せよ", "sha256:2": "B"})
    await store.add_prompts({"sha256:1": "another"})
    await store.add_prompts({})
    assert store.prompts() == {"sha256:1": "統合\0せよ", "sha256:2": "B"}


async def test_proposals_keep_their_order_and_their_reasons(store: Store) -> None:
    taken = Proposal("discovery", MOA.to_json(), MOA.digest, "案", "思考", ("x",), 7.5, "", "k")
    raw = Proposal("discovery", "{これはJSONでない\ud800", rejected="no JSON")
    await store.propose("s", taken)
    await store.propose("s", raw)
    assert store.proposals("s") == [taken, raw]
    assert store.proposals("other") == []


async def replied(store: Store) -> None:
    await store.claim(attempt())
    await store.settle(replace(attempt(), outcome="ok"), completion())


def searched(store: Store, *, trials: int) -> None:
    study = open_study(store.url, "s")
    for _ in range(trials):
        study.ask()
    engine_of(study).dispose()


async def test_a_study_that_brought_nothing_takes_new_settings(store: Store) -> None:
    """Whoever mended a wrong address or judge before the first reply goes on under its name."""
    await store.pin("s", {"seed": 0, "judge": "a"})
    await store.claim(attempt())
    await store.settle(replace(attempt(), outcome="connection"), None)
    await store.begin("s", "search", "a", "a", MOA, "baseline")
    searched(store, trials=0)
    await replied(store)  # an audit may have asked, and every study uses it
    await store.pin("s", {"seed": 1}, renew=True)
    assert store.pins("s") == {"seed": 1}
    assert store.evaluations("s") == []


async def test_only_who_holds_its_lock_begins_a_study_anew(store: Store) -> None:
    await store.pin("s", {"seed": 0})
    begun = await store.begin("s", "search", "a", "a", MOA, "baseline")
    assert store.vain("s")
    with pytest.raises(StudyError, match="`seed` was 0 and is now 1"):
        await store.pin("s", {"seed": 1})
    assert [one.id for one in store.evaluations("s")] == [begun.id]


async def test_what_an_audit_froze_before_the_first_search_does_not_bind_it(store: Store) -> None:
    await store.freeze("s", {"a": (Served("local", "a"), ModelFacts(1000))})
    await store.pin("s", {"seed": 0}, renew=True)
    assert store.frozen("s") == {}


@pytest.mark.parametrize("brought", ["answer", "trial"])
async def test_a_study_that_brought_anything_stays_what_it_is(store: Store, brought: str) -> None:
    await store.pin("s", {"seed": 0})
    if brought == "answer":
        begun = await store.begin("s", "search", "a", "a", MOA, "baseline")
        await store.add(begun.id, item(), answer(), scores())
    else:
        searched(store, trials=1)
    with pytest.raises(StudyError, match="`seed` was 0 and is now 1"):
        await store.pin("s", {"seed": 1}, renew=True)
    assert not store.vain("s")


async def test_a_study_is_pinned_by_its_first_search(store: Store) -> None:
    pins = {"suite": {"name": "日本語", "digest": "1"}, "seed": 0, "report_judge": None}
    assert store.pins("s") == {}
    await store.pin("s", pins)
    await store.pin("s", pins)
    assert store.pins("s") == pins
    with pytest.raises(StudyError) as caught:
        await store.pin("s", {**pins, "new": 1, "suite": {"name": "日本語", "digest": "2"}})
    line = 'study \'s\': `suite.digest` was "1" and is now "2"; '
    assert str(caught.value) == line + (
        "undo the change, or give --study NEW (replies paid for are used again)"
    )
    assert store.pins("s") == pins
    await store.pin("other", {"seed": 1})


async def test_a_long_pin_is_shown_short(store: Store) -> None:
    await store.pin("s", {"prompts": ["あ" * 500]})
    with pytest.raises(StudyError) as caught:
        await store.pin("s", {"prompts": ["い" * 500]})
    assert len(str(caught.value)) < 250


async def test_the_latest_fact_of_a_server_counts(store: Store) -> None:
    await store.learn("http://h/v1", {"seed": True, "context": 4096})
    await store.learn("http://h/v1", {"context": 8192})
    assert store.facts("http://h/v1") == {"seed": True, "context": 8192}
    assert store.facts("http://other/v1") == {}


async def test_a_models_facts_are_frozen_by_the_first(store: Store) -> None:
    served, facts = Served("http://h/v1", "owner/m"), ModelFacts(2000, "vllm", 1.5)
    await store.freeze("s", {"m": (served, facts)})
    await store.freeze("s", {"m": (served, ModelFacts(9000)), "n": (served, ModelFacts())})
    assert store.frozen("s") == {"m": Frozen(facts, ()), "n": Frozen(ModelFacts(), ())}
    assert store.frozen("other") == {}


async def test_a_study_begins_with_the_corrections_of_the_one_before(store: Store) -> None:
    served, unknown = Served("http://h/v1", "owner/m"), ModelFacts()
    await store.freeze("s", {"m": (served, unknown)})
    assert await store.correct("s", "m", Window(2000)) == (Window(2000),)
    windows = await store.correct("s", "m", Window(2000, 0.9))
    assert windows == (Window(2000), Window(2000, 0.9))
    await store.freeze("t", {"renamed": (served, unknown)})
    assert store.frozen("t")["renamed"].corrections == windows
    told = {"m": (served, ModelFacts(4096)), "n": (Served("http://h/v1", "other"), unknown)}
    await store.freeze("u", told)
    assert {frozen.corrections for frozen in store.frozen("u").values()} == {()}


async def test_what_is_assumed_of_a_silent_server_is_what_is_frozen_later(store: Store) -> None:
    served, facts = Served("http://h/v1", "owner/m"), ModelFacts(4096)
    await store.freeze("s", {"m": (served, facts)})
    await store.correct("s", "m", Window(2000))
    run = StudyFacts(store, "t", {"m": served}, {"m": facts})
    assert (run.facts("m"), run.corrections("m")) == (facts, (Window(2000),))
    await run.freeze(["m"])
    assert store.frozen("t")["m"] == Frozen(facts, run.corrections("m"))
    await run.correct("m", Window(1000))
    assert run.corrections("m") == (Window(2000), Window(1000))


async def test_the_first_fit_of_a_prompt_stays(store: Store) -> None:
    first = (Kept(0, 10, 10), Kept(-5, 900, 4))
    await store.keep_fit("z", "k", first)
    await store.keep_fit("z", "k", (Kept(0, 1, 1),))
    assert store.fit("z", "k") == first
    assert store.fit("other", "k") is None


async def test_running_time_is_summed_over_workers(store: Store) -> None:
    first, second = await store.register("s"), await store.register("s")
    assert [w.at_work for w in store.workers("s")] == [True, True]
    await store.heartbeat(first)
    await store.heartbeat(second, finished=True)
    found = {w.id: w for w in store.workers("s")}
    assert (found[first].at_work, found[second].at_work) == (True, False)
    assert store.spent("s").seconds == pytest.approx(sum(w.seconds for w in found.values()))
    assert min(w.seconds for w in found.values()) > 0
    silent = replace(found[first], seen=found[first].seen - 1000)
    assert not silent.at_work


async def test_searches_that_meet_at_the_same_replies_do_not_block_each_other() -> None:
    keys = [f"k{number:03}" for number in range(300)]

    async def settle(store: Store, who: str, order: list[str]) -> None:
        lines = ((attempt(who + key, key, outcome="ok"), completion(key)) for key in order)
        await asyncio.gather(*(store.settle(*line) for line in lines))

    with database() as url, Store.open(url) as one, Store.open(url) as other:
        for turn in "abc":
            mine = [turn + key for key in keys]
            await asyncio.gather(settle(one, "1", mine), settle(other, "2", mine[::-1]))
        count = sqlalchemy.text(DEADLOCKS)
        assert one.read(lambda connection: connection.execute(count).scalar_one()) == 0
        assert one.spent("s").calls == 6 * len(keys)
