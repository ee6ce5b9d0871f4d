"""Aim: `suites` as its users call it: what is there, what is in it, what is wrong with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kumiawase.cli import main
from tests.support.program import Run, pool, prepare, run, settings

Call = Callable[..., Run]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Run the command line in this process, in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["kumiawase", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Run(int(ended.value.code or 0), told.out, told.err)

    return called


def write(folder: Path, *rows: object) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "s.jsonl").write_text("\n".join(lines), encoding="utf-8")


def row(number: int, text: str, **more: object) -> dict[str, object]:
    return {"id": f"q{number}", "category": "甲", "text": text, "rubric": ["正しい"], **more}


SOUND = (row(0, "富士山の高さ"), row(1, "味噌汁の作り方"))


def test_the_list_says_where_suites_are_published(call: Call) -> None:
    told = call("suites")
    assert told.code == 0
    assert "kumiawase-ja: ours" in told.out
    assert "github.com/yahoojapan/JGLUE: datasets/jnli-v1.3/valid-v1.3.json\n" in told.out
    assert "licence: CC BY-SA 4.0\n" in told.out
    listed = call("suites", "--json").json
    assert listed["bundled"] == [{"name": "kumiawase-ja"}]
    assert all(suite["licence"] and suite["published_at"] for suite in listed["published"])


def test_the_table_counts_items_by_kind(call: Call, tmp_path: Path) -> None:
    write(tmp_path, *SOUND, row(2, "桜", category="乙", rule={"kind": "exact"}, target="桜"))
    rows = call("suites", "s.jsonl", "--json").json["categories"]
    assert [(r["category"], r["items"], r["rule"], r["rubric"]) for r in rows] == [
        ("甲", 2, 0, 2),
        ("乙", 1, 1, 1),
    ]
    assert rows[1]["rule_and_rubric"] == 1
    table = call("suites", "s.jsonl").out
    assert table.splitlines()[0].startswith("s: 3 items, digest ")
    assert table.splitlines()[-1].split()[:2] == ["all", "3"]


def test_items_are_shown_whole(call: Call, tmp_path: Path) -> None:
    long = "あ" * 500 + "\x1b[31m終わり"
    documents = [{"id": "1", "title": "題", "text": long}]
    ruled = {"rule": {"kind": "numeric"}, "target": 3, "reference": ["答え: 3"]}
    write(tmp_path, row(0, "問い[一]", documents=documents, **ruled), row(1, "別の問い"))
    told = call("suites", "s.jsonl", "--show", "甲").out
    assert told.replace("\n", "").count("あ") == 500
    assert "\x1b" not in told
    assert "問い[一]" in told
    assert "・正しい" in told
    assert '{"kind": "numeric"}' in told
    assert "別の問い" in told
    assert "別の問い" not in call("suites", "s.jsonl", "--show", "甲", "-n", "1").out
    shown = call("suites", "s.jsonl", "--show", "甲", "--json").json
    assert [item["id"] for item in shown] == ["q0", "q1"]
    unknown = call("suites", "s.jsonl", "--show", "丙")
    assert unknown.code == 2
    assert "no category '丙'; there are 甲" in unknown.err


def test_a_sound_suite_passes(call: Call, tmp_path: Path) -> None:
    write(tmp_path, *SOUND)
    told = call("suites", "--check", "s.jsonl")
    assert (told.code, told.out) == (0, "s.jsonl: 2 items, nothing wrong\n")


def test_findings_are_one_line_each_and_exit_with_2(call: Call, tmp_path: Path) -> None:
    write(tmp_path, *SOUND, row(2, "富士山の高さ。"), {"id": "x"}, row(3, "桜", colour="x" * 300))
    told = call("suites", "--check", "s.jsonl")
    assert told.code == 2
    lines = told.out.splitlines()
    assert [line.partition(": ")[0] for line in lines[:-1]] == [
        "s.jsonl:4",
        "s.jsonl:5",
        "s.jsonl:3",
    ]
    assert lines[-1] == "s.jsonl: 3 items, 2 schema, 1 duplicate"
    found = call("suites", "s.jsonl", "--check", "--json")
    assert found.code == 2
    assert found.json["dictionary"].startswith("ipadic ")
    assert [one["kind"] for one in found.json["findings"]] == ["schema"] * 2 + ["duplicate"]


def test_context_decides_what_is_too_long(call: Call, tmp_path: Path) -> None:
    write(tmp_path, SOUND[0], row(1, "桜は" * 1000))
    assert call("suites", "--check", "s.jsonl").code == 0
    told = call("suites", "--check", "s.jsonl", "--context", "2048")
    assert told.code == 2
    assert "of 2048 for an answer" in told.out


def test_public_suites_are_checked_with_their_references(call: Call, shared: Path) -> None:
    folder = shared / "japanese_mt_bench"
    arguments = ("suites", "--check", str(folder / "question_full.jsonl"))
    form = ("--format", "japanese-mt-bench")
    assert call(*arguments, *form).code == 2
    reference = str(folder / "reference_answer/base-gpt4o-with-human-annotation.jsonl")
    assert call(*arguments, *form, "--reference", reference).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--check",), "name a suite or a file"),
        (("--show", "甲"), "name a suite or a file"),
        (("--check", "none.jsonl"), "none.jsonl: no such file"),
        (("--check", "s.jsonl", "--format", "csv"), "unknown format 'csv'"),
        (("s.jsonl", "--study", "s"), "leave NAME out"),
        (("--study", "s"), "kumiawase.yaml"),
    ],
)
def test_a_wrong_call_gives_one_line(
    call: Call, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    write(tmp_path, *SOUND)
    told = call("suites", *arguments)
    assert told.code == 2
    assert said in told.err
    assert "Traceback" not in told.err


def test_after_a_search_items_say_how_good_they_proved(tmp_path: Path) -> None:
    with pool(tmp_path / "pool.log") as served:
        prepare(tmp_path, settings(served.url))
        assert run(tmp_path, "search").code == 0
    told = run(tmp_path, "suites", "--study", "default", "--json")
    assert told.code == 0
    items = told.json["items"]
    assert {item["item"] for item in items} == {f"q{n}" for n in range(8)}
    assert {item["half"] for item in items} == {"search", "held_out"}
    ranked = [item["discrimination"] or 0 for item in items]
    assert ranked == sorted(ranked)
    table = run(tmp_path, "suites", "--study", "default", "-n", "3").out.splitlines()
    assert table[0] == "study default: 3 of 8 items, the worst first"
    assert [line.split()[0] for line in table[2:]] == [item["item"] for item in items[:3]]
