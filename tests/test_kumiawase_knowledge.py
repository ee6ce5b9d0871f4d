"""What a study freezes of its models: the user's word, else the server's and the catalogue's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from data.errors import StudyError
from data.observer import Silent
from db.facts import Frozen
from db.store import Store
from db.studies import open_study
from endpoints.facts import ModelFacts
from kumiawase.knowledge import facts_of
from kumiawase.settings import Settings, load
from kumiawase.wiring import completions_of, open_session
from tests.support.fake_endpoint import fake_endpoint, sends
from tests.support.stores import MemoryMeter

KNOWN = "karakuri-ai/karakuri-lm-70b-chat-v0.1"  # 4096 tokens, as the catalogue knows


def write(folder: Path, url: str, models: dict[str, dict[str, Any]], **sections: Any) -> Settings:
    value = {
        "endpoints": {"local": {"base_url": url, "identity": "local"}},
        "models": {name: {"endpoint": "local", **model} for name, model in models.items()},
        "judge": {"kind": "rubric", "models": [next(iter(models))]},
        "search": {"trials": 0},
    }
    file = folder / "kumiawase.yaml"
    file.write_text(yaml.safe_dump({**value, **sections}), encoding="utf-8")
    return load(file)


async def frozen(settings: Settings) -> dict[str, Frozen]:
    with Store.open(settings.storage) as store:
        completions = completions_of(settings, store, MemoryMeter(), Silent())
        try:
            facts = await facts_of(settings, store, completions)
            assert {name: facts.facts(name) for name in facts.found} == facts.found
        finally:
            await completions.close()
        return store.frozen("default")


async def lists(request: web.Request) -> web.StreamResponse:
    if request.path != "/v1/models":
        return web.json_response({"detail": "Not Found"}, status=404)
    entries = [{"id": "told", "max_model_len": 2048}, {"id": KNOWN, "max_model_len": 32768}]
    return web.json_response({"data": entries})


async def test_the_users_word_counts_then_the_smaller_of_server_and_catalogue(
    tmp_path: Path,
) -> None:
    (tmp_path / "m.model").write_bytes(b"")
    models: dict[str, dict[str, Any]] = {
        "a-judge": {},
        "told": {},
        "said": {"served_name": "told", "context": 1000},
        "known": {"served_name": KNOWN},
        "unknown": {"tokenizer": "m.model"},
    }
    async with fake_endpoint() as fake:
        fake.default = lists
        settings = write(tmp_path, fake.url, models)
        found = await frozen(settings)
        assert {name: one.facts for name, one in found.items()} == {
            "told": ModelFacts(2048),
            "said": ModelFacts(1000),
            "known": ModelFacts(4096),
            "unknown": ModelFacts(None, "file"),
        }
        calls = len(fake.calls)
        fake.default = sends({}, 404)
        assert await frozen(settings) == found
        assert len(fake.calls) == calls  # found out once, then frozen
    assert settings.models["unknown"].tokenizer == str(tmp_path / "m.model")


async def test_a_server_that_is_away_freezes_nothing(tmp_path: Path) -> None:
    models: dict[str, dict[str, Any]] = {"j": {}, "m": {"context": 1000}}
    assert await frozen(write(tmp_path, "http://127.0.0.1:1/v1", models)) == {}


async def test_a_ratio_learned_before_is_a_new_studys(tmp_path: Path) -> None:
    async with fake_endpoint() as fake:
        fake.default = lists
        settings = write(tmp_path, fake.url, {"j": {}, "m": {}})
        with Store.open(settings.storage) as store:
            await store.learn("local", {"ratio:m": 1.75})
        assert (await frozen(settings))["m"].facts == ModelFacts(None, "ratio", 1.75)


async def test_another_context_is_another_study(tmp_path: Path) -> None:
    async with fake_endpoint() as fake:
        fake.default = lists
        for context in (1000, 2000):
            settings = write(tmp_path, fake.url, {"j": {}, "m": {"context": context}})
            if context == 1000:
                async with open_session(settings, Silent()):
                    open_study(settings.storage, settings.study).ask()  # else it is begun anew
            else:
                with pytest.raises(StudyError, match=r"contexts\.m` was 1000 and is now 2000"):
                    async with open_session(settings, Silent()):
                        pass
