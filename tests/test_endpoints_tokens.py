"""Tokens are counted before they are sent: by a file, by the server, or by a learned ratio."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import tokenizers
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from data.errors import ConfigError
from data.observer import Silent
from endpoints.endpoint import Endpoint
from endpoints.facts import MemoryFacts, ModelFacts, survey
from endpoints.ledger import CHARACTERS_PER_TOKEN
from endpoints.specs import EndpointSpec, ModelSpec
from endpoints.tokens import TokenizerLost, Tokens, tokenizer, units
from tests.support.fake_endpoint import FakeEndpoint, Handler, fake_endpoint, sends
from tests.support.llama import CONTEXT, llama_pool
from tests.support.stores import Listener

TEXT = "日本の首都は東京です。Tokyo is the capital."


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sentencepiece")
    corpus = folder / "corpus.txt"
    lines = [f"これは{n}番めの文です。短い文と長い文があります。" for n in range(200)]
    corpus.write_text("\n".join(lines), encoding="utf-8")
    SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "small"),
        vocab_size=400,
        hard_vocab_limit=False,
        byte_fallback=True,
        minloglevel=2,
    )
    return str(folder / "small.model")


@asynccontextmanager
async def server(*script: Handler) -> AsyncIterator[tuple[FakeEndpoint, Endpoint]]:
    async with fake_endpoint(*script) as fake:
        endpoint = Endpoint(EndpointSpec("local", fake.url))
        try:
            yield fake, endpoint
        finally:
            await endpoint.close()


def model(name: str = "m", **changes: str) -> ModelSpec:
    return ModelSpec(name, "local", f"owner/{name}", name, **changes)  # type: ignore[arg-type]


def counter(way: str, endpoint: Endpoint, listener: Listener) -> Tokens:
    facts = MemoryFacts({"m": ModelFacts(4096, way)})
    return Tokens({"m": model()}, {"local": endpoint}, facts, listener)


def counting(field: str) -> Handler:
    """Answer as vLLM (`prompt`) or as llama.cpp (`content`) does; one token a character."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/models":
            entry = {"id": "owner/m", "max_model_len": 4096}
            return web.json_response({"data": [entry]})
        body = await request.json()
        if request.path != "/tokenize":
            return web.json_response({"error": {"message": "no"}}, status=404)
        if field == "prompt" and field not in body:
            return web.json_response({"message": "field required"}, status=400)
        tokens = list(range(len(body.get(field, ""))))
        told = {"count": len(tokens), "max_model_len": 4096} if field == "prompt" else {}
        return web.json_response({**told, "tokens": tokens})

    return handler


@given(st.text(st.characters(exclude_categories=())))
def test_units_lie_between_a_third_of_the_characters_and_all(text: str) -> None:
    assert len(text) / 3 - 1e-9 <= units(text) <= len(text)


def test_a_japanese_character_weighs_three_latin_ones() -> None:
    assert units("東京です。") == 5
    assert units("abcdef") == pytest.approx(2)


@pytest.mark.parametrize(("field", "way"), [("prompt", "vllm"), ("content", "llama.cpp")])
async def test_a_survey_finds_context_and_tokenizer_and_asks_no_model(
    field: str, way: str
) -> None:
    async with server() as (fake, endpoint):
        fake.default = counting(field)
        found = await survey({"m": model()}, {"local": endpoint})
        assert found == {"m": ModelFacts(4096, way)}
        assert {call.path for call in fake.calls} == {"/v1/models", "/tokenize"}


async def test_a_server_without_tokenizer_or_list_is_estimated() -> None:
    async with server() as (fake, endpoint):
        fake.default = sends({"error": {"message": "no"}}, 404)
        found = await survey({"m": model()}, {"local": endpoint})
    assert found == {"m": ModelFacts()}
    assert ModelFacts().ratio == CHARACTERS_PER_TOKEN


async def test_a_server_that_is_away_says_nothing() -> None:
    endpoint = Endpoint(EndpointSpec("local", "http://127.0.0.1:1/v1"))
    assert await survey({"m": model()}, {"local": endpoint}) == {}
    await endpoint.close()


async def test_a_text_is_counted_by_its_server_once() -> None:
    async with server() as (fake, endpoint):
        fake.default = counting("prompt")
        tokens = counter("vllm", endpoint, Listener())
        assert await tokens.count("m", [TEXT, "あ", TEXT, ""]) == [len(TEXT), 1, len(TEXT), 0]
        assert await tokens.count("m", ["あ", "い"]) == [1, 1]
        bodies = [call.body["prompt"] for call in fake.calls]
        assert sorted(bodies) == sorted([TEXT, "あ", "い"])
        assert {call.body["model"] for call in fake.calls} == {"owner/m"}


@pytest.mark.parametrize(
    "answer",
    [sends({"detail": "gone"}, 404), sends(b"<html>"), sends({"tokens": []}), sends([1, 2])],
    ids=["404", "html", "nothing", "list"],
)
async def test_a_tokenizer_that_fails_is_given_up_and_told_once(answer: Handler) -> None:
    listener = Listener()
    async with server() as (fake, endpoint):
        fake.default = answer
        tokens = counter("vllm", endpoint, listener)
        both = await asyncio.gather(*(tokens.count("m", [TEXT * n]) for n in (1, 2)))
        assert both == [[tokens.estimate("m", TEXT * n)] for n in (1, 2)]
        assert not tokens.exact("m")
        await tokens.count("m", ["別の文"])
        assert len(fake.calls) == 2
    (event,) = listener.events
    assert isinstance(event, TokenizerLost)
    assert event.model == "m"


async def test_a_sentencepiece_file_counts(pieces: str) -> None:
    named = {"m": model(tokenizer=pieces)}
    tokens = Tokens(named, {}, MemoryFacts({"m": ModelFacts(4096, "file")}), Silent())
    real = SentencePieceProcessor(model_file=pieces)
    texts = [TEXT, TEXT * 1500, "片割れ\ud83c"]
    assert await tokens.count("m", texts) == [
        len(real.encode(TEXT)),
        len(real.encode(TEXT * 1500)),
        len(real.encode("片割れ?")),
    ]
    assert tokens.exact("m")


async def test_a_file_that_a_study_did_not_begin_with_does_not_count(pieces: str) -> None:
    named = {"m": model(tokenizer=pieces)}
    tokens = Tokens(named, {}, MemoryFacts({"m": ModelFacts(4096, "ratio", 2.0)}), Silent())
    assert await tokens.count("m", ["東京です。"]) == [3]


async def test_a_study_whose_file_is_gone_is_estimated() -> None:
    tokens = Tokens(
        {"m": model()}, {}, MemoryFacts({"m": ModelFacts(4096, "file", 2.0)}), Silent()
    )
    assert await tokens.count("m", ["東京です。"]) == [3]


@pytest.mark.parametrize("name", ["absent.model", "wrong.model", "tokenizer.json"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name != "absent.model":
        path.write_text(json.dumps({"not": "a tokenizer"}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        tokenizer(str(path))
    line = str(caught.value)
    assert line.startswith(str(path))
    assert "\n" not in line


def test_a_tokenizers_file_counts(tmp_path: Path) -> None:
    words = {"[UNK]": 0, "東京": 1, "は": 2, "首都": 3}
    file = tmp_path / "tokenizer.json"
    built = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    built.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    built.save(str(file))
    assert tokenizer(str(file))("東京 は 首都 です") == 4
    assert tokenizer(str(file))("は \ud800") == 2  # a lone surrogate stops nothing


def test_a_missing_library_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # as where it is not installed
    path = tmp_path / "tokenizer.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"needs the library `tokenizers`; install kumiawase"):
        tokenizer(str(path))


def test_a_ratio_is_learned_from_what_servers_count() -> None:
    tokens = Tokens({"m": model()}, {}, MemoryFacts({}), Silent())
    assert tokens.learned() == {}
    tokens.learn("m", ["短い"], 50)
    assert tokens.learned() == {}  # the template is most of it
    tokens.learn("m", ["あ" * 1000], 540)
    tokens.learn("m", ["い" * 3000], 1540)
    assert tokens.learned() == {"m": 2.0}
    tokens.learn("n", ["う" * 100_000], 300)
    assert tokens.learned()["n"] == 4.0


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_pool(tmp_path_factory.mktemp("llama"), "tiny") as urls:
        yield urls["tiny"]


async def test_llama_cpp_tells_its_context_and_counts(llama: str) -> None:
    endpoint = Endpoint(EndpointSpec("local", llama))
    spec = ModelSpec("m", "local", "tiny", "tiny")
    try:
        found = await survey({"m": spec}, {"local": endpoint})
        assert found == {"m": ModelFacts(CONTEXT, "llama.cpp")}
        tokens = Tokens({"m": spec}, {"local": endpoint}, MemoryFacts(found), Silent())
        assert await tokens.count("m", ["東京です。", "abc"]) == [15, 3]  # its tokens are bytes
    finally:
        await endpoint.close()
