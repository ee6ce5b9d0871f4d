"""Aim: every published file of verdicts is read as it stands, and each of its traps is seen."""

from __future__ import annotations

import csv
import gzip
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from data.errors import SuiteError
from data.verdicts import FORMATS, Comparison, Fault, Ruling, Scale, Verdict, known_format
from data.verdicts.files import objects
from data.verdicts.load import Loaded, load, settle
from data.verdicts.rows import read_mark

GPT4, GPT35 = (f"rakuda/reviews_v1_{judge}_dev5.jsonl" for judge in ("gpt4", "gpt35"))
LIGHTBLUE = "shaberi_lightblue/judgements/judge_gpt-4-turbo-preview"
SHISA = "shaberi_shisa/scores_dev5.csv.gz"
RP_BENCH = "japanese_rp_bench/evaluations"
MT_BENCH = "japanese_mt_bench/model_judgment/gpt-4_single_dev3.jsonl"
TAKES = "elyza_tasks_100/cyberagent__calm2-7b-chat_cmdr+"

REVIEW = {"question_id": "q", "model1_id": "a", "model2_id": "b", "reviewer_id": "j", "score": 1}
SINGLE = {"question_id": 1, "model": "a", "judge": ["j", "p"], "score": 5, "turn": 1}
PAIR = {
    "question_id": 1,
    "model_1": "a",
    "model_2": "b",
    "judge": ["j", "pair-v2"],
    "g1_winner": "model_1",
    "g2_winner": "model_1",
    "turn": 1,
    "tstamp": 1.0,
}
ANNOTATION = {
    "instruction": "i",
    "generator_1": "base",
    "generator_2": "m",
    "annotator": "j",
    "preference": 2,
}


def read(form: str, *paths: Path) -> Loaded:
    return load(FORMATS[form], paths)


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in text.decode().splitlines()]


def write(file: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def marks(loaded: Loaded) -> list[Verdict]:
    return [one for one in loaded.rulings if isinstance(one, Verdict)]


def games(loaded: Loaded) -> list[Comparison]:
    return [one for one in loaded.rulings if isinstance(one, Comparison)]


def said(form: str, *paths: Path) -> str:
    with pytest.raises(SuiteError) as caught:
        read(form, *paths)
    line = str(caught.value)
    assert "\n" not in line
    return line


# Rakuda


@pytest.mark.parametrize(
    ("path", "count", "codes", "judge"),
    [
        (GPT4, 205, {1.0: 68, 0.0: 110, 0.5: 27}, "gpt-4"),
        (GPT35, 800, {1.0: 351, 0.0: 421, 0.5: 28}, "reviewer 1"),
    ],
)
def test_rakudas_reviews_are_read(
    shared: Path, path: str, count: int, codes: dict[float, int], judge: str
) -> None:
    found = games(read("rakuda", shared / path))
    assert len(found) == count
    assert Counter(one.value for one in found) == codes
    assert {one.terms.judge for one in found} == {judge}
    assert len({one.task.item for one in found}) == 40
    assert len({model for one in found for model in one.models}) == 5
    assert all(one.fault is None for one in found)


def test_rakudas_verdict_is_the_last_digit_and_not_the_first(shared: Path) -> None:
    found = games(read("rakuda", shared / GPT35))
    digits = [re.findall("[123]", row["text"]) for row in rows_of(shared / GPT35)]
    worth = {"1": 1.0, "2": 0.0, "3": 0.5}
    assert [one.value for one in found] == [worth[own[-1]] for own in digits]
    assert sum(one.value == worth[own[0]] for one, own in zip(found, digits, strict=True)) == 351


@pytest.mark.parametrize(
    ("code", "value", "fault"),
    [
        (-1, None, Fault.UNPARSED),
        (None, None, Fault.UNPARSED),
        ("3", 0.5, Fault.AS_TEXT),
        (4, None, Fault.OUT_OF_RANGE),
        (1.5, None, Fault.OUT_OF_RANGE),
        (True, None, Fault.UNPARSED),
    ],
)
def test_what_is_no_code_of_rakuda_is_no_draw(
    tmp_path: Path, code: object, value: float | None, fault: Fault
) -> None:
    (one,) = games(read("rakuda", write(tmp_path / "r.jsonl", [{**REVIEW, "score": code}])))
    assert (one.value, one.fault) == (value, fault)
    assert one.sound is (value is not None)


def test_rakudas_folder_of_questions_and_answers_is_not_taken_for_reviews(shared: Path) -> None:
    line = said("rakuda", shared / "rakuda")
    assert "`model1_id` is missing; the format rakuda is that of" in line


# Shaberi


def test_shaberis_folders_name_judge_suite_and_model(shared: Path) -> None:
    found = marks(read("shaberi", shared / "shaberi_lightblue"))
    assert len(found) == 1701
    assert {one.terms.judge for one in found} == {"gpt-4-turbo-preview"}
    assert len({one.model for one in found}) == 5
    assert "karakuri-ai/karakuri-lm-70b-chat-v0.1" in {one.model for one in found}
    assert Counter(one.task.suite for one in found) == {
        "ELYZA-tasks-100": 500,
        "Tengu-Bench": 600,
        "Japanese MT-Bench": 401,
        "Rakuda": 200,
    }


def test_one_file_of_shaberi_is_read_as_its_folder_is(shared: Path) -> None:
    file = shared / LIGHTBLUE / "lightblue__tengu_bench/gpt-3.5-turbo-0125.jsonl.gz"
    found = marks(read("shaberi", file))
    whole = marks(read("shaberi", shared / LIGHTBLUE))
    assert found == [
        one
        for one in whole
        if (one.model, one.task.suite) == ("gpt-3.5-turbo-0125", "Tengu-Bench")
    ]


def test_the_question_that_karakuri_was_asked_twice_counts_once(shared: Path) -> None:
    verdicts = marks(read("shaberi", shared / "shaberi_lightblue"))
    settled, repeated = settle(verdicts)
    (again,) = repeated
    assert {one.task.suite for one in again.rulings} == {"Japanese MT-Bench"}
    assert [one.value for one in again.rulings] == [8, 9]
    assert not again.newest
    karakuri = [one for one in settled if one.model.startswith("karakuri")]
    assert Counter(one.task.suite for one in karakuri)["Japanese MT-Bench"] == 80
    (kept,) = (one for one in karakuri if one.task == again.rulings[0].task)
    assert kept.value == 8.5


def test_the_one_verdict_that_is_null_is_no_score(shared: Path) -> None:
    (one,) = (v for v in marks(read("shaberi", shared / "shaberi_lightblue")) if v.fault)
    assert (one.fault, one.value) == (Fault.UNPARSED, None)
    assert (one.model, one.task.suite) == ("gpt-3.5-turbo-0125", "Rakuda")


def test_marks_written_as_text_are_marks(shared: Path, tmp_path: Path) -> None:
    file = shared / LIGHTBLUE / "yuzuai__rakuda-questions/gpt-3.5-turbo-0125.jsonl.gz"
    rows = rows_of(file)
    texts = [{**row, "score": row["score"] and f" {row['score']:g} "} for row in rows]
    copy = tmp_path / "judge_x" / "yuzuai__rakuda-questions" / "gpt-3.5-turbo-0125.json"
    told, found = marks(read("shaberi", write(copy, texts))), marks(read("shaberi", file))
    assert [one.value for one in told] == [one.value for one in found]
    assert Counter(one.fault for one in told) == {Fault.AS_TEXT: 39, Fault.UNPARSED: 1}


def test_shaberis_table_of_many_judges(shared: Path) -> None:
    found = marks(read("shaberi", shared / SHISA))
    assert len(found) == 6080
    assert Counter(one.fault for one in found if one.fault) == {
        Fault.UNPARSED: 78,  # empty cells
        Fault.OUT_OF_RANGE: 1,
    }
    (beyond,) = (one for one in found if one.fault is Fault.OUT_OF_RANGE)
    assert (beyond.value, beyond.task.suite) == (12, "Tengu-Bench")
    assert not beyond.sound
    assert Counter(one.terms.judge for one in found) == {
        "athene-v2": 1600,
        "llama-3.3-70b": 1600,
        "tulu-3-405b": 1600,
        "gpt-4-turbo-preview": 640,
        "gpt-4.1-2025-04-14": 320,
        "gpt-5.1-2025-11-13": 320,
    }
    with gzip.open(shared / SHISA, "rt", encoding="utf-8", newline="") as file:
        cells = [row["score"] for row in csv.DictReader(file)]
    assert [one.value for one in found] == [float(cell) if cell else None for cell in cells]


def test_an_answer_written_anew_for_another_judge_is_another_answer(tmp_path: Path) -> None:
    rows = {"x": "はい。", "y": "いいえ。"}
    for judge, answer in rows.items():
        row = {"Question": "問い", "ModelAnswer": answer, "score": 5}
        write(tmp_path / judge / "yuzuai__rakuda-questions" / "m.json", [row])
    first, second = marks(read("shaberi", tmp_path))
    assert first.task == second.task
    assert first.answer != second.answer


def test_a_suite_that_shaberi_does_not_know_is_named(tmp_path: Path) -> None:
    row = {"Question": "問い", "ModelAnswer": "答え", "score": 5}
    line = said("shaberi", write(tmp_path / "judge" / "jglue" / "m.json", [row]))
    assert "m.json:1: no suite of Shaberi is called 'jglue'; keep Shaberi's folders" in line


def test_answers_of_shaberi_without_marks_are_no_judgements(shared: Path) -> None:
    assert "is missing" in said("shaberi", shared / "shaberi_shisa" / "answers")


# Japanese-RP-Bench


def test_every_judge_of_a_dialogue_is_read(shared: Path) -> None:
    loaded = read("japanese-rp-bench", shared / RP_BENCH)
    found = marks(loaded)
    assert len(found) == 5 * 30 * 8 * 4
    assert len({one.terms.judge for one in found}) == 4
    assert len({one.task.part for one in found}) == 8
    assert {len({v.task.item for v in found if v.model == one}) for one in _models(found)} == {30}
    assert all(one.value in {1, 2, 3, 4, 5} for one in found)
    assert {one.terms.setting for one in found} == {
        "user anthropic.claude-3-5-sonnet-20240620-v1:0"
    }
    assert not loaded.remarks  # recorded means are those of the judges


def test_lists_and_means_in_text_form_are_read_alike(shared: Path, tmp_path: Path) -> None:
    file = shared / RP_BENCH / "gpt-4o-mini-2024-07-18.jsonl.gz"
    texts = [
        {key: value if key == "id" else str(value) for key, value in row.items()}
        for row in rows_of(file)
    ]
    copy = write(tmp_path / "copy.jsonl", texts)
    loaded = read("japanese-rp-bench", copy)
    assert [_bare(one) for one in loaded.rulings] == [
        _bare(one) for one in read("japanese-rp-bench", file).rulings
    ]
    assert not loaded.remarks


def test_a_recorded_mean_that_its_judges_deny_is_told(shared: Path, tmp_path: Path) -> None:
    first, *others = rows_of(shared / RP_BENCH / "gpt-4o-mini-2024-07-18.jsonl.gz")
    copy = write(tmp_path / "copy.jsonl", [{**first, "Creativity": "5.0"}, *others])
    loaded = read("japanese-rp-bench", copy)
    assert len(loaded.rulings) == 960
    (remark,) = loaded.remarks
    assert str(remark) == f"{copy}:1: Creativity: 5 recorded, but the judges' mean is 3.75"


def test_a_mark_a_judge_left_out_is_missing(shared: Path, tmp_path: Path) -> None:
    first, *others = rows_of(shared / RP_BENCH / "gpt-4o-mini-2024-07-18.jsonl.gz")
    del first["individual_evaluations"][0]["Creativity"]
    first["individual_evaluations"][1]["Creativity"] = 6
    copy = write(tmp_path / "copy.jsonl", [first, *others])
    found = [one for one in marks(read("japanese-rp-bench", copy)) if one.fault]
    assert [(one.fault, one.value) for one in found] == [
        (Fault.UNPARSED, None),
        (Fault.OUT_OF_RANGE, 6),
    ]


# FastChat


def test_ids_of_judgements_are_text_and_of_questions_numbers(shared: Path, tmp_path: Path) -> None:
    rows = rows_of(shared / MT_BENCH)
    assert {type(row["question_id"]) for row in rows} == {str}
    numbers = [{**row, "question_id": int(row["question_id"])} for row in rows]
    copy = write(tmp_path / "single.jsonl", numbers)
    found = read("fastchat-single", shared / MT_BENCH)
    assert [_bare(one) for one in read("fastchat-single", copy).rulings] == [
        _bare(one) for one in found.rulings
    ]


def test_mt_benchs_judgements_hold_two_questions_twice(shared: Path) -> None:
    verdicts = marks(read("fastchat-single", shared / MT_BENCH))
    assert len(verdicts) == 242
    assert {one.task.part for one in verdicts} == {"turn 1"}
    settled, repeated = settle(verdicts)
    assert len(settled) == 240
    assert {(one.rulings[0].models[0][:5], one.rulings[0].task.item) for one in repeated} == {
        ("jslma", "58"),
        ("mixv3", "11"),
    }
    assert all(one.newest for one in repeated)


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([(8, 20.0), (2, 10.0)], 8),  # the newest, wherever it stands
        ([(2, 10.0), (8, 20.0)], 8),
        ([(2, 10.0), (-1, 20.0)], 2),  # the newest that can be read
        ([(2, 10.0), (11, 20.0)], 2),
        ([(-1, 10.0), (-1, 20.0)], None),
        ([(2, None), (8, 20.0)], 5),  # not all have a time: their mean
        ([(-1, None), (8, None)], 8),  # of those that can be read
        ([(11, None), (8, None), (5, None)], 6.5),
    ],
)
def test_of_repeated_verdicts_the_newest_counts(
    tmp_path: Path, rows: list[tuple[int, float | None]], kept: float | None
) -> None:
    lines = [{**SINGLE, "score": score, "tstamp": at} for score, at in rows]
    file = write(tmp_path / "single.jsonl", lines)
    settled, repeated = settle(marks(read("fastchat-single", file)))
    assert [one.value for one in settled] == [kept]
    assert len(repeated) == 1


def test_turns_are_tasks_of_one_item(tmp_path: Path) -> None:
    lines = [{**SINGLE, "turn": turn, "score": turn} for turn in (1, 2)]
    found = marks(read("fastchat-single", write(tmp_path / "single.jsonl", lines)))
    assert [tuple(one.task) for one in found] == [("", "1", "turn 1"), ("", "1", "turn 2")]
    assert settle(found)[1] == []


def test_mt_benchs_judge_had_two_instructions_under_one_name(shared: Path) -> None:
    texts: dict[str, set[str]] = {}
    for one in marks(read("fastchat-single", shared / MT_BENCH)):
        assert one.terms.prompt
        assert one.terms.question
        texts.setdefault(one.terms.setting, set()).add(one.terms.prompt)
    assert {name: len(own) for name, own in texts.items()} == {
        "prompt single-v1": 2,
        "prompt single-math-v1": 2,
    }
    # What changed: later the answer's language had to be that of the question.
    clause = [("言語は" in row["user_prompt"], row["model"]) for row in rows_of(shared / MT_BENCH)]
    assert {model[:5] for has, model in clause if has} == {"mixv3"}


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        ("model_1", "model_1", [1, 0]),  # the same answer, in both orders
        ("model_1", "model_2", [1, 1]),  # always the first
        ("tie", "model_2", [0.5, 1]),
        ("error", "model_1", [None, 0]),
        ("model_1", None, [1]),  # asked in one order only
    ],
)
def test_fastchats_pairs_are_two_games(
    tmp_path: Path, first: str, second: str | None, values: list[float | None]
) -> None:
    row = {**PAIR, "g1_winner": first, "g2_winner": second}
    found = games(read("fastchat-pairwise", write(tmp_path / "gpt-4_pair.jsonl", [row])))
    assert [one.value for one in found] == values
    assert [one.models for one in found] == [("a", "b"), ("b", "a")][: len(values)]
    assert [one.fault for one in found] == [
        Fault.UNPARSED if value is None else None for value in values
    ]
    assert {one.terms.setting for one in found} == {"prompt pair-v2"}


def test_a_model_compared_with_itself_is_left_out(tmp_path: Path) -> None:
    odd = {**PAIR, "model_2": "a"}
    loaded = read("fastchat-pairwise", write(tmp_path / "pair.jsonl", [*[PAIR] * 30, odd]))
    assert [str(one) for one in loaded.misfits] == [
        f"{tmp_path / 'pair.jsonl'}:31: a is compared with itself"
    ]


# AlpacaEval


@pytest.mark.parametrize(
    ("preference", "value", "fault"),
    [
        (1, 0, None),
        (2.0, 100, None),
        (1.5, 50, None),
        (1.25, 25, None),
        (0, 50, None),  # a draw in the first version
        (None, None, Fault.UNPARSED),
        (float("nan"), None, Fault.UNPARSED),
        ("2", 100, Fault.AS_TEXT),
        (3, 200, Fault.OUT_OF_RANGE),
    ],
)
def test_alpacas_preferences(
    tmp_path: Path, preference: object, value: float | None, fault: Fault | None
) -> None:
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps([{**ANNOTATION, "preference": preference}], indent=2), "utf-8")
    (one,) = marks(read("alpaca-eval", file))
    assert (one.model, one.value, one.fault) == ("m", value, fault)
    assert (one.terms.judge, one.terms.setting) == ("j", "against base")


# gpt4-autoeval


def test_three_runs_of_one_judge_are_runs_and_no_repetitions(shared: Path) -> None:
    found = marks(read("gpt4-autoeval", shared / TAKES))
    assert Counter(one.take for one in found) == dict.fromkeys(
        ("result_take1", "result_take2", "result_take3"), 100
    )
    assert settle(found)[1] == []
    assert {one.task.item for one in found} == {str(n) for n in range(1, 101)}
    assert {one.model for one in found} == {"cyberagent__calm2-7b-chat_cmdr+"}


# Marks


@pytest.mark.parametrize(
    ("raw", "scale", "value", "fault"),
    [
        (7, (1, 10), 7, None),
        ("７", (1, 10), 7, Fault.AS_TEXT),
        (0, (1, 5), 0, Fault.OUT_OF_RANGE),
        (0, (0, 10), 0, None),
        (11, (1, 10), 11, Fault.OUT_OF_RANGE),
        ("11", (1, 10), 11, Fault.OUT_OF_RANGE),
        (-1, (1, 10), None, Fault.UNPARSED),
        ("-1", (0, 10), None, Fault.UNPARSED),
        (-2, (0, 10), -2, Fault.OUT_OF_RANGE),
        (None, (1, 10), None, Fault.UNPARSED),
        ("", (1, 10), None, Fault.UNPARSED),
        ("N/A", (1, 10), None, Fault.UNPARSED),
        ("nan", (1, 10), None, Fault.UNPARSED),
        (True, (1, 10), None, Fault.UNPARSED),
        ([7], (1, 10), None, Fault.UNPARSED),
        (float("inf"), (1, 10), None, Fault.UNPARSED),
        (10**400, (1, 10), None, Fault.UNPARSED),
    ],
)
def test_marks(
    raw: object, scale: tuple[float, float], value: float | None, fault: Fault | None
) -> None:
    assert read_mark(raw, Scale(*scale)) == (value, fault)


# Files


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # alike in every process


@pytest.mark.parametrize("pack", [bytes, packed])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("whole", [False, True])
def test_lines_and_arrays_packed_and_marked_are_the_same(
    tmp_path: Path, pack: Callable[[bytes], bytes], mark: bytes, whole: bool
) -> None:
    rows = [{**REVIEW, "question_id": n, "question_text": "長い問い" * 40_000} for n in range(9)]
    text = json.dumps(rows, ensure_ascii=False, indent=1)  # over a megabyte: read in pieces
    if not whole:
        text = "\n".join(["", *(json.dumps(row) for row in rows), ""])
    file = tmp_path / "reviews.json"
    file.write_bytes(pack(mark + text.encode()))
    assert [one.task.item for one in read("rakuda", file).rulings] == [str(n) for n in range(9)]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "no verdict in this file"),
        (b"[]", "no verdict in this file"),
        (b"hello", "no JSON"),
        (b'{"a":', "no JSON"),
        (b"[1, 2]", "no JSON object"),
        (b'[{"a": 1}, {"b"', "is missing"),
        (b"7\n", "no JSON object"),
        (b"\xff\xfe7\n", "not UTF-8"),
        (b"[\xff]", "not UTF-8"),
        (b'{"question_id": "x"}\n', "`model1_id` is missing"),
        (b"[" * 100_000, "no JSON"),
        (packed(f"{json.dumps(REVIEW)}\n".encode() * 1000)[:-12], "cannot be unpacked"),
        (packed(b""), "the file is empty"),
    ],
)
def test_a_file_of_no_use_is_one_line(tmp_path: Path, content: bytes, line: str) -> None:
    file = tmp_path / "reviews.jsonl"
    file.write_bytes(content)
    told = said("rakuda", file)
    assert told.startswith(str(file))
    assert line in told


def test_an_array_that_breaks_off_is_told_with_its_entry(tmp_path: Path) -> None:
    file = tmp_path / "reviews.json"
    file.write_text(json.dumps([REVIEW, REVIEW])[:-20], encoding="utf-8")
    assert said("rakuda", file).startswith(f"{file}[2]: no JSON")
    file.write_text(json.dumps([REVIEW, REVIEW])[:-1], encoding="utf-8")
    assert "is the file whole?" in said("rakuda", file)


def test_tables_lack_a_column_or_everything(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("judge,suite,model,item\nj,rakuda,m,1\n", encoding="utf-8")
    assert "scores.csv:2: `score` is missing" in said("shaberi", file)
    file.write_text("judge,suite,model,item,score\n", encoding="utf-8")
    assert "no verdict in this file" in said("shaberi", file)
    file.write_text("", encoding="utf-8")
    assert "the file is empty" in said("shaberi", file)


def test_a_torn_line_is_left_out_and_told_but_not_many(tmp_path: Path) -> None:
    rows = [{**REVIEW, "question_id": str(n)} for n in range(40)]
    file = write(tmp_path / "r.jsonl", rows)
    with file.open("a", encoding="utf-8") as end:
        end.write('{"question_id": "torn')
    loaded = read("rakuda", file)
    assert len(loaded.rulings) == 40
    assert [fault.place for fault in loaded.misfits] == [f"{file}:41"]
    with file.open("a", encoding="utf-8") as end:
        end.write("\n{}\n{}\n")
    assert "(3 of 43 rows)" in said("rakuda", file)


def test_folders_without_verdicts_and_paths_to_nothing(tmp_path: Path) -> None:
    assert said("rakuda", tmp_path / "none") == f"{tmp_path / 'none'}: no such file or folder"
    assert "no file of verdicts (*.jsonl or *.json)" in said("rakuda", tmp_path)
    write(tmp_path / "gpt-4_single.jsonl", [SINGLE])
    assert "(*pair*.jsonl or *pair*.json)" in said("fastchat-pairwise", tmp_path)
    assert len(read("fastchat-single", tmp_path).rulings) == 1


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path / "r.jsonl", [REVIEW])
    assert len(read("rakuda", file, tmp_path, file).rulings) == 1


@pytest.mark.parametrize(
    ("name", "found"), [("alpaca_eval", "alpaca-eval"), ("FastChat-Single", "fastchat-single")]
)
def test_names_of_formats_forgive_how_they_are_written(name: str, found: str) -> None:
    assert known_format(name).name == found


def test_an_unknown_format_gets_a_suggestion_or_the_list() -> None:
    with pytest.raises(SuiteError, match=r"unknown format 'shaberri'; did you mean shaberi\?"):
        known_format("shaberri")
    with pytest.raises(SuiteError, match="use one of rakuda, shaberi, japanese-rp-bench"):
        known_format("xyz")


@pytest.mark.parametrize("whole", [False, True])
def test_files_are_read_as_a_stream(tmp_path: Path, whole: bool) -> None:
    row = json.dumps({**REVIEW, "text": "x" * 20_000})
    body = f"[{', '.join([row] * 1000)}]" if whole else f"{row}\n" * 1000
    file = tmp_path / "reviews.json"
    file.write_text(body, encoding="utf-8")  # 20 MB
    del body
    tracemalloc.start()
    count = sum(1 for _ in objects(file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1000
    assert peak < 8 * 2**20


def _models(verdicts: Iterable[Verdict]) -> set[str]:
    return {one.model for one in verdicts}


def _bare(one: Ruling) -> tuple[object, ...]:
    assert isinstance(one, Verdict)
    return (one.model, one.task, one.terms, one.value, one.fault, one.at)
