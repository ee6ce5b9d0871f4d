"""A whole search over real inference: two members and a judge, each its own llama.cpp server.

The models are random: their texts are kana, held to that by a grammar, and their scores noise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.llama import ANSWER_GRAMMAR, VERDICT_GRAMMAR, llama_pool
from tests.support.program import Run, prepare, query, run

MEMBERS, JUDGE = ("tiny-a", "tiny-b"), "tiny-judge"
KANA = re.compile(r"([ぁ-ん]{4,16}。){1,2}")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with llama_pool(tmp_path_factory.mktemp("llama"), *MEMBERS, JUDGE) as found:
        yield found


@pytest.fixture(scope="module")
def searched(urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("searched")
    prepare(folder, settings(urls), items=8)
    return folder, run(folder, "search")


def settings(urls: dict[str, str]) -> dict[str, Any]:
    grammars = dict.fromkeys(MEMBERS, ANSWER_GRAMMAR) | {JUDGE: VERDICT_GRAMMAR}
    return {
        "endpoints": {name: {"base_url": url, "max_concurrency": 4} for name, url in urls.items()},
        "models": {
            name: {"endpoint": name, "extra_body": {"grammar": grammar}}
            for name, grammar in grammars.items()
        },
        "judge": {"kind": "rubric", "models": [JUDGE]},
        "suite": "questions.jsonl",
        "max_tokens": {"proposer": 128, "aggregator": 128, "judge": 128},
        "search": {"trials": 3, "layers": 2, "width": 2, "n": 2, "confirm": 2, "seed": 1},
    }


def check_ended_well(folder: Path, found: Run) -> None:
    assert found.code == 0, found.err
    assert query(folder, "SELECT DISTINCT outcome FROM attempts") == [("ok",)]
    assert query(folder, "SELECT DISTINCT finish_reason FROM completions") == [("stop",)]
    assert query(folder, "SELECT count(*) FROM scores WHERE value IS NULL") == [(0,)]
    values = {value for (value,) in query(folder, "SELECT value FROM scores")}
    assert len(values) > 1
    assert values <= {number / 10 for number in range(1, 11)}


def test_the_search_ends_with_every_item_answered_and_scored(searched: tuple[Path, Run]) -> None:
    check_ended_well(*searched)


def test_public_suites_are_answered_and_scored(
    urls: dict[str, str], shared: Path, tmp_path: Path
) -> None:
    suites = [
        {"path": str(shared / "rakuda/questions_v1.jsonl"), "format": "rakuda", "limit": 4},
        {"path": str(shared / "elyza_tasks_100/dataset.jsonl"), "format": "elyza", "limit": 4},
    ]
    prepare(tmp_path, settings(urls) | {"suite": suites})
    check_ended_well(tmp_path, run(tmp_path, "search"))


def test_the_leaderboard_ranks_everything(searched: tuple[Path, Run]) -> None:
    folder, _ = searched
    board = run(folder, "leaderboard", "--json").json
    assert {row["state"] for row in board["rows"]} <= {"COMPLETE", "PRUNED"}
    assert [row["rank"] for row in board["rows"]] == list(range(1, len(board["rows"]) + 1))
    assert sum(row["origin"] != "baseline" for row in board["rows"]) == 3
    assert board["rows"][0]["held_out"]["items"] == 4
    assert set(board["spent"]["by_role"]) == {"proposer", "aggregator", "judge"}


def test_show_has_what_the_models_wrote(searched: tuple[Path, Run]) -> None:
    folder, _ = searched
    digest = run(folder, "leaderboard", "--json").json["rows"][0]["digest"]
    shown = run(folder, "show", digest, "--json").json
    for evaluation in shown["evaluations"]:
        for item in evaluation["items"]:
            assert all(KANA.fullmatch(text) for text in item["texts"])
            assert re.search(r"\[\[\d+\]\]|。", item["verdicts"][0]["explanation"])


def test_the_export_answers(searched: tuple[Path, Run], tmp_path: Path) -> None:
    folder, _ = searched
    assert run(folder, "export", "-o", str(tmp_path / "best.yaml")).code == 0
    answer = run(tmp_path, "ask", "best.yaml", "日本の首都はどこですか。")
    assert answer.code == 0, answer.err
    assert KANA.fullmatch(answer.out.strip())


def test_the_same_search_again_makes_no_call(searched: tuple[Path, Run]) -> None:
    folder, found = searched
    attempts = "SELECT count(*) FROM attempts"
    before = query(folder, attempts)
    again = run(folder, "search")
    assert again.code == 0, again.err
    assert query(folder, attempts) == before
    assert again.out.splitlines()[:-1] == found.out.splitlines()[:-1]
