"""`kumiawase audit` over HTTP: it says what it costs, pays nothing twice, and ends as it found."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from data.observer import Silent
from db.store import Store
from kumiawase.settings import load
from kumiawase.wiring import budget_of, open_session
from tests.support import program
from tests.support.rows import MOA, attempt


@dataclass(frozen=True, slots=True)
class Audited:
    """A folder in which a judge was audited once, without a study."""

    folder: Path
    pool: program.Pool
    first: program.Run


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audit")
    with program.pool(folder / "log.jsonl") as pool:
        program.prepare(folder, program.settings(pool.url))
        yield Audited(folder, pool, program.run(folder, "audit", "-n", "4", "--json"))


def test_without_a_study_the_single_models_answer_first(audited: Audited) -> None:
    found, said = audited.first.json, audited.first.err
    assert audited.first.code == (0 if found["fit"] else 1)
    (told,) = (line for line in said.splitlines() if line.startswith("audit of "))
    assert told.startswith("audit of 12 answers: 12 to be given first, 12 judged again, ")
    least, most = map(int, re.findall(r"about (\d+) calls, up to (\d+) while", told)[0])
    # Of answers that are not given yet nobody knows how many mistakes can be planted.
    assert least - 12 <= audited.pool.replies <= most + 12
    states = {line["name"]: line["state"] for line in found["lines"]}
    assert states["coverage"] == "pass"
    assert states["canary: english"] == "pass"
    assert states["position"] == states["own family"] == states["agreement"] == "not applicable"
    assert states["length"] == states["range"] == states["canary: null answer"] == "undecided"
    roles = dict(
        program.query(audited.folder, "select role, count(*) from attempts group by role")
    )
    assert roles["aggregator"] == 12
    assert roles["audit"] == audited.pool.replies - 12
    assert roles.keys() == {"aggregator", "audit"}


def test_a_search_has_all_calls_of_its_budget_after_an_audit(audited: Audited) -> None:
    settings = load(audited.folder / "kumiawase.yaml")
    with Store.open(settings.storage) as store:
        assert budget_of(settings, store).spent == 12  # the answers, which it need not ask for
        assert budget_of(settings, store, audit=True).spent == audited.pool.replies - 12
        assert store.spent(settings.study).calls == audited.pool.replies


def test_again_with_the_marks_of_others_costs_no_call(audited: Audited) -> None:
    rows = [
        {"question_id": f"q{n}", "model": model, "score": 1 + (n + k) % 10, "turn": 1, "judge": j}
        for n in range(8)
        for k, model in enumerate(program.MEMBERS)
        for j in [["people", "single-v1"]]
    ]
    marks = audited.folder / "marks.jsonl"
    marks.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    before = audited.pool.replies
    again = program.run(
        audited.folder, "audit", "-n", "4", "--reference", "fastchat-single", str(marks)
    )
    assert audited.pool.replies == before
    assert re.search(r"by a second judge: 0 calls|twins: 0 calls", again.err)
    assert "canary: forged verdict" in again.out
    assert "agreement: wants 20, saw 12" in again.out


def test_a_budget_ends_it_with_3_and_bad_input_with_2(audited: Audited, tmp_path: Path) -> None:
    config = program.settings(audited.pool.url, budget={"calls": 20})
    del config["report_judge"]
    program.prepare(tmp_path, config)
    spent = program.run(tmp_path, "audit", "-n", "4")
    assert spent.code == 3
    assert "raise budget.calls and the same command goes on" in spent.err
    absent = program.run(tmp_path, "audit", "--judge", "report")
    assert absent.code == 2
    assert "the settings name no report_judge" in absent.err
    choices = program.run(tmp_path, "audit", "--reference", "rakuda", "none.jsonl")
    assert choices.code == 2
    assert "choices between two answers" in choices.err


async def test_an_audit_leaves_a_study_alone_that_has_brought_nothing(
    audited: Audited, tmp_path: Path
) -> None:
    """Neither a search that has just begun nor one that found no server is the worse for it."""

    def edited(url: str, most: int) -> Path:
        changes = {"max_tokens": {"judge": most}}
        return program.prepare(tmp_path, program.settings(url, **changes))

    async with open_session(load(edited("http://127.0.0.1:9/v1", 700)), Silent()) as searching:
        store = searching.store
        await store.begin("default", "search", "a", "a", MOA, "baseline")
        pins = store.pins("default")
        edited(audited.pool.url, 800)
        done = await asyncio.to_thread(program.run, tmp_path, "audit", "-n", "1")
        assert "audit of 3 answers: 3 to be given first" in done.err
        assert done.code in (0, 1), done.err
        assert store.pins("default") == pins
        assert len(store.evaluations("default")) == 1
    async with open_session(load(edited(audited.pool.url, 900)), Silent()) as searching:
        assert searching.store.pins("default")["judge"]["parts"]["max_tokens"] == 900


def test_every_turn_to_be_given_first_is_announced(audited: Audited, tmp_path: Path) -> None:
    config = program.prepare(tmp_path, program.settings(audited.pool.url))
    turns = [[f"{n}番目の質問です。", "では、その続きは。"] for n in range(4)]
    rows = ({"id": f"t{n}", "category": "会話", "turns": two} for n, two in enumerate(turns))
    suite = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    config.with_name("questions.jsonl").write_text(suite, encoding="utf-8")
    said = program.run(tmp_path, "audit", "-n", "2").err
    role = "select count(*) from attempts where role = 'aggregator'"
    assert "audit of 6 answers: 12 to be given first, " in said
    assert program.query(tmp_path, role) == [(12,)]


async def test_what_a_model_left_unfinished_that_is_gone_costs_nothing(
    audited: Audited, tmp_path: Path
) -> None:
    settings = load(program.prepare(tmp_path, program.settings(audited.pool.url)))
    with Store.open(settings.storage) as store:
        await store.claim(attempt(study=settings.study, model="gone"))
        found = budget_of(settings, store)
    assert (found.spent, found.usd) == (1, 0.0)
