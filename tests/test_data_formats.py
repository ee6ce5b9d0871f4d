"""Aim: the public suites load from their real files, whole and in the right fields."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from data.errors import SuiteError
from data.suites import Item, load_suite, published
from judges.golds import gold_faults
from judges.rules import check

MT_BENCH = "japanese-mt-bench"


def items(shared: Path, path: str, form: str, **more: str) -> tuple[Item, ...]:
    return load_suite({"path": path, "format": form, **more}, shared).items


def write(file: Path, rows: Iterable[object]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


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
        (
            "tengu",
            {"Category": "数学", "Question": "問い", "Criteria": "- 正しい:10点"},
            "q.jsonl:1: `Answer` is missing",
        ),
        (
            "jcommonsenseqa",
            {
                "q_id": 1,
                "question": "問い",
                **{f"choice{n}": str(n) for n in range(5)},
                "label": 5,
            },
            "'label': Input should be less than or equal to 4",
        ),
        (
            "jnli",
            {"sentence_pair_id": "0", "sentence1": "一", "sentence2": "二", "label": "yes"},
            "`label` is 'yes'; use one of entailment, contradiction, neutral",
        ),
        (
            "jsts",
            {"sentence_pair_id": "0", "sentence1": "一", "sentence2": "二", "label": "0.5"},
            "'label': Input should be a valid number",
        ),
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


@pytest.mark.parametrize(
    ("name", "form", "count"),
    [
        ("elyza100", "elyza", 100),
        ("tengu", "tengu", 120),
        ("jamt1shot", MT_BENCH, 60),
        ("rakuda", "rakuda", 40),
    ],
)
def test_shaberis_items_have_one_turn(shared: Path, name: str, form: str, count: int) -> None:
    found = items(shared, f"shaberi_shisa/items/{name}.jsonl", form)
    assert len(found) == count
    assert all(len(item.turns) == 1 for item in found)


def test_shaberis_items_are_those_of_their_origin(shared: Path) -> None:
    pairs = (
        ("elyza100", "elyza_tasks_100/dataset.jsonl", "elyza"),
        ("rakuda", "rakuda/questions_v1.jsonl", "rakuda"),
    )
    for name, origin, form in pairs:
        theirs = load_suite({"path": f"shaberi_shisa/items/{name}.jsonl", "format": form}, shared)
        assert theirs.digest == load_suite({"path": origin, "format": form}, shared).digest


def test_files_of_answers_and_scores_are_read_as_their_questions(
    shared: Path, tmp_path: Path
) -> None:
    judged = "shaberi_lightblue/judgements/judge_gpt-4-turbo-preview"
    suites = {"tengu": "lightblue__tengu_bench", "elyza": "elyza__ELYZA-tasks-100"}
    for form, suite in suites.items():
        packed = shared / judged / suite / "gpt-3.5-turbo-0125.jsonl.gz"
        (tmp_path / f"{form}.jsonl").write_bytes(gzip.decompress(packed.read_bytes()))
        found = items(tmp_path, f"{form}.jsonl", form)
        name = "elyza100" if form == "elyza" else form
        assert found == items(shared, f"shaberi_shisa/items/{name}.jsonl", form)


def test_tengu_has_points_and_where_there_is_one_a_reference(shared: Path) -> None:
    questions = items(shared, "shaberi_shisa/items/tengu.jsonl", "tengu")
    assert len({item.category for item in questions}) == 23
    assert sum(not item.reference for item in questions) == 43  # `Answer` is null
    assert all("点" in point for item in questions for point in item.rubric)
    assert questions[0].rubric[0] == "答えが867万円である:3点"
    assert min(len(item.rubric) for item in questions) >= 2


def test_tengus_points_stay_under_the_one_they_belong_to(shared: Path) -> None:
    questions = items(shared, "shaberi_shisa/items/tengu.jsonl", "tengu")
    summary = questions[20].rubric
    assert [len(point.splitlines()) for point in summary] == [4, 1, 1, 1]
    assert summary[0].splitlines()[1].startswith("  - ")
    sums = {
        sum(map(int, re.findall(r"[:：]\s*(\d+)点", "\n".join(item.rubric)))) for item in questions
    }
    assert sums == {9, 10, 12, 13}  # the points of an item are not always ten


def test_the_early_questions_of_mt_bench_are_others_under_the_same_ids(shared: Path) -> None:
    early = items(shared, "japanese_mt_bench/question.jsonl", MT_BENCH)
    now = {i.id: i for i in items(shared, "japanese_mt_bench/question_full.jsonl", MT_BENCH)}
    changed = [item.id for item in early if item.turns != now[item.id].turns]
    assert len(changed) > 30
    assert {item.category for item in early}.isdisjoint({"math", "coding"})


def test_references_of_two_turns_do_not_fit_questions_of_one(shared: Path) -> None:
    file = "japanese_mt_bench/reference_answer/gpt-4.jsonl"
    with pytest.raises(SuiteError, match="has 1 turns, its reference 2"):
        items(shared, "shaberi_shisa/items/jamt1shot.jsonl", MT_BENCH, reference=file)


def test_jcommonsenseqa_is_answered_by_letter(shared: Path) -> None:
    found = items(shared, "jglue_v1.3/jcommonsenseqa_valid_first400.jsonl", "jcommonsenseqa")
    assert len(found) == 400
    golds = Counter(item.target for item in found)
    assert golds == {"A": 85, "B": 78, "C": 96, "D": 74, "E": 67}
    first = found[0]
    assert first.rule == {"kind": "choice", "choices": ["A", "B", "C", "D", "E"]}
    assert "C. マザーボード" in first.turns[0]
    assert "「答え: 」に続けて、選んだ選択肢の記号だけ" in first.turns[0]
    assert halves(found) == {"search": 200, "held_out": 200}


def test_jnli_is_asked_in_japanese_words(shared: Path) -> None:
    found = items(shared, "jglue_v1.3/jnli_valid_first400.jsonl", "jnli")
    assert len(found) == 400
    assert Counter(item.target for item in found) == {"中立": 221, "矛盾": 129, "含意": 50}
    assert all(word in found[0].turns[0] for word in ("含意", "矛盾", "中立"))


def test_jsts_is_worth_less_the_further_off(shared: Path) -> None:
    found = items(shared, "jglue_v1.3/jsts_valid_first400.jsonl", "jsts")
    assert len(found) == 400
    item = next(item for item in found if item.target == 2.4)
    assert item.rule is not None
    answers = ("答え: 2.4", "答え: 3", "答え: 1.4", "答え: 4.4", "答え: 5")
    worth = [check(item.rule, item.target, answer).value for answer in answers]
    assert worth == pytest.approx([1, 0.7, 0.5, 0, 0])


def test_jsquad_is_one_document_with_several_answers_to_a_question(shared: Path) -> None:
    found = items(shared, "jglue_v1.3/jsquad_valid_sample.json", "jsquad")
    assert len(found) == 300
    first = found[0]
    (document,) = first.documents
    assert (document.id, document.title) == ("1", "梅雨")
    assert document.text.startswith("梅雨（つゆ、ばいう）は、")
    assert first.target == ["小笠原諸島", "小笠原諸島を除く日本"]
    assert all("[SEP]" not in item.documents[0].text for item in found)
    in_title = 0
    for item in found:
        shown = item.documents[0]
        assert all(text in f"{shown.title}\n{shown.text}" for text in item.target)
        in_title += any(text not in shown.text for text in item.target)
    assert in_title == 13  # so the title is part of what is asked about


def test_every_gold_of_jglue_and_jmmlu_passes_its_own_rule(shared: Path) -> None:
    files = {
        "jcommonsenseqa": "jglue_v1.3/jcommonsenseqa_valid_first400.jsonl",
        "jnli": "jglue_v1.3/jnli_valid_first400.jsonl",
        "jsts": "jglue_v1.3/jsts_valid_first400.jsonl",
        "jsquad": "jglue_v1.3/jsquad_valid_sample.json",
        "jmmlu": "jmmlu/jmmlu_sample_8_per_subject.jsonl",
    }
    for form, path in files.items():
        faults = {item.id: list(gold_faults(item)) for item in items(shared, path, form)}
        assert not any(faults.values()), form


def test_jmmlu_has_its_subjects_as_categories(shared: Path) -> None:
    found = items(shared, "jmmlu/jmmlu_sample_8_per_subject.jsonl", "jmmlu")
    assert len(found) == 408
    assert set(Counter(item.category for item in found).values()) == {8}
    assert len({item.category for item in found}) == 51
    assert Counter(item.target for item in found) == {"A": 106, "B": 100, "C": 102, "D": 100}
    assert found[0].id == "abstract_algebra-0"


def test_an_option_that_repeats_another_is_left_out(shared: Path) -> None:
    found = {i.id: i for i in items(shared, "jmmlu/jmmlu_sample_8_per_subject.jsonl", "jmmlu")}
    item = found["business_ethics-1"]  # A and B are the same text
    assert item.rule == {"kind": "choice", "choices": ["A", "C", "D"]}
    assert "\nB. " not in item.turns[0]


def test_an_option_that_repeats_the_right_one_is_the_right_one(tmp_path: Path) -> None:
    line = {"subject": "x", "question": "問い", "A": "甲", "B": "乙", "C": "乙", "D": "丙"}
    rows = [{**line, "row": n, "answer": "C"} for n in range(2)]
    write(tmp_path / "q.jsonl", rows)
    assert [item.target for item in items(tmp_path, "q.jsonl", "jmmlu")] == ["B", "B"]


def test_jmmlu_is_a_folder_of_csv_files_some_with_a_byte_order_mark(tmp_path: Path) -> None:
    folder = tmp_path / "JMMLU"
    folder.mkdir()
    rows = '"問い、\n二行",甲,"乙,丙",丁,戊,B\r\n次,1,2,3,4,D\r\n'
    (folder / "anatomy.csv").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    (folder / "virology.csv").write_text(rows, encoding="utf-8")
    (folder / "README.md").write_text("no subject", encoding="utf-8")
    found = items(tmp_path, "JMMLU", "jmmlu")
    ids = ["anatomy-0", "anatomy-1", "virology-0", "virology-1"]
    assert [item.id for item in found] == ids
    assert [item.target for item in found] == ["B", "D", "B", "D"]
    assert "問題: 問い、\n二行\n\nA. 甲\nB. 乙,丙" in found[0].turns[0]
    one = items(tmp_path, "JMMLU/anatomy.csv", "jmmlu")
    assert one == found[:2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("問題,A,B,C,D,答え\n", "anatomy.csv:1: 'answer': Input should be 'A', 'B', 'C' or 'D'"),
        ("一,1,2,3,4,A\n二,1,2,3\n", "anatomy.csv:2: 4 columns, not 6"),
        ('"一\n二",1,2,3,4,A\n三\n', "anatomy.csv:3: 1 columns, not 6"),
    ],
)
def test_a_csv_row_that_does_not_fit_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "anatomy.csv").write_text(content, encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        items(tmp_path, "anatomy.csv", "jmmlu")
    assert said in str(caught.value)


def test_csv_in_another_encoding_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "anatomy.csv").write_bytes("問い,1,2,3,4,A\n".encode("cp932"))
    with pytest.raises(SuiteError, match=r"anatomy\.csv: not UTF-8; save the file as UTF-8"):
        items(tmp_path, "anatomy.csv", "jmmlu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SuiteError, match="empty: no CSV file in this folder"):
        items(tmp_path, "empty", "jmmlu")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "q.json: no JSON object"),
        ('{"version": 1}', "q.json: `data` is missing"),
        (
            '{"data": [{"title": "題", "paragraphs": [{"context": "文", "qas": [{"id": "a"}]}]}]}',
            "q.json: question 1: `question` is missing",
        ),
    ],
)
def test_a_document_of_another_layout_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "q.json").write_text(content, encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        items(tmp_path, "q.json", "jsquad")
    assert said in str(caught.value)


def test_squad_without_a_break_takes_the_articles_title(tmp_path: Path) -> None:
    questions = [
        {"id": str(n), "question": "何か", "answers": [{"text": "梅雨", "answer_start": 0}]}
        for n in range(2)
    ]
    article = {"title": "梅雨", "paragraphs": [{"context": "梅雨は雨期。", "qas": questions}]}
    text = json.dumps({"data": [article]})
    (tmp_path / "q.json").write_text(text, encoding="utf-8")
    document = items(tmp_path, "q.json", "jsquad")[0].documents[0]
    assert (document.title, document.text) == ("梅雨", "梅雨は雨期。")


def test_what_is_published_says_where_and_under_which_licence() -> None:
    assert [suite.format for suite in published()] == [
        "elyza",
        MT_BENCH,
        "jcommonsenseqa",
        "jmmlu",
        "jnli",
        "jsquad",
        "jsts",
        "rakuda",
        "tengu",
    ]
    assert all(suite.published_at and suite.licence and suite.items for suite in published())
