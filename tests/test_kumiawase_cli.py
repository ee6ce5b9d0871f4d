"""The command line: help, exit codes, and what goes to stdout."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from data.errors import ConfigError, StudyError
from kumiawase import reading
from kumiawase.cli import VERBS, cli, main
from kumiawase.settings import load
from kumiawase.wiring import identity
from tests.conftest import ROOT
from tests.support.pool import STUDY, Lab, Models, TableJudge, suite
from tests.support.program import run

ODD = "\x1b]8;;http://evil.example\x07押す\x1b]8;;\x07　全角 [bold]太字[/bold] \ud800"
CONFIG = f"""\
study: {STUDY}
storage: sqlite:///study.sqlite
endpoints:
  local: {{base_url: "http://127.0.0.1:9/v1"}}
models:
  a: {{endpoint: local}}
  b: {{endpoint: local}}
  c: {{endpoint: local}}
  judge: {{endpoint: local}}
judge: {{models: [judge]}}
"""
VERBS_OF_RESULTS = ["status", "leaderboard", "show 0", "models", "suites", "doctor"]


async def search(folder: Path) -> None:
    chosen = load(folder / "kumiawase.yaml")
    pins = {
        "suite": {
            "name": "試験",
            "digest": "d",
            "search_items": 24,
            "held_out_items": 24,
            "weights": {"分野0": 0.5, "分野1": 0.5},
        },
        "judge": {"kind": "rubric", "models": ["judge"], "digest": "judge"},
        "report_judge": None,
        "baselines": [],
        "models": {name: identity(chosen, chosen.models[name]) for name in "abc"},
        "max_tokens": chosen.form.max_tokens.model_dump(),
    }
    judge = TableJudge(lambda item, _: None if item.id == "search-0-1" else 0.5)
    models = Models(lambda request: f"{request.model} {ODD}")
    with Lab(folder, models=models, judge=judge, asked=suite(2, 12)) as lab:
        await lab.store.pin(STUDY, pins)
        await lab.store.add_prompts({"sha256:" + "a" * 64: "まとめてください。"})
        await lab.search(trials=3, confirm=1).run()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("searched")
    (found / "kumiawase.yaml").write_text(CONFIG, encoding="utf-8")
    asyncio.run(search(found))
    return found


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


# -- help


def test_every_verb_has_a_module_and_a_command_of_its_name() -> None:
    files = {p.stem for p in (ROOT / "kumiawase/cli").glob("*.py")} - {"__init__", "options"}
    assert files == set(VERBS)
    for verb in VERBS:
        assert importlib.import_module(f"kumiawase.cli.{verb}").command.name == verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    found = invoke(verb, "--help")
    assert found.exit_code == 0
    assert found.stdout.startswith("Usage: ")
    assert "--help" in found.stdout
    assert found.stderr == ""


def _words(text: str) -> set[str]:
    return {word.removesuffix("s") for word in re.findall(r"[a-z]{4,}", text.lower())}


@pytest.mark.parametrize("verb", VERBS)
def test_the_line_in_the_overview_fits_the_verbs_own_words(verb: str) -> None:
    command: click.Command = importlib.import_module(f"kumiawase.cli.{verb}").command
    line = _words(VERBS[verb])
    assert len(line & _words(command.help or "")) >= len(line) / 2
    assert len(VERBS[verb]) <= 60  # one line of the overview, 80 columns wide
    assert VERBS[verb].endswith(".")


def test_the_overview_lists_every_verb_with_its_line() -> None:
    found = invoke("--help")
    listed = re.findall(r"^  ([a-z]+) {2,}(.+)$", found.stdout, re.MULTILINE)
    assert dict(listed) == VERBS
    assert invoke("-h").stdout == found.stdout


def test_the_version_is_the_packages() -> None:
    from kumiawase import __version__

    assert invoke("--version").stdout == f"{__version__}\n"


# -- exit codes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serch",), "no verb 'serch'; did you mean 'search'?"),
        (("leaderboard", "--rows", "0"), "invalid value for '--rows'"),
        (("leaderboard", "--nothing"), "no such option"),
        (("ask",), "missing argument 'FILE'"),
        (("leaderboard", "--study", "none"), f"no study 'none'; known: {STUDY}"),
        (("show", "zzzz"), "no ensemble 'zzzz'"),
        (("show", "0", "--item", "none"), "no answer to item 'none'"),
        (("ask", "none.yaml", "質問"), "none.yaml: no such file"),
        (("leaderboard", "-c", "none.yaml"), "none.yaml: no such file"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    found = run(folder, *arguments)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert "Traceback" not in found.err


CODES = """
import sys
import click
from data import errors
from kumiawase import cli

@click.command("x")
def command():
    raise {error}

cli.VERBS["x"] = "x"
sys.modules["kumiawase.cli.x"] = type(sys)("x")
sys.modules["kumiawase.cli.x"].command = command
sys.argv = ["kumiawase", "x"]
cli.main()
"""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        ("errors.StudyError('f', place='p', remedy='r')", 2, "kumiawase: p: f; r"),
        ("errors.StoreError('full')", 1, "kumiawase: full"),
        ("errors.RequestError('down')", 1, "kumiawase: down"),
        ("click.UsageError('So not.')", 2, "kumiawase: so not; see kumiawase x --help"),
        ("KeyboardInterrupt", 130, ""),
        ("click.Abort", 130, ""),
        ("BrokenPipeError", 0, ""),
    ],
)
def test_what_each_error_ends_with(error: str, code: int, said: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", CODES.format(error=error)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (code, "")
    assert found.stderr.strip().endswith(said)
    assert bool(found.stderr.strip()) == bool(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("serch", "no verb 'serch'; did you mean 'search'?"),
        ("xyzzy", "no verb 'xyzzy'; see kumiawase --help"),
        ("status --wach", "no such option '--wach'; did you mean '--watch'?"),
        ("search --trials x", "invalid value for '--trials': 'x' is not a valid integer range;"),
        ("rank", "missing argument 'FORMAT'; see kumiawase rank --help"),
    ],
)
def test_a_command_that_is_wrong_is_told_in_one_line(
    words: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["kumiawase", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    line, *more = capsys.readouterr().err.splitlines()
    assert (ended.value.code, more) == (2, [])
    assert line.startswith(f"kumiawase: {said}")


@pytest.mark.parametrize(
    ("error", "code"), [("errors.StudyError('f')", 2), ("click.UsageError('so not')", 2)]
)
def test_an_error_that_nobody_can_read_ends_with_the_same_code(error: str, code: int) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-c", CODES.format(error=error)]
        buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
        found = subprocess.run(command, cwd=ROOT, env=buffered, stderr=full, check=False)
        assert found.returncode == code


@pytest.mark.parametrize("verb", ["leaderboard", "leaderboard --json", "models", "models --json"])
def test_a_reader_that_leaves_early_is_no_error(folder: Path, verb: str) -> None:
    """`kumiawase leaderboard | head`: neither a message nor a code that fails a script."""
    command = [sys.executable, "-m", "kumiawase", *verb.split()]
    with subprocess.Popen(
        command, cwd=folder, env=_path(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def _path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


# -- results


@pytest.mark.parametrize("verb", VERBS_OF_RESULTS)
def test_json_is_one_document_and_all_there_is_on_stdout(there: Path, verb: str) -> None:
    assert there.is_dir()
    found = invoke(*verb.split(), "--json")
    assert found.exit_code in (0, 1)  # nobody listens to doctor

    def no_number(word: str) -> object:
        raise AssertionError(word)

    json.loads(found.stdout, parse_constant=no_number)
    assert found.stdout.count("\n") == 1


def test_show_tells_all_of_an_ensemble(there: Path) -> None:
    assert there.is_dir()
    value: Any = json.loads(invoke("show", "0", "--json").stdout)
    assert {e["half"] for e in value["evaluations"]} >= {"search"}
    items = value["evaluations"][0]["items"]
    assert len(items) == 24
    assert ODD.replace("\ud800", "\ufffd") in items[0]["texts"][0]
    assert [i["score"] for i in items].count(None) == 1
    same = json.loads(invoke("show", value["digest"][:8], "--json").stdout)
    assert same == value


def test_what_a_model_wrote_is_shown_and_not_obeyed(there: Path) -> None:
    assert there.is_dir()
    whole = invoke("show", "0", "--item", "search-0-0").stdout
    for text in (invoke("show", "0").stdout, whole, invoke("leaderboard").stdout):
        assert "\x1b" not in text
        assert "\x07" not in text
        text.encode()
    assert r"\x1b]8;;http://evil.example\x07押す" in whole
    assert "　全角 [bold]太字[/bold]" in whole


def test_export_writes_a_file_and_says_so_on_stderr(there: Path, tmp_path: Path) -> None:
    assert there.is_dir()
    found = invoke("export", "-o", str(tmp_path / "best.yaml"))
    assert (found.exit_code, found.stdout) == (0, "")
    assert "wrote" in found.stderr
    assert (tmp_path / "best.yaml").exists()


def test_a_rehearsal_replaces_no_ensemble_of_a_real_search(there: Path, tmp_path: Path) -> None:
    assert there.is_dir()
    kept = tmp_path / "best.yaml"
    assert invoke("export", "-o", str(kept)).exit_code == 0
    before = kept.read_bytes()
    folder = tmp_path / "rehearsal"
    with pytest.raises(ConfigError) as caught:
        invoke("rehearse", "--trials", "0", "--folder", str(folder), "-o", str(kept))
    assert str(caught.value) == (
        f"{kept}: is there already, and no rehearsal wrote it; name another file with -o FILE"
    )
    assert kept.read_bytes() == before
    assert not folder.exists()


def test_doctor_keeps_what_it_finds_where_it_is_told(there: Path, tmp_path: Path) -> None:
    assert there.is_dir()
    file = tmp_path / "elsewhere.sqlite"
    invoke("doctor", "--storage", f"sqlite:///{file}")
    assert file.exists()


# -- which ensemble is meant


def test_an_ensemble_is_found_by_number_and_by_digest(there: Path) -> None:
    settings = load(there / "kumiawase.yaml")
    with reading.open_store(settings) as store:
        known = {e.digest for e in store.evaluations(STUDY, "search")}
        zero = reading.find(store, STUDY, "0")
        assert zero.half == "search"
        for digest in known:
            assert reading.find(store, STUDY, digest[:8]).digest == digest
        for name in ("", "a", zero.digest[:3], "99999999", "-1", "０９９"):
            with pytest.raises(StudyError, match="no ensemble"):
                reading.find(store, STUDY, name)


def test_reading_makes_no_database(tmp_path: Path) -> None:
    (tmp_path / "kumiawase.yaml").write_text(CONFIG, encoding="utf-8")
    settings = load(tmp_path / "kumiawase.yaml")
    with (
        pytest.raises(StudyError, match="nothing was searched yet; run `kumiawase search` first"),
        reading.open_store(settings),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["kumiawase.yaml"]
