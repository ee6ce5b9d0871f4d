"""`doctor` asks every model once and says what is wrong with each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web

from kumiawase import checkup
from kumiawase.settings import load
from tests.support.fake_endpoint import FakeEndpoint, completion, fake_endpoint, sends

REPLIES = {"a": "富士山です。\n" * 20, "b": "Mt. Fuji.", "c": "富士山です。", "x": "はい。"}


async def handle(request: web.Request) -> web.StreamResponse:
    if request.path.endswith("/models"):
        listed = [{"id": "a", "max_model_len": 8192}, {"id": "b"}, {"id": "c"}]
        return await sends({"data": listed})(request)
    model = json.loads(await request.read())["model"]
    if model == "gone":
        return await sends({"error": "no such model"}, status=404)(request)
    body = completion(REPLIES[model]) | {"model": "z" if model == "c" else model}
    return await sends(body)(request)


def examined(folder: Path, server: FakeEndpoint) -> Path:
    names = ("a", "b", "c", "gone")
    models = "\n".join(f"  {name}: {{endpoint: e}}" for name in names)
    file = folder / "kumiawase.yaml"
    file.write_text(
        f"endpoints:\n  e: {{base_url: '{server.url}'}}\n"
        f"  keyed: {{base_url: '{server.url}', api_key_env: NO_SUCH_KEY}}\n"
        f"models:\n{models}\n  locked: {{endpoint: keyed}}\n",
        encoding="utf-8",
    )
    return file


async def test_each_model_is_asked_once_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    async with fake_endpoint() as server:
        server.default = handle
        found = {f.model: f for f in await checkup.examine(load(examined(tmp_path, server)))}
        asked = [call.body for call in server.calls if call.method == "POST"]
    assert [body["model"] for body in asked] == ["a", "b", "c", "gone"]
    assert server.most_at_once == 1
    assert {body["max_tokens"] for body in asked} == {checkup.MAX_TOKENS}
    assert [f.ok for f in found.values()] == [True, True, True, False, False]
    assert (found["a"].context, found["b"].context) == (8192, None)
    assert len(found["a"].finding) == 41  # its beginning, on one line
    assert "\n" not in found["a"].finding
    assert "is it Japanese?" in found["b"].finding
    assert "answered by 'z'" in found["c"].finding
    assert "the server lists a, b, c" in found["gone"].finding
    assert "NO_SUCH_KEY is not set" in found["locked"].finding
