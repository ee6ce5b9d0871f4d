"""A key goes where its owner sends it: an imported file alone decides nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from data.errors import ConfigError
from endpoints.specs import EndpointSpec
from kumiawase import consent
from kumiawase.cli import cli
from tests.support.fake_endpoint import fake_endpoint
from tests.support.program import prepare, settings

KEY = "canary-51c0ffee77aa"
FOREIGN = {
    "ensemble": {"layers": [], "aggregator": {"model": "a", "temperature": 0.0}},
    "models": {"a": {"endpoint": "e"}},
}


def exported(folder: Path, url: str, **endpoint: str) -> Path:
    file = folder / "best.yaml"
    content = FOREIGN | {"endpoints": {"e": {"base_url": url, **endpoint}}}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def own(folder: Path, url: str, variable: str = "MY_KEY") -> Path:
    content: dict[str, Any] = settings(url)
    content["endpoints"]["pool"]["api_key_env"] = variable
    return prepare(folder, content)


async def asked(file: Path, *options: str) -> Result:
    command = ["ask", str(file), "質問", *options]
    return await asyncio.to_thread(CliRunner(env={"MY_KEY": KEY}).invoke, cli, command)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_no_key_goes_where_only_an_imported_file_sends_it(tmp_path: Path) -> None:
    async with fake_endpoint() as server:
        file = exported(tmp_path, server.url, api_key_env="MY_KEY")
        found = await asked(file)
        assert server.calls == []
        assert isinstance(found.exception, ConfigError)
        host = server.url.removeprefix("http://").removesuffix("/v1")
        assert str(found.exception) == (
            f"{file}: would send the key in MY_KEY to {server.url}, and kumiawase.yaml does not;"
            f" if you mean it: --trust {host}"
        )
        own(tmp_path, server.url, "OTHER_KEY")  # the host is known, for another key
        assert isinstance((await asked(file)).exception, ConfigError)
        assert server.calls == []
        assert (await asked(file, "--trust", host)).exit_code == 0
        own(tmp_path, server.url)
        assert (await asked(file)).exit_code == 0
        keys = [call.headers["authorization"] for call in server.calls]
        assert keys == [f"Bearer {KEY}"] * 2


async def test_a_server_without_a_key_is_asked_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "kumiawase.yaml").write_text("broken: [", encoding="utf-8")  # nobody asks it
    async with fake_endpoint() as server:
        found = await asked(exported(tmp_path, server.url))
        assert (found.exit_code, len(server.calls)) == (0, 1)
        assert KEY not in server.calls[0].headers["authorization"]


URL = "https://api.example.com/v1"
ROUTES = {
    "the same": (URL, (), True),
    "its port written out": ("https://API.example.com:443/other", (), True),
    "another port": ("https://api.example.com:8443/v1", (), False),
    "in the clear": ("http://api.example.com/v1", (), False),
    "in the clear at the same port": ("http://api.example.com:443/v1", (), False),
    "a longer name": ("https://api.example.com.evil.example/v1", (), False),
    "trusted": ("https://evil.example/v1", ("Evil.example",), True),
    "trusted at a port": ("https://evil.example:8443/v1", ("evil.example:8443",), True),
    "trusted at another": ("https://evil.example:8443/v1", ("evil.example:443",), False),
    "trusted by its end": ("https://evil.example/v1", ("example",), False),
    "IPv6": ("http://[::1]:8000/v1", ("[::1]:8000",), True),
}


@pytest.mark.parametrize(("url", "trusted", "agreed"), ROUTES.values(), ids=ROUTES)
def test_a_route_is_variable_scheme_host_and_port(
    tmp_path: Path, url: str, trusted: tuple[str, ...], agreed: bool
) -> None:
    config = own(tmp_path, URL)
    spec = EndpointSpec("e", url, api_key_env="MY_KEY")
    if agreed:
        consent.check([spec], "f", config, trusted)
        return
    with pytest.raises(ConfigError, match="would send the key in MY_KEY"):
        consent.check([spec], "f", config, trusted)
