"""Aim: the public suites load from their real files, whole and in the right fields."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from data.errors import SuiteError
from data.suites import Item, load_suite, published

MT_BENCH = "japanese-mt-bench"


def items(shared: Path, path: str, form: str, **more: str) -> tuple[Item, ...]:
    return load_suite({"path": path, "format": form, **more}, shared).items


def halves(of: tuple[Item, ...]) -> Counter[str]:
    return Counter(item.split for item in of)


def test_rakuda_is_the_same_in_both_versions(shared: Path) -> None:
    v1 = items(shared, "rakuda/questions_v1.jsonl", "rakuda")
    v2 = items(shared, "rakuda/questions_v2.jsonl", "rakuda")
    assert len(v1) == len(v2) == 40
    assert Counter(item.category for item in v1) == dict.fromkeys(
        ("地理", "歴史", "政治", "社会"), 10
    )
    assert {item.id for item in v1} == {item.id for item in v2}
    assert all(len(item.turns) == 1 for item in (*v1, *v2))
    assert halves(v1) == {"search": 20, "held_out": 20}


def test_elyza_brings_reference_and_rubric(shared: Path) -> None:
    tasks = items(shared, "elyza_tasks_100/dataset.jsonl", "elyza")
    assert [item.id for item in tasks] == [str(n) for n in range(1, 101)]
    assert {item.category for item in tasks} == {"ELYZA-tasks-100"}
    assert all(len(item.reference) == 1 and item.rubric for item in tasks)
    assert len(tasks[0].rubric) == 3
    assert all(not point.startswith("-") and point for item in tasks for point in item.rubric)
    assert halves(tasks) == {"search": 50, "held_out": 50}


@pytest.mark.parametrize(
    ("path", "count"),
    [("question.jsonl", 60), ("question_full.jsonl", 80), ("question_80x2_shisa.jsonl", 80)],
)
def test_mt_bench_has_two_turns_and_ten_questions_a_category(
    shared: Path, path: str, count: int
) -> None:
    questions = items(shared, f"japanese_mt_bench/{path}", MT_BENCH)
    assert len(questions) == count
    assert all(len(item.turns) == 2 and not item.reference for item in questions)
    assert set(Counter(item.category for item in questions).values()) == {10}


@pytest.mark.parametrize("name", ["gpt-4", "gpt-4-raw", "base-gpt4o-with-human-annotation"])
def test_mt_bench_references_join_whether_ids_are_text_or_numbers(shared: Path, name: str) -> None:
    file = f"japanese_mt_bench/reference_answer/{name}.jsonl"
    questions = items(shared, "japanese_mt_bench/question_full.jsonl", MT_BENCH, reference=file)
    answers = {}
    for line in (shared / file).read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)
        answers[str(answer["question_id"])] = tuple(answer["choices"][0]["turns"])
    assert {item.id: item.reference for item in questions} == answers


def test_references_change_the_digest(shared: Path) -> None:
    path = "japanese_mt_bench/question_full.jsonl"
    spec = {"path": path, "format": MT_BENCH}
    files = ("gpt-4", "base-gpt4o-with-human-annotation")
    suites = [
        load_suite({**spec, "reference": f"japanese_mt_bench/reference_answer/{f}.jsonl"}, shared)
        for f in files
    ]
    assert len({suite.digest for suite in (*suites, load_suite(spec, shared))}) == 3


def test_real_suites_mix_with_equal_weight(shared: Path) -> None:
    rakuda = {"path": "rakuda/questions_v1.jsonl", "format": "rakuda", "name": "rakuda"}
    elyza = {"path": "elyza_tasks_100/dataset.jsonl", "format": "elyza", "name": "elyza"}
    suite = load_suite([rakuda, elyza], shared)
    assert (suite.name, len(suite.items)) == ("rakuda+elyza", 140)
    assert suite.weights["elyza/ELYZA-tasks-100"] == 0.5
    assert suite.weights["rakuda/地理"] == 0.125


@pytest.mark.parametrize(
    ("form", "row", "said"),
    [
        ("rakuda", {"question_id": "a", "text": "問い"}, "q.jsonl:1: `category` is missing"),
        ("rakuda", {"question_id": "a", "category": "地理"}, "give `turns` or `text`"),
        ("elyza", {"input_text": "問い"}, "q.jsonl:1: `output_text` is missing"),
        (MT_BENCH, {"question_id": 1, "category": "math", "turns": []}, "give `turns` or `text`"),
    ],
)
def test_a_line_of_another_format_is_refused(
    tmp_path: Path, form: str, row: dict[str, object], said: str
) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        load_suite({"path": "q.jsonl", "format": form}, tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(9, 2)], "r.jsonl: no reference for any item of q.jsonl"),
        ([(1, 2), ("1", 2)], "r.jsonl:2: a second reference for item '1'"),
        ([(1, 1)], "item '1' has 2 turns, its reference 1"),
    ],
)
def test_references_of_another_suite_are_refused(
    tmp_path: Path, answers: list[tuple[object, int]], said: str
) -> None:
    questions = [{"question_id": n, "category": "math", "turns": ["一", "二"]} for n in (1, 2)]
    references = [{"question_id": n, "choices": [{"turns": ["答"] * k}]} for n, k in answers]
    for name, rows in (("q.jsonl", questions), ("r.jsonl", references)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        load_suite({"path": "q.jsonl", "format": MT_BENCH, "reference": "r.jsonl"}, tmp_path)
    assert said in str(caught.value)


def test_what_is_published_says_where_and_under_which_licence() -> None:
    assert [suite.format for suite in published()] == ["elyza", "japanese-mt-bench", "rakuda"]
    assert all(suite.published_at and suite.licence and suite.items for suite in published())
