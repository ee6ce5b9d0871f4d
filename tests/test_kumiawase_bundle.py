"""The exported file: what goes in comes out again, and no secret goes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.digest import text_digest
from data.errors import ConfigError
from db.records import Spent
from db.standings import HeldOut, Latency, Leaderboard, PerAnswer, Standing
from judges.statistics import Estimate
from kumiawase.export import bundle
from kumiawase.settings import Settings, load
from moa.ensemble import Agent, Ensemble, single
from moa.prompts import library

TEXT = '参考の回答をまとめてください。\n\n  - 一つ目: "引用"\n\tタブ\n回答:'
OWN = text_digest(TEXT)
ENSEMBLE = Ensemble(((Agent("鶴", 0.7, 2), Agent("亀", 0.7)),), Agent("鶴", 0.0, prompt=OWN))
CONFIG = """\
endpoints:
  local:
    base_url: http://127.0.0.1:8000/v1?api_key=s3cret&version=2
    identity: http://user:s3cret@gpu/v1
    api_key_env: LOCAL_KEY
    headers: {Authorization: Bearer s3cret, X-Api-Key: s3cret, Cookie: s3cret, X-Team: nlp}
    timeout: 30
  other:
    base_url: http://127.0.0.1:9/v1
models:
  鶴:
    endpoint: local
    served_name: org/crane-70b
    context: 4096
    price: {input: 1, output: 2}
    extra_body: {attributes: {quality: 4}, stop: null}
  亀: {endpoint: local, family: turtle, roles: [proposer]}
  judge: {endpoint: other}
judge: {models: [judge]}
max_tokens: {proposer: 77}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "kumiawase.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return load(file)


def row(ensemble: Ensemble) -> Standing:
    estimate = Estimate(0.79, 0.75, 0.82, 64)
    return Standing(
        rank=1,
        group=1,
        trial=12,
        ensemble=ensemble,
        digest=ensemble.digest,
        origin="tpe",
        state="COMPLETE",
        estimate=estimate,
        items=64,
        unscored=0,
        coverage=1.0,
        marked=0,
        held_out=HeldOut(estimate, 64, "judge"),
        vs={},
        by_category={},
        per_answer=PerAnswer(4, 3100, 0.004),
        latency=Latency(3.1, 8.0),
        pareto=True,
    )


def board(*rows: Standing) -> Leaderboard:
    suite = {"name": "試験", "digest": "d", "search_items": 64, "held_out_items": 64}
    judge = {"kind": "rubric", "models": ["judge"], "digest": "j"}
    return Leaderboard("default", suite, judge, None, "鶴が勝つ", 1, Spent(), rows)


def exported(settings: Settings, folder: Path, ensemble: Ensemble = ENSEMBLE) -> Path:
    one, file = row(ensemble), folder / "best.yaml"
    bundle.write(file, settings, board(one), one, {**library(), OWN: TEXT, "sha256:x": "余分"})
    return file


def test_what_was_written_is_read_again(settings: Settings, tmp_path: Path) -> None:
    found = bundle.read(exported(settings, tmp_path))
    assert found.ensemble == ENSEMBLE
    assert found.ensemble.digest == ENSEMBLE.digest
    assert found.models == {name: settings.models[name] for name in ("鶴", "亀")}
    assert found.prompts[OWN] == TEXT
    assert found.max_tokens == settings.form.max_tokens
    local = found.endpoints["local"]
    assert list(found.endpoints) == ["local"]
    assert (local.timeout, local.api_key_env) == (30, "LOCAL_KEY")


def test_the_file_says_what_the_contract_says(settings: Settings, tmp_path: Path) -> None:
    file = exported(settings, tmp_path)
    content = yaml.safe_load(file.read_text("utf-8"))
    promised = "ensemble models endpoints prompts max_tokens score cost latency_s provenance"
    assert [key for key in content if key in promised.split()] == promised.split()
    assert content["prompts"] == {OWN: TEXT}
    assert content["score"]["held_out"]["score"] == pytest.approx(7.9)
    assert content["score"]["verdict"] == "鶴が勝つ"
    assert content["provenance"]["digest"] == ENSEMBLE.digest
    assert "鶴" in file.read_text("utf-8")  # readable, not escaped


def test_no_secret_leaves(settings: Settings, tmp_path: Path) -> None:
    text = exported(settings, tmp_path).read_text("utf-8")
    assert "s3cret" not in text
    endpoint = yaml.safe_load(text)["endpoints"]["local"]
    assert endpoint["base_url"] == "http://127.0.0.1:8000/v1?version=2"
    assert endpoint["headers"] == {"X-Team": "nlp"}
    assert endpoint["api_key_env"] == "LOCAL_KEY"


def test_nothing_but_the_first_three_keys_is_needed(settings: Settings, tmp_path: Path) -> None:
    content = yaml.safe_load(exported(settings, tmp_path, single("鶴", 0.0)).read_text("utf-8"))
    bare = tmp_path / "bare.yaml"
    kept = {key: content[key] for key in ("ensemble", "models", "endpoints")}
    bare.write_text(bundle.dump(kept), encoding="utf-8")
    assert bundle.read(bare).ensemble == single("鶴", 0.0)


def test_our_own_prompts_need_not_be_in_the_file(settings: Settings, tmp_path: Path) -> None:
    ours = next(iter(library()))
    ensemble = Ensemble(((Agent("亀", 0.7),),), Agent("鶴", 0.0, prompt=ours))
    content = yaml.safe_load(exported(settings, tmp_path, ensemble).read_text("utf-8"))
    del content["prompts"]
    (tmp_path / "bare.yaml").write_text(bundle.dump(content), encoding="utf-8")
    assert bundle.read(tmp_path / "bare.yaml").prompts[ours] == library()[ours]


def test_what_is_written_twice_is_written_out() -> None:
    """YAML's short form for it is an alias, and we refuse those when we read."""
    same = [1, 2]
    text = bundle.dump({"a": same, "b": same, "c": {"d": same}})
    assert "*" not in text
    assert yaml.safe_load(text) == {"a": same, "b": same, "c": {"d": same}}


def _set(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return change


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change


TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a prompt": (_set("prompts", OWN, to=TEXT + "!"), "the text does not fit its digest"),
    "no prompt": (_without("prompts"), f"the ensemble names '{OWN}', `prompts` does not"),
    "a model": (_without("models", "亀"), "the ensemble names '亀', `models` does not"),
    "an endpoint": (_set("models", "鶴", "endpoint", to="none"), "names 'none', `endpoints` does"),
    "an aggregator": (
        _set("ensemble", "aggregator", "model", to="gpt-9"),
        "the ensemble names 'gpt-9'",
    ),
    "its shape": (_set("ensemble", "layers", to="x"), "layers"),
    "a key in it": (_set("ensemble", "aggregator", "n2", to=1), "unknown key 'n2'"),
    "a key of a model": (_set("models", "鶴", "modle", to=1), "unknown key 'models.鶴.modle'"),
    "an address": (
        _set("endpoints", "local", "base_url", to="file:///etc"),
        "is no http or https",
    ),
    "metadata": (_set("endpoints", "local", "base_url", to="http://169.254.169.254/"), "metadata"),
    "no ensemble": (_without("ensemble"), "is no exported ensemble"),
    "no models": (_without("models"), "'models' is missing"),
}


@pytest.mark.parametrize(("change", "said"), TAMPERED.values(), ids=TAMPERED)
def test_a_file_that_was_changed_is_refused_in_one_line(
    settings: Settings, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    file = exported(settings, tmp_path)
    content = yaml.safe_load(file.read_text("utf-8"))
    change(content)
    file.write_text(bundle.dump(content), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        bundle.read(file)
    message = str(caught.value)
    assert said in message
    assert str(file) in message
    assert "\n" not in message


def test_a_config_is_no_export(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="is no exported ensemble; write one with"):
        bundle.read(settings.folder / "kumiawase.yaml")
