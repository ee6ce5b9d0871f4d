"""One attempt over real HTTP ends in one checked reply or one classified error, in time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from data.errors import (
    ConnectionFailedError,
    EndpointError,
    MalformedReplyError,
    RejectedError,
    RequestError,
    ServerFailedError,
    TimedOutError,
    UnauthorizedError,
)
from endpoints.endpoint import LARGEST_BODY, Endpoint
from endpoints.specs import EndpointSpec
from tests.support.fake_endpoint import (
    FakeEndpoint,
    Handler,
    breaks,
    drips,
    fake_endpoint,
    says,
    sends,
)

BODY = {"model": "m", "messages": [{"role": "user", "content": "こんにちは"}]}
KEY = "sk-very-secret"


@asynccontextmanager
async def meeting(*script: Handler, key: str = "") -> AsyncIterator[tuple[FakeEndpoint, Endpoint]]:
    async with fake_endpoint(*script) as fake:
        spec = EndpointSpec(
            "local", fake.url, "LOCAL_KEY" if key else None, headers={"X-Team": "jp"}
        )
        endpoint = Endpoint(spec, {"LOCAL_KEY": key})
        try:
            yield fake, endpoint
        finally:
            await endpoint.close()


async def test_a_request_arrives_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    async with meeting(key=f" {KEY}\n") as (fake, endpoint):
        before = endpoint.answered
        reply = await endpoint.send({**BODY, "note": "\ud800"}, 60)
        assert (before, endpoint.answered) == (False, True)
    (call,) = fake.calls
    assert (reply.text, call.path) == ("はい。", "/v1/chat/completions")
    assert call.body == {"top_p": 1.0, **BODY, "note": "\ud800"}
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["x-team"] == "jp"
    assert call.headers["content-type"] == "application/json"
    assert "openai-organization" not in call.headers


async def test_without_a_key_no_key_of_the_environment_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    async with meeting() as (fake, endpoint):
        await endpoint.send(BODY, 60)
    assert fake.calls[0].headers["authorization"] == "Bearer none"


@pytest.mark.parametrize("value", [None, "", " ", "鍵", "a\x00b"])
def test_a_key_that_is_unset_or_unusable_is_one_line(value: str | None) -> None:
    spec = EndpointSpec("openai", "https://api.openai.com/v1", "TEAM_KEY")
    environ = {} if value is None else {"TEAM_KEY": value}
    with pytest.raises(
        EndpointError, match=r"endpoint openai: .*TEAM_KEY.*; .*TEAM_KEY"
    ) as caught:
        Endpoint(spec, environ)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (sends({"error": {"message": "no such model"}}, 404), RejectedError),
        (sends({"error": {"message": "busy"}}, 503), ServerFailedError),
        (sends(b"<html>login</html>", 200, {"Content-Type": "text/html"}), MalformedReplyError),
        (sends(b"ok", 200, {"Content-Type": "text/plain"}), MalformedReplyError),
        (sends(b"", 204), MalformedReplyError),
        (breaks(), ConnectionFailedError),
        (drips(b"{", 0, cut_after=3), ConnectionFailedError),
        (drips(b" ", 0.02), TimedOutError),
    ],
    ids=["4xx", "5xx", "page", "text", "nothing", "break", "half", "drip"],
)
async def test_each_fault_of_a_server_is_one_error(
    handler: Handler, kind: type[RequestError]
) -> None:
    async with meeting(handler) as (fake, endpoint):
        with pytest.raises(RequestError) as caught:
            await endpoint.send(BODY, 1.0 if kind is TimedOutError else 60)
        assert type(caught.value) is kind
        assert (await endpoint.send(BODY, 60)).text == "はい。"
    assert len(fake.calls) == 2


async def test_a_flood_is_not_read_to_its_end() -> None:
    async with meeting(drips(b" " * 500_000, 0)) as (_, endpoint):
        with pytest.raises(MalformedReplyError, match="a body of more than"):
            await endpoint.send(BODY, 60)


async def test_a_body_within_the_bound_is_read_whole_however_many_come() -> None:
    text = "あ" * (LARGEST_BODY // 8)
    async with meeting(*4 * [says(text)]) as (_, endpoint):
        replies = await asyncio.gather(*(endpoint.send(BODY, 60) for _ in range(4)))
    assert all(r.text.endswith(f"あ…[cut here: {len(text):,} characters]") for r in replies)


async def test_nobody_there_is_a_failed_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses whoever comes
        endpoint = Endpoint(EndpointSpec("gone", f"http://127.0.0.1:{taken.getsockname()[1]}/v1"))
        with pytest.raises(ConnectionFailedError, match=r"refused|Connect"):
            await endpoint.send(BODY, 60)
    assert not endpoint.answered
    await endpoint.close()


async def test_no_redirect_is_followed() -> None:
    async with fake_endpoint() as other:
        away = sends(b"", 307, {"Location": f"{other.url}/chat/completions"})
        async with meeting(away) as (_, endpoint):
            with pytest.raises(RejectedError, match="307"):
                await endpoint.send(BODY, 60)
    assert other.calls == []


async def test_a_server_that_repeats_the_key_does_not_spread_it() -> None:
    said = {"error": {"message": f"Bad key {KEY}"}}
    echo = f"<pre>Authorization: Bearer {KEY}</pre>".encode()
    async with meeting(sends(said, 401), sends(echo), key=KEY) as (_, endpoint):
        with pytest.raises(UnauthorizedError, match=r"Bad key \*\*\*") as refused:
            await endpoint.send(BODY, 60)
        with pytest.raises(MalformedReplyError, match=r"Bearer \*\*\*") as echoed:
            await endpoint.send(BODY, 60)
    assert KEY not in f"{refused.value!r}{echoed.value!r}"


@pytest.mark.parametrize("status", [401, 200])
async def test_a_message_that_is_cut_within_the_key_does_not_tell_its_beginning(
    status: int,
) -> None:
    """Wherever a message is cut: one of these keys lies there."""
    bodies = [b"<" * length + KEY.encode() + b">" * 300 for length in range(180, 300)]
    async with meeting(*(sends(body, status) for body in bodies), key=KEY) as (_, endpoint):
        for _ in bodies:
            with pytest.raises(RequestError) as refused:
                await endpoint.send(BODY, 60)
            assert KEY[:4] not in str(refused.value)


async def test_cancelling_an_attempt_is_a_cancellation() -> None:
    async with meeting(drips(b" ", 0.02)) as (fake, endpoint):
        task = asyncio.create_task(endpoint.send(BODY, 30))
        await fake.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("body", "status", "ids"),
    [
        ({"object": "list", "data": [{"id": "a"}, {"id": "b"}]}, 200, ["a", "b"]),
        ([{"id": "a"}], 200, ["a"]),
        ({"models": [{"id": "a"}, "b"]}, 200, ["a"]),
        ({"data": None}, 200, []),
        (b"nothing here", 404, []),
    ],
)
async def test_models_are_listed_in_every_shape(body: object, status: int, ids: list[str]) -> None:
    async with meeting(sends(body, status)) as (fake, endpoint):
        assert [model["id"] for model in await endpoint.models()] == ids
    assert fake.calls[0].path == "/v1/models"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>", 200, MalformedReplyError),
        (b'"text"', 200, MalformedReplyError),
        (b"", 401, UnauthorizedError),
        (b"", 500, ServerFailedError),
    ],
)
async def test_a_list_of_models_that_is_none_is_an_error(
    body: bytes, status: int, kind: type[RequestError]
) -> None:
    async with meeting(sends(body, status)) as (_, endpoint):
        with pytest.raises(RequestError) as caught:
            await endpoint.models()
    assert type(caught.value) is kind
