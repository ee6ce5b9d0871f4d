"""`kumiawase audit` over HTTP: it says what it costs, pays nothing twice, and ends as it found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import program


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
    assert "no study 'default' yet: 3 models answer 4 items first (12 calls)" in said
    assert "audit of 12 answers: 12 are judged again" in said
    states = {line["name"]: line["state"] for line in found["lines"]}
    assert states["coverage"] == "pass"
    assert states["canary: english"] == "pass"
    assert states["position"] == states["own family"] == states["agreement"] == "not applicable"
    assert states["length"] == states["range"] == states["canary: null answer"] == "undecided"
    roles = dict(
        program.query(audited.folder, "select role, count(*) from attempts group by role")
    )
    assert roles["aggregator"] == 12
    assert roles["judge"] == audited.pool.replies - 12


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
    assert "0 calls to come" in again.err
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
