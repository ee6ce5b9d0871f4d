"""A request reaches every kind of server in the form it takes, and keeps its key in each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from data.errors import (
    ContextOverflowError,
    DialectError,
    FilteredError,
    MalformedReplyError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerFailedError,
)
from endpoints.completions import Completions
from endpoints.dialects.learned import Dialects
from endpoints.dialects.wire import Dialect, folded
from endpoints.endpoint import Endpoint
from endpoints.listing import by_name, context_of
from endpoints.reply import Reply
from endpoints.request import Message, Request
from endpoints.specs import EndpointSpec, ModelSpec
from tests.support.dialects import (
    Server,
    alternating,
    chatml,
    error,
    forbidden,
    unsupported,
    without_system,
)
from tests.support.fake_endpoint import FakeEndpoint, Handler, completion, fake_endpoint, sends
from tests.support.stores import Listener, MemoryMeter, MemoryStore


class Facts:
    """`EndpointFacts` in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def facts(self, endpoint: str) -> dict[str, Any]:
        return dict(self.kept.get(endpoint, {}))

    async def learn(self, endpoint: str, found: Mapping[str, Any]) -> None:
        self.kept.setdefault(endpoint, {}).update(json.loads(json.dumps(found)))


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def said(text: str) -> Message:
    return {"role": "assistant", "content": text}


BODY: dict[str, Any] = {
    "model": "m",
    "messages": [system("参照"), user("質問")],
    "temperature": 0.0,
    "max_tokens": 64,
    "seed": 1,
}


def model(**changes: Any) -> ModelSpec:
    return ModelSpec(
        **{"name": "m", "endpoint": "e", "served_name": "m", "family": "m", **changes}
    )


@asynccontextmanager
async def at(
    server: Server | Handler, *, facts: Facts | None = None, spec: Any = None, **changes: Any
) -> AsyncIterator[tuple[FakeEndpoint, Endpoint]]:
    handler = server.handle if isinstance(server, Server) else server
    async with fake_endpoint() as fake:
        fake.default = handler
        endpoint = Endpoint(
            EndpointSpec("e", fake.url, identity="server", **(spec or {})),
            models=[model(**changes)],
            facts=facts,
        )
        try:
            yield fake, endpoint
        finally:
            await endpoint.close()


async def ask(server: Server | Handler, body: Mapping[str, Any] = BODY, **changes: Any) -> Reply:
    async with at(server, **changes) as (_, endpoint):
        return await endpoint.send(body, 60)


# Output limit, defaults


async def test_an_ordinary_server_gets_the_request_as_it_is_meant_with_top_p() -> None:
    server = Server()
    await ask(server)
    assert server.calls == [{"top_p": 1.0, **BODY}]


@pytest.mark.parametrize("top_p", [None, 0.9])
async def test_a_users_say_on_top_p_is_the_last(top_p: float | None) -> None:
    server = Server()
    body = BODY if top_p is None else {**BODY, "top_p": top_p}
    await ask(server, body, extra_body={"top_p": top_p})
    assert server.calls == [body]


@pytest.mark.parametrize("refusal", [unsupported, forbidden])
@pytest.mark.parametrize("name", ["max_tokens", "top_p", "seed"])
async def test_a_refused_parameter_is_learned_once_and_for_all(name: str, refusal: Any) -> None:
    facts = Facts()
    server = Server(refuses=(name,), refusal=refusal)
    async with at(server, facts=facts) as (_, endpoint):
        await endpoint.send(BODY, 60)
        await endpoint.send(BODY, 60)
    async with at(server, facts=facts) as (_, endpoint):
        await endpoint.send(BODY, 60)
    assert [name in call for call in server.calls] == [True, False, False, False]
    renamed = [call.get("max_completion_tokens") for call in server.calls[1:]]
    assert renamed == [64 if name == "max_tokens" else None] * 3


async def test_several_refusals_of_one_request_are_all_learned() -> None:
    server = Server(template=without_system, refuses=("max_tokens", "seed", "top_p"))
    await ask(server)
    assert server.calls[-1] == {
        "model": "m",
        "messages": [user("参照\n\n質問")],
        "temperature": 0.0,
        "max_completion_tokens": 64,
    }


async def test_a_server_that_wants_neither_name_teaches_nothing() -> None:
    facts = Facts()
    server = Server(refuses=("max_tokens", "max_completion_tokens"))
    with pytest.raises(DialectError, match="max_completion_tokens"):
        await ask(server, facts=facts)
    assert len(server.calls) == 2
    assert facts.kept == {}


async def test_a_name_the_settings_fix_is_not_tried_otherwise() -> None:
    server = Server(refuses=("max_completion_tokens",), refusal=forbidden)
    with pytest.raises(DialectError):
        await ask(server, spec={"token_limit_param": "max_completion_tokens"})
    assert len(server.calls) == 1


async def test_a_value_of_the_users_is_not_left_out() -> None:
    server = Server(refuses=("top_p",))
    with pytest.raises(RejectedError):
        await ask(server, {**BODY, "top_p": 0.9}, extra_body={"top_p": 0.9})
    assert len(server.calls) == 1


# System role


@pytest.mark.parametrize("template", [without_system, alternating])
async def test_a_refused_system_turn_is_folded_from_then_on(template: Any) -> None:
    server, facts = Server(template=template), Facts()
    async with at(server, facts=facts) as (_, endpoint):
        await endpoint.send(BODY, 60)
        await endpoint.send(BODY, 60)
    assert [len(call["messages"]) for call in server.calls] == [2, 1, 1]
    assert server.calls[-1]["messages"] == [user("参照\n\n質問")]
    assert facts.kept["server"] == {"dialect m": {"fold": True}}


async def test_without_anything_to_fold_a_refusal_is_final() -> None:
    server = Server(template=lambda _: alternating([said("x")]))
    with pytest.raises(DialectError):
        await ask(server, {**BODY, "messages": [user("質問")]})
    assert len(server.calls) == 1


@pytest.mark.parametrize(("role", "sent"), [("fold", [1]), ("send", [2])])
async def test_what_the_settings_say_of_system_turns_is_done(role: str, sent: list[int]) -> None:
    server = Server()
    await ask(server, system_role=role)
    assert [len(call["messages"]) for call in server.calls] == sent


async def test_settings_that_insist_on_a_system_turn_get_the_refusal() -> None:
    server = Server(template=without_system)
    with pytest.raises(DialectError, match="System role"):
        await ask(server, system_role="send")
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user("a")], [user("a")]),
        ([system("s"), user("a")], [user("s\n\na")]),
        ([system("s"), system("t"), user("a"), user("b")], [user("s\n\nt\n\na\n\nb")]),
        ([system("s"), said("x"), user("a")], [user("s"), said("x"), user("a")]),
        (
            [user("a"), said("x"), said("y"), system("s"), user("b")],
            [user("s\n\na"), said("x\n\ny"), user("b")],
        ),
        ([system("s")], [user("s")]),
        ([], []),
    ],
)
def test_folded_messages_alternate_and_hold_every_text(
    messages: list[Message], expected: list[Message]
) -> None:
    before = [dict(m) for m in messages]
    assert list(folded(messages)) == expected
    assert messages == before


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(),
        Dialect("max_completion_tokens", fold=True, omitted=("seed", "top_p")),
    ],
)
def test_a_dialect_is_kept_as_json(dialect: Dialect) -> None:
    assert Dialect.from_json(json.loads(json.dumps(dialect.to_json()))) == dialect


@pytest.mark.parametrize("value", [None, [], "x", {"fold": "yes", "omitted": 3}])
def test_a_dialect_nobody_wrote_is_the_ordinary_one(value: object) -> None:
    assert Dialect.from_json(value) == Dialect()


async def test_a_key_is_the_same_in_every_dialect_and_nothing_is_paid_twice() -> None:
    request = Request("m", "proposer", (system("参照"), user("質問")), 0.7, 64)
    store, keys = MemoryStore(), []
    strict = Server(template=without_system, refuses=("max_tokens", "seed", "top_p"))
    for server in (strict, Server()):
        async with fake_endpoint() as fake:
            fake.default = server.handle
            endpoint = Endpoint(EndpointSpec("e", fake.url, identity="server"), models=[model()])
            completions = Completions(
                {"m": model()}, {"e": endpoint}, store, MemoryMeter(), "s", Listener()
            )
            keys.append((await completions.complete(request)).key)
            await completions.close()
    assert keys[0] == keys[1]
    assert len(strict.calls) == 5
    assert len(store.attempts) == 1


# Errors in every shape, with the limit they state

VLLM_OLD = "This model's maximum context length is 4096 tokens. However, you requested 4726"
VLLM_NEW = "You passed 5000 input tokens. However, the model's context length is only 4096 tokens"
VLLM_MAX = (
    "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context"
    " length is 4096 tokens and your request has 10 input tokens"
)
SGLANG = "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
LLAMA_CPP = "request (5000 tokens) exceeds the available context size (4096 tokens)"
LLAMA_PY = "Requested tokens (5000) exceed context window of 4096"
LM_STUDIO = "initial prompt is greater than the context length (4,096)"
MISTRAL = "Prompt contains 5000 tokens, too large for model with 4096 maximum context length"
TGI = "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"
GEMINI = "The input token count (5000) exceeds the maximum number of tokens allowed (4096)."
CLAUDE = "prompt is too long: 5000 tokens > 4096 maximum"


@pytest.mark.parametrize(
    ("status", "body", "limit"),
    [
        (400, error(VLLM_OLD, type="BadRequestError", code=400), 4096),
        (400, error(VLLM_NEW, param="input_tokens"), 4096),
        (400, error(VLLM_MAX, type="BadRequestError"), 4096),
        (400, {"object": "error", "message": SGLANG, "code": 400}, 4096),
        (400, error("long", type="exceed_context_size_error", n_ctx=4096), 4096),
        (500, error(LLAMA_CPP), 4096),
        (400, error(LLAMA_PY, code="context_length_exceeded"), 4096),
        (200, {"error": LM_STUDIO}, 4096),
        (200, LM_STUDIO.encode(), 4096),
        (400, error(MISTRAL), 4096),
        (422, {"error": TGI, "error_type": "validation"}, 4096),
        (400, error(GEMINI), 4096),
        (400, error(CLAUDE), 4096),
        (400, error("no room", code="context_length_exceeded"), None),
        (400, {"error": "prompt too long; exceeded max context length"}, None),
    ],
)
async def test_an_overflow_tells_the_true_limit(
    status: int, body: object, limit: int | None
) -> None:
    with pytest.raises(ContextOverflowError) as caught:
        await ask(sends(body, status))
    assert caught.value.limit == limit


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (sends(error("no such model", code="model_not_found"), 404), RejectedError),
        (sends({"object": "error", "message": "bad", "code": 400}, 400), RejectedError),
        (sends({"error": "model 'x' not found"}, 404), RejectedError),
        (sends(b"<html>502 Bad Gateway</html>", 502), ServerFailedError),
        (sends(b"<html>max_tokens is not supported here</html>"), MalformedReplyError),
        (sends(b""), MalformedReplyError),
        (sends({"error": {"message": "odd"}}), MalformedReplyError),
        (sends({**completion(), "choices": []}), MalformedReplyError),
        (sends(error("filtered", code="content_filter"), 400), FilteredError),
        (sends(completion(None, finish_reason="content_filter")), FilteredError),
        (
            sends({"choices": [{"index": 0, "finish_reason": "content_filter"}]}),
            FilteredError,
        ),
        (sends(completion("途中", finish_reason="SAFETY")), FilteredError),
        (sends(completion("途中", finish_reason="abort")), ServerFailedError),
    ],
    ids=[
        "404",
        "flat",
        "text",
        "502",
        "page",
        "nothing",
        "error",
        "choices",
        "azure-400",
        "azure-200",
        "azure-200-bare",
        "gemini",
        "sglang",
    ],
)
async def test_each_refusal_and_each_false_200_is_one_error(
    handler: Handler, kind: type[RequestError]
) -> None:
    with pytest.raises(RequestError) as caught:
        await ask(handler)
    assert type(caught.value) is kind


@pytest.mark.parametrize("header", ["retry-after-ms", "x-ms-retry-after-ms"])
async def test_azures_429_says_when_to_come_back(header: str) -> None:
    busy = sends(error("Slow down", code="429"), 429, {header: "1500", "Retry-After": "60"})
    with pytest.raises(RateLimitedError) as caught:
        await ask(busy)
    assert caught.value.retry_after == 1.5


# Replies


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({**completion("はい。"), "error": None}, ("はい。", "stop", False)),
        (completion("はい。", reasoning_content="考える。"), ("はい。", "stop", True)),
        (completion("はい。", reasoning="考える。"), ("はい。", "stop", True)),
        (completion("<think>考える。</think>\nはい。"), ("はい。", "stop", True)),
        (completion("[THINK]考える。[/THINK]はい。"), ("はい。", "stop", True)),
        (
            completion("<|START_THINKING|>考<|END_THINKING|>はい。", finish_reason="eos"),
            ("はい。", "eos", True),
        ),
        (completion("はい。", finish_reason="MAX_TOKENS"), ("はい。", "length", False)),
        (completion("はい。", finish_reason="model_length"), ("はい。", "length", False)),
        (completion("はい。", finish_reason="end_turn"), ("はい。", "end_turn", False)),
        (completion("はい。", finish_reason=None), ("はい。", "unknown", False)),
    ],
)
async def test_a_reply_is_read_in_every_form(
    reply: object, expected: tuple[str, str, bool]
) -> None:
    found = await ask(sends(reply))
    assert (found.text, found.finish_reason, found.reasoned) == expected


async def test_a_server_that_does_not_count_is_believed_nothing() -> None:
    assert (await ask(Server(counts=False))).usage is None


async def test_a_native_call_is_the_json_that_others_write_as_text() -> None:
    function = {"name": "天気", "arguments": '{"都市": "札幌"}'}
    for message in (
        {"tool_calls": [{"id": "1", "type": "function", "function": function}]},
        {"function_call": function},
    ):
        reply = await ask(sends(completion("調べます。", finish_reason="tool_calls", **message)))
        assert json.loads(reply.text) == {"name": "天気", "arguments": {"都市": "札幌"}}


async def test_tools_go_out_as_such_and_are_part_of_the_key() -> None:
    tool = {"type": "function", "function": {"name": "天気", "parameters": {}}}
    plain = Request("m", "proposer", (user("質問"),), 0.0, 64)
    native = Request("m", "proposer", (user("質問"),), 0.0, 64, tools=(tool,))
    server = Server(template=chatml)
    async with at(server) as (_, endpoint):
        completions = Completions(
            {"m": model()}, {"e": endpoint}, MemoryStore(), MemoryMeter(), "s", Listener()
        )
        await completions.complete(native)
        assert completions.key(native) != completions.key(plain)
    assert server.calls[0]["tools"] == [tool]


# Lists of models


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"id": "m", "max_model_len": 4096}, 4096),
        ({"id": "m", "meta": {"n_ctx": 2048, "n_ctx_train": 8192}}, 2048),
        ({"id": "m", "context_length": 8192}, 8192),
        ({"id": "m", "max_model_len": None}, None),
        ({"id": "m", "meta": "none"}, None),
        ({"id": "m"}, None),
    ],
)
async def test_a_list_of_models_tells_the_context(entry: Any, context: int | None) -> None:
    for listed in ({"data": [entry]}, [entry], {"models": [entry]}):
        async with at(Server(listed=listed)) as (_, endpoint):
            found = by_name(await endpoint.models())
        assert context_of(found["m"]) == context


def test_a_model_is_found_by_each_of_its_names() -> None:
    assert set(by_name([{"name": "a"}, {"id": "b", "aliases": ["c", 3]}, {}])) == {"a", "b", "c"}


async def test_an_older_requests_form_takes_nothing_back() -> None:
    """A first-layer request that was on its way has no system turn, and so teaches nothing."""
    learned = Dialects(EndpointSpec("h", "http://127.0.0.1:9/v1"), (), None)
    await learned.learn("m", replace(Dialect(), fold=True))
    await learned.learn("m", replace(Dialect(), omitted=("seed",)))
    assert learned.of("m").fold
    assert learned.of("m").omitted == ("seed",)
