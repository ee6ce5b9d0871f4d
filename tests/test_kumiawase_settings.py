"""kumiawase.yaml: every fault is one line with place, fault and remedy; defaults and members."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.errors import ConfigError, SuiteError
from kumiawase.settings import Settings, load, yaml_lines
from kumiawase.settings.until import moment
from kumiawase.wiring import judging, pins_of, space_of, verdicts_a_turn
from tests.conftest import ROOT
from tests.support.pool import TableJudge, suite

GOOD = """\
endpoints:
  local:
    base_url: http://127.0.0.1:8000/v1
models:
  a: {endpoint: local}
  b: {endpoint: local}
  j: {endpoint: local, price: {input: 1, output: 2}}
judge: {kind: rubric, models: [j]}
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "kumiawase.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def changed(**sections: Any) -> str:
    content = yaml.safe_load(GOOD) | sections
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def settings(folder: Path, **sections: Any) -> Settings:
    return load(written(folder, changed(**sections)))


def fault(folder: Path, text: str | bytes) -> tuple[int, str]:
    """Return the line that is blamed and what is said of it."""
    file = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    message = str(caught.value)
    assert "\n" not in message
    place, _, said = message.partition(": ")
    name, _, line = place.rpartition(":")
    assert name == str(file)
    return int(line), said


# -- each fault is one line

FAULTS: dict[str, tuple[str, int, str]] = {
    "unknown section": (GOOD + "serch: {}\n", 9, "unknown key 'serch'; did you mean 'search'?"),
    "unknown key": (
        GOOD + "search:\n  trials: 3\n  widht: 4\n",
        11,
        "unknown key 'search.widht'; did you mean 'width'?",
    ),
    "unknown key of a model": (
        GOOD.replace("a: {endpoint: local}", "a: {endpoint: local, contxt: 4096}"),
        5,
        "unknown key 'models.a.contxt'; did you mean 'context'?",
    ),
    "nothing like it": (GOOD + "zzz: 1\n", 9, "unknown key 'zzz'; remove it"),
    "a key twice": (GOOD + "study: a\nstudy: b\n", 10, "key 'study' stands twice; remove one of"),
    "a model twice": (
        GOOD.replace("  b:", "  a:"),
        6,
        "key 'a' stands twice",
    ),
    "wrong type": (GOOD + "search: {trials: many}\n", 9, "'search.trials': input should be"),
    "a number as text": (GOOD + 'search: {trials: "5"}\n', 9, "'search.trials': input should be"),
    "a truth for a number": (GOOD + "search: {trials: yes}\n", 9, "'search.trials'"),
    "too small": (GOOD + "search: {width: 0}\n", 9, "'search.width': input should be greater"),
    "a study without a name": (GOOD + 'study: ""\n', 9, "'study'"),
    "another type of section": (GOOD + "search: [1]\n", 9, "'search'"),
    "no endpoints": (GOOD.replace("endpoints:", "x-endpoints:"), 1, "'endpoints' is missing"),
    "no url": (
        GOOD.replace("base_url", "api_key_env"),
        2,
        "'endpoints.local.base_url' is missing",
    ),
    "unknown endpoint": (
        GOOD.replace("a: {endpoint: local}", "a: {endpoint: locla}"),
        5,
        "endpoint 'locla' is not defined; did you mean 'local'?",
    ),
    "unknown judge": (
        GOOD.replace("[j]", "[gpt-4o]"),
        8,
        "model 'gpt-4o' is not defined; known are a, b, j",
    ),
    "unknown baseline": (GOOD + "baselines: [bb]\n", 9, "model 'bb' is not defined; did you mean"),
    "unknown discoverer": (GOOD + "search: {discoverer: x}\n", 9, "model 'x' is not defined"),
    "half a price": (
        GOOD.replace("{input: 1, output: 2}", "{input: 1}"),
        7,
        "'models.j.price.output' is missing; add it",
    ),
    "an endless price": (GOOD.replace("output: 2", "output: .inf"), 7, "'models.j.price.output'"),
    "a price that is none": (GOOD.replace("output: 2", "output: .nan"), 7, "'models.j.price"),
    "not in the catalogue": (
        GOOD.replace("a: {endpoint: local}", "a: {endpoint: local, catalogue: nobody/none}"),
        5,
        "'nobody/none' is not in the catalogue; find it with `kumiawase models --search`",
    ),
    "rubric of two": (GOOD.replace("[j]", "[j, a]"), 8, "a rubric judge is one model"),
    "pairwise of two": (
        GOOD.replace("rubric, models: [j]", "pairwise, models: [j, a]"),
        8,
        "a pairwise judge is one model",
    ),
    "pairwise with nothing to compare with": (
        GOOD.replace("rubric", "pairwise"),
        8,
        "a pairwise judge needs a baseline to compare with; name a model as `baseline` there or",
    ),
    "pairwise with an unknown baseline": (
        GOOD.replace("rubric, models: [j]", "pairwise, models: [j], baseline: x"),
        8,
        "model 'x' is not defined",
    ),
    "pairwise with its judge as baseline": (
        GOOD.replace("rubric, models: [j]", "pairwise, models: [j], baseline: j"),
        8,
        "'j' is neither in the pool nor a baseline; list it under `baselines`",
    ),
    "a baseline of a rubric judge": (
        GOOD.replace("models: [j]", "models: [j], baseline: a"),
        8,
        "a rubric judge takes no baseline; remove it",
    ),
    "panel of one": (GOOD.replace("rubric", "panel"), 8, "a panel is two models or more"),
    "panel of one, twice": (
        GOOD.replace("rubric, models: [j]", "panel, models: [j, j]"),
        8,
        "a panel is two models or more",
    ),
    "self of one family": (
        GOOD.replace("{kind: rubric, models: [j]}", "{kind: self, models: [j]}"),
        8,
        "self-judging needs models of two families",
    ),
    "nobody left to propose": (
        GOOD + "baselines: [a, b]\n",
        4,
        "no model may propose, or none aggregate; give roles",
    ),
    "discovery without a discoverer": (
        GOOD + "search: {sampler: discovery}\n",
        9,
        "sampler `discovery` without a discoverer; name one under search.discoverer",
    ),
    "no such sampler": (GOOD + "search: {sampler: magic}\n", 9, "'search.sampler': input should"),
    "temperature": (GOOD + "search: {temperatures: [3]}\n", 9, "must lie between 0 and 2"),
    "no temperature": (GOOD + "search: {temperatures: [.nan]}\n", 9, "must lie between 0 and 2"),
    "a sign of YAML": (GOOD + "study: =\n", 9, "= is no text; put it in quotes"),
    "an alias": (GOOD + "x: &a 1\ny: *a\n", 10, "an alias (*name); write it out"),
    "a tag": (GOOD + "study: !!python/name:os.system x\n", 9, "a tag (tag:yaml.org,2002:python/"),
    "a tag on a mapping": (
        GOOD + "search: !!python/object:os.system {}\n",
        9,
        "a tag (tag:yaml.org,2002:python/object:os.system); leave it out",
    ),
    "a tag on nothing": (GOOD + "study: !!int ''\n", 9, "a tag (tag:yaml.org,2002:int)"),
    "too deep": (GOOD + "x: " + "[" * 50 + "]" * 50 + "\n", 9, "nested too deep"),
    "deeper than any stack": (GOOD + "x: " + "[" * 100_000 + "\n", 9, "nested too deep"),
    "no YAML": (GOOD + "study: a: b\n", 9, "no YAML: mapping values are not"),
    "a control character": (GOOD + "study: a\x1bb\n", 9, "no YAML: special characters"),
    "a key that is none": (GOOD + "? [a]\n: 1\n", 9, "a key that is no text"),
    "no such day": (GOOD + "study: 2026-13-45\n", 9, "month must be in 1..12"),
    "base 60": (GOOD + "study: 1" + ":1" * 500 + "\n", 9, "a number too long; is it a text?"),
    "two documents": (GOOD + "---\nstudy: b\n", 9, "no YAML"),
}


@pytest.mark.parametrize(("text", "line", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line_with_its_place(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    found = fault(tmp_path, text)
    assert said in found[1]
    assert found[0] == line


MONEY = {
    "far": ("http://10.0.0.1/v1", {}, True),
    "far and priced": ("http://10.0.0.1/v1", {"price": {"input": 0, "output": 1}}, False),
    "here": ("http://127.0.0.1/v1", {}, False),
    "here by name": ("http://localhost:1/v1", {}, False),
    "here, IPv6": ("http://[::1]/v1", {}, False),
    "a host that seems to be here": ("http://localhost.example.com/v1", {}, True),
}


@pytest.mark.parametrize(("url", "model", "refused"), MONEY.values(), ids=MONEY)
def test_a_limit_in_money_needs_the_price_of_all_that_is_not_here(
    tmp_path: Path, url: str, model: dict[str, Any], refused: bool
) -> None:
    content = yaml.safe_load(GOOD)
    content["endpoints"]["local"]["base_url"] = url
    content["models"] = {n: {"endpoint": "local", **deepcopy(model)} for n in content["models"]}
    text = yaml.safe_dump(content, sort_keys=False)
    load(written(tmp_path, text))  # without the limit nobody asks
    if not refused:
        load(written(tmp_path, text + "budget: {usd: 1}\n"))
        return
    line, said = fault(tmp_path, text + "budget: {usd: 1}\n")
    assert "a:" in text.splitlines()[line - 1]
    assert said.startswith("budget.usd needs the price of 'a'; give `price: {input")
    hourly = content["endpoints"]["local"] | {"usd_per_hour": 2}
    settings(tmp_path, **content | {"endpoints": {"local": hourly}, "budget": {"usd": 1}})


UNTIL = {
    "'07:00'": "07:00",
    "7:05": "7:05",
    "07:00": "07:00",
    "22:30": "22:30",
    "2026-01-31 07:00:00": "2026-01-31 07:00:00",
    "2026-01-31T07:00+09:00": "2026-01-31T07:00+09:00",
}


@pytest.mark.parametrize(("yaml_text", "kept"), UNTIL.items())
def test_until_is_what_was_written_however_yaml_reads_it(
    tmp_path: Path, yaml_text: str, kept: str
) -> None:
    found = load(written(tmp_path, GOOD + f"budget: {{until: {yaml_text}}}\n")).form.budget.until
    assert found is not None
    assert moment(found, NOW) == moment(kept, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "'25:00'",
        "tomorrow",
        "'7'",
        "22:30:15",
        "'2026-01-31'",
        "'0001-01-01 00:00'",
        "'9999-12-31 23:59-05:00'",
    ],
)
def test_an_until_that_is_no_time_is_refused(tmp_path: Path, text: str) -> None:
    line, said = fault(tmp_path, GOOD + f"budget: {{until: {text}}}\n")
    assert line == 9
    assert "budget.until" in said


@pytest.mark.parametrize("text", ["7", "700", "0700", "1500", "7.5", "2026-01-31", "yes"])
def test_an_until_that_yaml_takes_for_something_else_is_to_be_quoted(
    tmp_path: Path, text: str
) -> None:
    """0700 is an octal number, 448, and nobody's 7:28."""
    line, said = fault(tmp_path, GOOD + f"budget: {{until: {text}}}\n")
    assert line == 9
    assert "budget.until" in said
    assert 'is no time in quotes (write until: "07:00" or until: "2026-01-31 07:00")' in said


@pytest.mark.parametrize(
    ("suite_text", "said"),
    [
        ("kumiawase-jp", "kumiawase-jp: no suite of that name, and no such file; did you mean"),
        ("rakuda", "it is a format: write {path: FILE, format: rakuda}"),
        ("none.jsonl", "none.jsonl: no such file"),
        ("7", "suite: 7 is no suite"),
        ("{path: a.jsonl, format: csv}", "suite: unknown format 'csv'; use one of kumiawase"),
    ],
)
def test_a_suite_that_is_none_is_told_with_its_line(
    tmp_path: Path, suite_text: str, said: str
) -> None:
    file = written(tmp_path, GOOD + f"search: {{seed: 1}}\nsuite: {suite_text}\n")
    with pytest.raises(SuiteError) as caught:
        load(file).suite()
    assert str(caught.value).startswith(f"{file}:10: ")
    assert said in str(caught.value)


def test_a_fault_in_the_suites_own_file_is_told_with_the_line_there(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(SuiteError, match=r"^mine\.jsonl:1: "):
        load(written(tmp_path, GOOD + "suite: mine.jsonl\n")).suite()


def test_a_number_of_base_60_is_what_was_written(tmp_path: Path) -> None:
    line, said = fault(tmp_path, GOOD + "budget: {hours: 1:30}\n")  # 90 hours to YAML
    assert (line, "budget.hours" in said) == (9, True)
    assert load(written(tmp_path, GOOD + "study: 12:30\n")).study == "12:30"


NOW = datetime(2026, 1, 30, 22, 15).astimezone()


def test_a_time_of_day_is_the_next_one() -> None:
    assert moment("07:00", NOW) == datetime(2026, 1, 31, 7, 0).astimezone()
    assert moment("22:16", NOW) == datetime(2026, 1, 30, 22, 16).astimezone()
    assert moment("22:15", NOW) == datetime(2026, 1, 31, 22, 15).astimezone()
    assert moment("2026-02-01 07:00", NOW) == datetime(2026, 2, 1, 7, 0).astimezone()


def test_a_file_that_is_not_utf_8_is_blamed_at_its_line(tmp_path: Path) -> None:
    text = GOOD.encode() + "study: 組み合わせ\n".encode("shift_jis")
    assert fault(tmp_path, text) == (9, "is not UTF-8; save it so")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert load(written(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())).study == "default"


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    assert "larger than 256 KB" in fault(tmp_path, GOOD + "#" * yaml_lines.LARGEST)[1]


@pytest.mark.parametrize(
    ("text", "said"), [("", "holds no settings"), ("- a\n", "holds no settin")]
)
def test_a_file_without_settings(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(written(tmp_path, text))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; write one with `kumiawase init`"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


HOSTILE = {
    "[": "[" * 250_000,
    "{": "{a: " * 60_000,
    "?": "? " * 120_000,
    "numbers": "a: [" + "1," * 120_000 + "1]",
    "keys": "a:\n" + "".join(f"  k{i}: {i}\n" for i in range(20_000)),
    "documents": "--- a\n" * 40_000,
    "base 60": "a: 1" + ":1" * 120_000,
    "escapes": 'a: "' + "\\x41" * 60_000,
    "blanks": " " * 250_000,
    "aliases": "a: &a [x]\n" + "b: [" + "*a, " * 60_000 + "]",
}
LIMIT = """
import resource, sys
from pathlib import Path
from data.errors import ConfigError, SuiteError
from kumiawase.settings import yaml_lines
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
for name in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    try:
        yaml_lines.load(Path(name))
    except ConfigError:
        pass
    spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    if spent > 2:
        sys.exit(f"{name}: {spent} s")
"""


def test_a_hostile_file_costs_next_to_nothing(tmp_path: Path) -> None:
    """Seconds of CPU, not of the clock: a busy machine fails nothing. Each takes under 0.4."""
    names = []
    for number, text in enumerate(HOSTILE.values()):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        names.append(str(file))
    found = subprocess.run(
        [sys.executable, "-c", LIMIT, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


# -- addresses and keys

BAD_URLS = [
    "file:///etc/passwd",
    "ftp://host/v1",
    "127.0.0.1:8000",
    "http://",
    "http://[::1",
    "http://user:password@host/v1",
    "http://host:99999/v1",
    "http://169.254.169.254/latest",
    "http://169.254.169.254./latest",
    "http://[fe80::1]/v1",
    "http://[fe80::1%25eth0]/v1",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://169.254.43518/",
    "http://metadata.google.internal/",
    "http://METADATA.google.internal./",
    "http://100.100.100.200/",
    "http://[fd00:ec2::254]/",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_an_address_no_model_answers_at_is_refused(tmp_path: Path, url: str) -> None:
    endpoints = {"local": {"base_url": url}}
    line, said = fault(tmp_path, changed(endpoints=endpoints))
    assert (line, said.startswith("'endpoints.local.base_url': ")) == (3, True)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/v1", "http://gpu:8000/v1", "http://[::1]:80/v1", "http://10.0.0.7/v1"],
)
def test_servers_at_home_are_fine(tmp_path: Path, url: str) -> None:
    chosen = settings(tmp_path, endpoints={"local": {"base_url": url + "/"}})
    assert chosen.endpoints["local"].base_url == url


KEYS = [
    "sk-abcdefghijklmnopqrstuvwx",
    "sk_abcdefghijklmnop1234",
    "hf_AbCdEfGhIjKlMnOpQrStUv",
    "AIzaSyD4567890abcdefghijk",
    "a1B2c3D4e5F6g7H8i9J0k1L2m3",
    "my key",
    "",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_place_of_a_variables_name_is_refused_and_not_repeated(
    tmp_path: Path, key: str
) -> None:
    endpoint = {"base_url": "http://127.0.0.1:1/v1", "api_key_env": key}
    _, said = fault(tmp_path, changed(endpoints={"local": endpoint}))
    assert "name" in said
    assert not key or key not in said


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "local_key", "K2", "hf_token_of_my_account"])
def test_names_of_variables_are_fine(tmp_path: Path, name: str) -> None:
    endpoint = {"base_url": "http://127.0.0.1:1/v1", "api_key_env": name}
    chosen = settings(tmp_path, endpoints={"local": endpoint})
    assert chosen.endpoints["local"].api_key_env == name


@pytest.mark.parametrize(("name", "value"), [("X-A", "a\r\nb"), ("X A", "a"), ("X-A", "値")])
def test_a_header_that_cannot_be_sent_is_refused(tmp_path: Path, name: str, value: str) -> None:
    endpoint = {"base_url": "http://127.0.0.1:1/v1", "headers": {name: value}}
    assert "endpoints.local.headers" in fault(tmp_path, changed(endpoints={"local": endpoint}))[1]


# -- what is meant


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    form = settings(tmp_path).form
    assert (form.study, form.storage, form.suite) == (
        "default",
        "sqlite:///kumiawase.sqlite",
        "kumiawase-ja",
    )
    assert form.max_tokens.model_dump() == {"proposer": 1024, "aggregator": 2048, "judge": 1024}
    assert form.search.model_dump() == {
        "trials": 60,
        "layers": 2,
        "width": 6,
        "n": 3,
        "temperatures": [0.0, 0.7],
        "sampler": "auto",
        "discoverer": None,
        "objective": "score",
        "racing": "auto",
        "in_flight": 8,
        "confirm": 8,
        "seed": 0,
    }
    local = settings(tmp_path).endpoints["local"]
    assert (local.max_concurrency, local.timeout, local.api_key_env) == (16, 180, None)


def test_who_is_only_named_is_no_member(tmp_path: Path) -> None:
    models = {name: {"endpoint": "local"} for name in ("a", "b", "c", "d", "e", "f")}
    chosen = settings(
        tmp_path,
        models=models,
        judge={"models": ["c"]},
        report_judge={"models": ["d"]},
        baselines=["e"],
        search={"discoverer": "f"},
    )
    assert chosen.proposers == chosen.aggregators == ("a", "b")


def test_roles_make_a_member_of_whoever_is_named(tmp_path: Path) -> None:
    models = {
        "a": {"endpoint": "local"},
        "b": {"endpoint": "local", "roles": ["proposer"]},
        "c": {"endpoint": "local", "roles": ["aggregator"]},
    }
    chosen = settings(tmp_path, models=models, judge={"models": ["c"]}, baselines=["b"])
    space = space_of(chosen)
    assert (space.proposers, space.aggregators) == (("a", "b"), ("a", "c"))


def test_self_judging_takes_nobody_out_of_the_pool(tmp_path: Path) -> None:
    models = {name: {"endpoint": "local"} for name in ("a", "b", "c")}
    for judge in ({"kind": "self"}, {"kind": "self", "models": ["a", "b"]}):
        assert settings(tmp_path, models=models, judge=judge).proposers == ("a", "b", "c")


def test_a_pairwise_judge_compares_with_what_it_names_or_with_the_first_baseline(
    tmp_path: Path,
) -> None:
    models = {name: {"endpoint": "local"} for name in ("a", "b", "c", "d", "j")}
    judge = {"kind": "pairwise", "models": ["j"]}
    first = settings(tmp_path, models=models, judge=judge, baselines=["d", "c"])
    assert first.compared_with(first.form.judge) == "d"
    named = settings(tmp_path, models=models, judge=judge | {"baseline": "b"})
    assert named.compared_with(named.form.judge) == "b"
    assert named.proposers == ("a", "b", "c", "d")  # it stays a member of the pool
    pinned: Any = pins_of(named, suite(), space_of(named), TableJudge(), None)
    assert (pinned["judge"]["kind"], pinned["judge"]["baseline"]) == ("pairwise", "b")
    plain = settings(tmp_path, baselines=["a"])
    assert plain.compared_with(plain.form.judge) is None
    assert verdicts_a_turn(named, named.form.judge) == 2  # both orders
    assert verdicts_a_turn(plain, plain.form.judge) == 1


@pytest.mark.parametrize("word", ["off", "'off'", "no", "false"])
def test_racing_may_be_off_in_any_way_to_write_it(tmp_path: Path, word: str) -> None:
    assert (
        load(written(tmp_path, GOOD + f"search: {{racing: {word}}}\n")).form.search.racing == "off"
    )


def test_the_database_stands_beside_the_file_wherever_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "設定"
    folder.mkdir()
    file = written(folder, GOOD + "storage: sqlite:///x/k.sqlite\n")
    monkeypatch.chdir(tmp_path)
    assert load(Path("設定/kumiawase.yaml")).storage == f"sqlite:///{folder}/x/k.sqlite"
    assert load(file).storage == f"sqlite:///{folder}/x/k.sqlite"
    for url in ("sqlite:////abs/k.sqlite", "postgresql+psycopg://u@h/d"):
        assert load(file, storage=url).storage == url


def test_options_stand_above_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD + "study: a\nsearch: {trials: 3, seed: 7}\n")
    chosen = load(file, study="b", trials=9)
    assert (chosen.study, chosen.form.search.trials, chosen.form.search.seed) == ("b", 9, 7)
    assert load(written(tmp_path, GOOD), trials=0).form.search.trials == 0


def test_a_models_facts_come_from_the_file_then_the_catalogue(tmp_path: Path) -> None:
    from data import catalogue

    known = next(entry for entry in catalogue.load() if entry.context and entry.family)
    models = {
        "a": {"endpoint": "local", "catalogue": known.id},
        "b": {"endpoint": "local", "catalogue": known.id, "context": 99, "family": "other"},
        "c": {"endpoint": "local", "served_name": "x/y"},
        "j": {"endpoint": "local"},
    }
    found = settings(tmp_path, models=models).models
    assert (found["a"].context, found["a"].family) == (known.context, known.family)
    assert (found["b"].context, found["b"].family) == (99, "other")
    assert (found["c"].served_name, found["c"].family, found["c"].context) == ("x/y", "c", None)


def test_lines_are_those_of_the_keys() -> None:
    document = yaml_lines.parse("a:\n  b:\n    - 1\n    - c: 2\n", "f")
    assert document.value == {"a": {"b": [1, {"c": 2}]}}
    places = [("a",), ("a", "b"), ("a", "b", 1), ("a", "b", 1, "c"), ("a", "b", 9, "z"), ("q",)]
    assert [document.place(p) for p in places] == ["f:1", "f:2", "f:4", "f:4", "f:2", "f:1"]


# -- who judges


def _self(folder: Path, **judge: Any) -> Settings:
    models = {
        name: {"endpoint": "local", "family": name[0]} for name in ("a1", "a2", "b", "c", "d")
    }
    return settings(folder, models=models, judge={"kind": "self", **judge})


@pytest.mark.parametrize(
    ("judge", "members"),
    [
        ({}, ["a1", "b", "c"]),
        ({"models": ["d", "a2", "a1", "c", "b", "d"]}, ["d", "a2", "a1", "c", "b"]),
    ],
    ids=["chosen", "named"],
)
def test_a_pool_that_judges_itself_pins_who_does(
    tmp_path: Path, judge: dict[str, Any], members: list[str]
) -> None:
    chosen = _self(tmp_path, **judge)
    assert [model.name for model in judging(chosen, chosen.form.judge)] == members
    pinned: Any = pins_of(chosen, suite(), space_of(chosen), TableJudge(), None)
    told = {name: pinned["judge"][name] for name in ("kind", "models", "digest")}
    assert told == {"kind": "self", "models": members, "digest": "judge"}
