"""Aim: a suite is exactly what the user named, split the same everywhere, or one clear line."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from data.errors import SuiteError
from data.suites import Document, Suite, load_suite, scan_suite

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def row(key: str, category: str = "数学", **more: object) -> dict[str, object]:
    return {"id": key, "category": category, "text": f"{key}の問い", **more}


def write(folder: Path, *rows: object, name: str = "suite.jsonl") -> str:
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
    (folder / name).write_text(text, encoding="utf-8")
    return name


def load(folder: Path, *rows: object) -> Suite:
    return load_suite(write(folder, *rows), folder)


def fault(folder: Path, *rows: object) -> str:
    with pytest.raises(SuiteError) as caught:
        load(folder, *rows)
    text = str(caught.value)
    assert "\n" not in text
    return text


def splits(suite: Suite) -> dict[str, str]:
    return {item.id: item.split for item in suite.items}


def test_every_field_reaches_the_item(tmp_path: Path) -> None:
    whole = {
        "id": "a",
        "category": "資料",
        "turns": ["一つ目", "二つ目"],
        "target": {"name": "f", "arguments": {"x": 1}},
        "rule": {"kind": "function_call"},
        "rubric": ["正しい"],
        "reference": ["答一", "答二"],
        "documents": [{"id": "1", "title": "題", "text": "本文"}],
        "tools": [TOOL],
        "language": "en",
        "split": "held_out",
    }
    item = load(tmp_path, whole, row("b", split="search")).items[0]
    assert (item.turns, item.reference) == (("一つ目", "二つ目"), ("答一", "答二"))
    assert item.documents == (Document("1", "題", "本文"),)
    assert (item.tools, item.rule, item.target) == ((TOOL,), whole["rule"], whole["target"])
    assert (item.language, item.split, item.rubric) == ("en", "held_out", ("正しい",))


def test_categories_are_halved_by_ids_alone(tmp_path: Path) -> None:
    rows = [
        row(f"{c}{n}", c) for c, size in (("甲", 7), ("乙", 4), ("丙", 1)) for n in range(size)
    ]
    suite = load(tmp_path, *rows)
    counts = Counter((item.category, item.split) for item in suite.items)
    assert counts == {
        ("甲", "search"): 4,
        ("甲", "held_out"): 3,
        ("乙", "search"): 2,
        ("乙", "held_out"): 2,
        ("丙", "search"): 1,
    }
    assert splits(load(tmp_path, *reversed(rows))) == splits(suite)
    assert [item.id for item in suite.items] == [one["id"] for one in rows]


def test_the_order_of_the_halving_is_the_sha256_of_the_id(tmp_path: Path) -> None:
    ids = [f"問{n}" for n in range(9)]
    suite = load(tmp_path, *map(row, ids))
    ordered = sorted(ids, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    assert {item.id for item in suite.half("search")} == set(ordered[:5])


def test_a_given_split_stays_and_the_rest_is_halved(tmp_path: Path) -> None:
    given = [row("x", split="held_out"), row("y", split="held_out")]
    suite = load(tmp_path, *given, *(row(f"r{n}") for n in range(4)))
    assert splits(suite)["x"] == splits(suite)["y"] == "held_out"
    assert Counter(splits(suite).values()) == {"held_out": 4, "search": 2}


@pytest.mark.parametrize("limit", [3, 4, 6, 12, 15, 24, 30])
def test_limit_is_even_over_categories_and_halves(tmp_path: Path, limit: int) -> None:
    rows = [row(f"{c}{n}", c) for c in ("甲", "乙", "丙") for n in range(8)]
    suite = load_suite({"path": write(tmp_path, *rows), "limit": limit}, tmp_path)
    whole = load(tmp_path, *rows)
    assert len(suite.items) == min(limit, 24)
    assert abs(len(suite.half("search")) - len(suite.half("held_out"))) <= 1
    by_category = Counter(item.category for item in suite.items)
    assert max(by_category.values()) - min(by_category.values()) <= 1
    assert splits(suite).items() <= splits(whole).items()


def test_a_smaller_limit_is_part_of_a_larger_one(tmp_path: Path) -> None:
    name = write(tmp_path, *(row(f"{c}{n}", c) for c in ("甲", "乙") for n in range(5)))
    sets = [set(splits(load_suite({"path": name, "limit": n}, tmp_path))) for n in range(2, 11)]
    assert all(small < large for small, large in pairwise(sets))


def test_digest_is_of_everything_in_the_items(tmp_path: Path) -> None:
    rows = [row("a"), row("b")]
    first = load(tmp_path, *rows)
    assert load(tmp_path, *rows).digest == first.digest
    named = load_suite({"path": write(tmp_path, *rows), "name": "別名"}, tmp_path)
    assert (named.digest, named.name) == (first.digest, "別名")
    changes: list[dict[str, object]] = [
        {"text": "別の問い"},
        {"category": "別"},
        {"language": "en"},
        {"rubric": ["新"]},
        {"target": 1, "rule": {"kind": "numeric"}},
        {"target": 0, "rule": {"kind": "numeric"}},
        {"target": 0, "rule": {"kind": "numeric", "tolerance": 0.5}},
        {"target": False, "rule": {"kind": "json"}},
        {"target": 0, "rule": {"kind": "json"}},
        {"target": "", "rule": {"kind": "json"}},
        {"reference": ["答"]},
        {"documents": [{"id": "1", "title": "題", "text": "文"}]},
        {"tools": [TOOL]},
    ]
    split = {"split": "search"}
    digests = {load(tmp_path, row("a") | split | c, row("b"), row("c")).digest for c in changes}
    assert len(digests) == len(changes)


def test_a_scale_changes_the_digest_only_where_there_is_one(tmp_path: Path) -> None:
    rubric = {"rubric": ["東京と答えている:3点"]}
    scales: tuple[dict[str, object], ...] = (
        {},
        {"scale": "1-10"},
        {"scale": "1-5"},
        {"scale": "points"},
    )
    suites = [load(tmp_path, row("a") | rubric | scale, row("b")) for scale in scales]
    assert [suite.items[0].scale for suite in suites] == [None, None, "1-5", "points"]
    plain, ten, five, points = (suite.digest for suite in suites)
    assert plain == ten
    assert len({plain, five, points}) == 3
    # As it was before items had scales.
    known = "8c5784b11c57483a"
    assert load(tmp_path, row("a"), row("b")).digest.startswith(known)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scale": "1-100"}, "'scale'"),
        ({"scale": "points"}, "scale points needs a `rubric` that says what"),
        ({"scale": "points", "rubric": ["正しい", "自然"]}, "scale points needs a `rubric`"),
    ],
)
def test_a_scale_that_cannot_be_rated_on_is_refused(
    tmp_path: Path, fields: dict[str, object], said: str
) -> None:
    text = fault(tmp_path, row("a") | fields, row("b"))
    assert text.startswith("suite.jsonl:1")
    assert said in text


def test_several_suites_weigh_the_same(tmp_path: Path) -> None:
    write(tmp_path, *(row(f"{c}{n}", c) for c in ("甲", "乙") for n in range(2)), name="p.jsonl")
    write(tmp_path, *(row(f"甲{n}", "甲") for n in range(4)), name="q.jsonl")
    suite = load_suite(["p.jsonl", {"path": "q.jsonl", "limit": 2}], tmp_path)
    assert suite.name == "p+q"
    assert suite.weights == {"p/甲": 0.25, "p/乙": 0.25, "q/甲": 0.5}
    assert len({item.id for item in suite.items}) == 6
    assert suite.items[0].id == "p:甲0"
    alone = load_suite(["p.jsonl"], tmp_path)
    assert alone == load_suite("p.jsonl", tmp_path)
    assert alone.items[0].id == "甲0"
    assert math.isclose(math.fsum(alone.weights.values()), 1)


def test_suites_weigh_what_their_weights_say(tmp_path: Path) -> None:
    write(tmp_path, *(row(f"{c}{n}", c) for c in ("甲", "乙") for n in range(2)), name="p.jsonl")
    write(tmp_path, *(row(f"甲{n}", "甲") for n in range(8)), name="q.jsonl")
    suite = load_suite([{"path": "p.jsonl", "weight": 3}, "q.jsonl"], tmp_path)
    assert suite.weights == {"p/甲": 0.375, "p/乙": 0.375, "q/甲": 0.25}
    halved = load_suite(
        [{"path": "p.jsonl", "weight": 1.5}, {"path": "q.jsonl", "weight": 0.5}], tmp_path
    )
    assert halved.weights == suite.weights
    alone = load_suite({"path": "p.jsonl", "weight": 3}, tmp_path)
    assert alone == load_suite("p.jsonl", tmp_path)


def test_a_scan_tells_every_fault_and_keeps_the_rest(tmp_path: Path) -> None:
    broken = row("c") | {"colour": "red", "language": "日本語", "rubric": [""]}
    twofold = row("d", reference=["一", "二"], rule={"kind": "exact"})
    rows = [row("a"), broken, twofold, row("a"), row("e")]
    name = write(tmp_path, *rows)
    with (tmp_path / name).open("a", encoding="utf-8") as file:
        file.write("{\n")
    scan = scan_suite(name, tmp_path)
    assert [item.id for item in scan.items] == ["a", "e"]
    assert scan.places == (f"{name}:1", f"{name}:5")
    said = [str(fault) for fault in scan.faults]
    assert [text.partition(": ")[0] for text in said] == [
        f"{name}:{line}" for line in (2, 2, 2, 3, 3, 4, 6)
    ]
    assert all("\n" not in text for text in said)
    assert "`rubric.0` is empty" in said[0]
    assert "not one text for each turn" in said[3]
    assert "a rule exact without a `target`" in said[4]
    with pytest.raises(SuiteError, match=r"`rubric\.0` is empty"):
        load_suite(name, tmp_path)


def test_a_scan_halves_as_a_search_does(tmp_path: Path) -> None:
    name = write(tmp_path, *(row(f"r{n}") for n in range(7)), row("x", "一つだけ"))
    assert scan_suite(name, tmp_path).items == load_suite(name, tmp_path).items
    assert not scan_suite(write(tmp_path), tmp_path).items


def test_two_suites_of_one_name_are_refused(tmp_path: Path) -> None:
    name = write(tmp_path, row("a"), row("b"))
    with pytest.raises(SuiteError, match="two suites are called 'suite'; give one of them"):
        load_suite([name, name], tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "'id': Input should be a valid string"),
        ({"id": ""}, "`id` is empty"),
        ({"colour": "red"}, "unknown key 'colour'; if the file is of another format"),
        ({"turns": ["二重"]}, "give `turns` or `text`, one of them"),
        ({"text": None}, "give `turns` or `text`, one of them"),
        ({"text": 3}, "'text': Input should be a valid string"),
        ({"split": "test"}, "'split': Input should be 'search' or 'held_out'"),
        ({"language": "日本語"}, "'language'"),
        ({"reference": ["一", "二"]}, "not one text for each turn"),
        ({"documents": [{"id": "1", "title": "題"}]}, "`documents.0.text` is missing"),
        ({"documents": [{"id": "1", "title": "題", "text": "文"}] * 2}, "the same id"),
        ({"tools": [{"type": "function"}]}, "`tools.0.function` is missing"),
        ({"rule": {"kind": "regex"}}, "unknown rule kind 'regex'; use one of exact, numeric,"),
        ({"rule": {}}, "`rule.kind` is missing"),
        ({"rule": {"kind": "exact"}}, "a rule exact without a `target`"),
        ({"rule": {"kind": "exact"}, "target": 3}, "must be a text"),
        (
            {"rule": {"kind": "exact", "trim": True}, "target": "3"},
            "unknown key 'rule.exact.trim'",
        ),
        ({"rule": {"kind": "numeric"}, "target": "三"}, "must be a number"),
        ({"rule": {"kind": "numeric"}, "target": True}, "must be a number"),
        (
            {"rule": {"kind": "numeric", "tolerance": -1}, "target": 1},
            "greater than or equal to 0",
        ),
        ({"rule": {"kind": "choice"}, "target": "ア"}, "`rule.choice.choices` is missing"),
        (
            {"rule": {"kind": "choice", "choices": ["ア", "イ"]}, "target": "ウ"},
            "none of the choi",
        ),
        ({"rule": {"kind": "short_answer"}, "target": [1]}, "short_answer must be a text or a"),
        (
            {"rule": {"kind": "numeric", "tolerance": 2, "span": 1}, "target": 1},
            "the `span` of a rule numeric must be wider than its `tolerance`",
        ),
        ({"rule": {"kind": "json", "keys": ["b"]}, "target": {"a": 1}}, "lacks one of the rule's"),
        ({"rule": {"kind": "json"}, "target": None}, "a rule json without a `target`"),
        ({"rule": {"kind": "function_call"}}, "null: no call must be made"),
        (
            {"rule": {"kind": "function_call"}, "target": {"name": "f"}},
            "must be {name, arguments}",
        ),
        (
            {"rule": {"kind": "function_call"}, "target": {"name": "f", "arguments": {}}},
            "calls a function that is not in `tools`",
        ),
        ({"rule": {"kind": "json_schema"}}, "`rule.json_schema.schema` is missing"),
        ({"rule": {"kind": "grounded"}}, "a rule grounded without `documents`"),
        ({"rule": {"kind": "overlap"}}, "a rule overlap without a `target`"),
        ({"rule": {"kind": "format", "characters": {}}}, "give `min`, `max` or both"),
        ({"rule": {"kind": "format", "items": {"min": 3, "max": 2}}}, "`min` is above `max`"),
        ({"rule": {"kind": "format", "script": "kanji"}}, "rule.format.script"),
    ],
)
def test_a_line_that_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    text = fault(tmp_path, row("a"), row("b") | change)
    assert text.startswith("suite.jsonl:2: ")
    assert said in text


def test_null_target_of_a_call_means_no_call(tmp_path: Path) -> None:
    extra = {"rule": {"kind": "function_call"}, "target": None, "tools": [TOOL]}
    item = load(tmp_path, row("a") | extra, row("b")).items[0]
    assert (item.target, item.rule) == (None, {"kind": "function_call"})


def test_missing_keys_and_duplicates_are_named(tmp_path: Path) -> None:
    assert "suite.jsonl:1: `category` is missing" in fault(tmp_path, {"id": "a", "text": "問い"})
    assert "suite.jsonl:3: id 'a' again, first in suite.jsonl:1" in fault(
        tmp_path, row("a"), row("b"), row("a")
    )


def test_a_half_without_items_is_named(tmp_path: Path) -> None:
    assert "suite.jsonl: no held_out items" in fault(tmp_path, row("a"), row("b", "別"))
    assert "suite.jsonl: no search items" in fault(tmp_path, row("a", split="held_out"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "s.jsonl: no items"),
        (b"\n \n", "s.jsonl: no items"),
        (b"{\n", "s.jsonl:1: no JSON"),
        (b'\n{"id": NaN}\n', "s.jsonl:2: no JSON"),
        (b'{"id": "a", "id": "b"}', "s.jsonl:1: no JSON (key 'id' occurs twice)"),
        (b'["id"]', "s.jsonl:1: no JSON object"),
        ('{"id": "日本語"}'.encode("cp932"), "s.jsonl:1: not UTF-8; save the file as UTF-8"),
        ('{"id": "a"}'.encode("utf-16"), "s.jsonl:1: not UTF-8"),
        (b"[" * 100_000, "s.jsonl:1: no JSON"),
        (b'{"id": ' + b"9" * 5000 + b"}", "s.jsonl:1: no JSON"),
    ],
)
def test_a_file_that_is_no_suite_gives_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "s.jsonl").write_bytes(content)
    with pytest.raises(SuiteError) as caught:
        load_suite("s.jsonl", tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_enormous_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "s.jsonl").open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(SuiteError, match=r"s\.jsonl: larger than 64 MiB"):
        load_suite("s.jsonl", tmp_path)


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    lines = "\ufeff" + json.dumps(row("a")) + "\r\n\r\n" + json.dumps(row("b"))
    (tmp_path / "s.jsonl").write_text(lines, encoding="utf-8")
    assert [item.id for item in load_suite("s.jsonl", tmp_path).items] == ["a", "b"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ([], "suite: an empty list"),
        (3, "suite: 3 is no suite"),
        ("none.jsonl", "none.jsonl: no such file"),
        (".", ".: no such file"),
        ("none", "none: no suite of that name, and no such file; known are kumiawase-ja; paths"),
        ("kumiawase-jp", "did you mean 'kumiawase-ja'?"),
        ({"path": "suite.jsonl", "limit": 1}, "'limit': Input should be greater than or equal to"),
        ({"path": "suite.jsonl", "limit": "4"}, "'limit': Input should be a valid integer"),
        ({"path": "suite.jsonl", "format": "csv"}, "unknown format 'csv'; use one of kumiawase, "),
        ({"file": "suite.jsonl"}, "suite: `path` is missing; keys: path, format"),
        ({"path": "suite.jsonl", "colour": 2}, "suite: unknown key 'colour'; keys: path, format"),
        ({"path": "suite.jsonl", "weight": 0}, "'weight': Input should be greater than 0"),
        ({"path": "suite.jsonl", "weight": math.inf}, "'weight': Input should be less than or"),
        ({"path": "suite.jsonl", "weight": math.nan}, "'weight': Input should be"),
        ({"path": "suite.jsonl", "weight": "2"}, "'weight': Input should be a valid number"),
        ({"path": "suite.jsonl", "reference": "r"}, "format kumiawase takes no `reference` file"),
    ],
)
def test_a_spec_that_names_no_suite_gives_one_line(
    tmp_path: Path, spec: object, said: str
) -> None:
    write(tmp_path, row("a"), row("b"))
    with pytest.raises(SuiteError) as caught:
        load_suite(spec, tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
