"""One request to one server: a checked reply or one classified error.

The only module that imports openai. Its client is used for what it does well (connections,
headers, error statuses) and for nothing else: retries, deadlines, redirects and the reading of
replies are ours, because 3.54 retries on its own terms, limits each read and not the whole,
sends a prompt on to wherever a 307 points, and returns an error body as a completion.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import openai
import orjson

from data.errors import (
    ConnectionFailedError,
    DialectError,
    EndpointError,
    MalformedReplyError,
    RequestError,
    TimedOutError,
)
from endpoints import listing
from endpoints.dialects.learned import Dialects
from endpoints.dialects.wire import corrected, spoken
from endpoints.failure import classify, clean
from endpoints.reply import Reply, read_reply
from endpoints.request import EndpointFacts, Message
from endpoints.specs import EndpointSpec, ModelSpec

CONNECT_SECONDS = 10.0
MODELS_SECONDS = 30.0
BESIDE_SECONDS = 10.0
LARGEST_BODY = 16 * 1024 * 1024  # 5 million Japanese characters
LARGE = 1024 * 1024  # beyond this only few bodies are read at the same time
LARGE_AT_ONCE = 2
NO_KEY = "none"  # openai insists on a key; servers without keys ignore it

_MASK = "***"
_TELLING = 4  # characters of a key that tell something of it


class Endpoint:
    """One OpenAI-compatible server.

    Args:
        spec: Its address, headers and limits.
        environ: Where the key's variable is looked up.
        models: The models whose settings say how they want to be asked.
        facts: Keeps what the server teaches about that.

    Attributes:
        answered: Whether the server has said anything since this object was made.
        dialects: How each of its models is asked.

    Raises:
        EndpointError: The key's variable is unset, or holds what no header can carry.
    """

    def __init__(
        self,
        spec: EndpointSpec,
        environ: Mapping[str, str] = os.environ,
        *,
        models: Iterable[ModelSpec] = (),
        facts: EndpointFacts | None = None,
    ) -> None:
        self.spec = spec
        self.dialects = Dialects(spec, models, facts)
        self.answered = False
        self._key = _key(spec, environ)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._client = openai.AsyncOpenAI(
            api_key=self._key or NO_KEY,
            base_url=spec.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
            default_headers=_headers(spec),  # type: ignore[arg-type] # Omit takes a header out
            http_client=openai.DefaultAioHttpClient(
                follow_redirects=False,
                # Above our own limit, so that no request waits unseen inside the pool.
                limits=httpx2.Limits(
                    max_connections=spec.max_concurrency + 8,
                    max_keepalive_connections=spec.max_concurrency + 8,
                ),
                event_hooks={"response": [self._hear]},
            ),
        )

    async def send(self, body: Mapping[str, Any], timeout: float) -> Reply:  # noqa: ASYNC109 - per attempt
        """Send one chat completion request, once in each form until the server takes one.

        A form is refused before anything is generated, so only the last one costs tokens; what
        it teaches is kept, and later requests go out in that form at once.

        Args:
            body: The whole JSON body, as it is meant.
            timeout: Seconds until the last byte of the reply must have come.

        Raises:
            RequestError: Exactly one, of the kind that fits.
        """
        with self._boundary(timeout):
            async with asyncio.timeout(timeout):
                return await self._said(body)

    async def _said(self, body: Mapping[str, Any]) -> Reply:
        served = str(body.get("model"))
        dialect = self.dialects.of(served)
        refused = {dialect}
        while True:
            try:
                reply = await self._say(spoken(body, dialect))
            except DialectError as error:
                better = corrected(dialect, error.refused, body)
                if better is None or better in refused or not self.dialects.allows(served, better):
                    raise
                dialect = better
                refused.add(better)
            else:
                if len(refused) > 1:  # an older request's form teaches nothing
                    await self.dialects.learn(served, dialect)
                return reply

    async def _say(self, body: Mapping[str, Any]) -> Reply:
        try:
            response = await self._client.post(
                "/chat/completions", cast_to=httpx2.Response, content=_encoded(body)
            )
        except openai.APIStatusError as error:
            raise _classified(error) from None
        return read_reply(response.content)

    async def models(self) -> list[dict[str, Any]]:
        """Return what the server lists at /models, as it says it; nothing if it has no list.

        Each model's name is under `id`, whatever the server calls it.

        Raises:
            RequestError: Exactly one, of the kind that fits.
        """
        with self._boundary(MODELS_SECONDS):
            async with asyncio.timeout(MODELS_SECONDS):
                try:
                    response = await self._client.get("/models", cast_to=httpx2.Response)
                except openai.NotFoundError:
                    return []
            return _models(response.content)

    async def beside(self, path: str, body: Mapping[str, object]) -> object:
        """Return the JSON that the server gives to a POST at `path`, beside its /v1.

        Raises:
            RequestError: Exactly one, of the kind that fits.
        """
        url = self.spec.base_url.removesuffix("/v1") + path
        with self._boundary(BESIDE_SECONDS):
            async with asyncio.timeout(BESIDE_SECONDS):
                response = await self._client.post(
                    url, cast_to=httpx2.Response, content=_encoded(body)
                )
            try:
                return orjson.loads(response.content)
            except orjson.JSONDecodeError:
                raise MalformedReplyError(f"{path} is no JSON") from None

    async def rendered(self, model: ModelSpec, messages: Sequence[Message]) -> str | None:
        """Return the prompt a chat template makes of messages, where the server will show it.

        llama.cpp does at /apply-template; vLLM tokenizes messages and turns tokens into text.
        """
        shown = {"model": model.served_name, "messages": messages}
        if "chat_template_kwargs" in model.extra_body:
            shown["chat_template_kwargs"] = model.extra_body["chat_template_kwargs"]
        answer = await self._asked("/apply-template", shown)
        if "prompt" not in answer:
            answer = await self._asked("/tokenize", {**shown, "add_generation_prompt": True})
            tokens = {"model": model.served_name, "tokens": answer.get("tokens")}
            answer = await self._asked("/detokenize", tokens) if tokens["tokens"] else {}
        prompt = answer.get("prompt")
        return prompt if isinstance(prompt, str) else None

    async def _asked(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a server says beside OpenAI's interface; nothing where it says none."""
        try:
            value = await self.beside(path, body)
        except RequestError:
            return {}
        return value if isinstance(value, dict) else {}

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _hear(self, response: httpx2.Response) -> None:
        self.answered = True
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Bounded(response.stream, self._large)

    @contextmanager
    def _boundary(self, timeout: float) -> Iterator[None]:
        """Turn whatever goes wrong inside into one `RequestError` that does not tell the key."""
        try:
            try:
                yield
            except TimeoutError:
                raise TimedOutError(f"no whole reply within {timeout:g} s") from None
            except openai.APIStatusError as error:
                raise _classified(error) from None
            except (openai.OpenAIError, httpx2.HTTPError, OSError, ValueError) as error:
                raise ConnectionFailedError(clean(_story(error))) from None
        except RequestError as error:
            if self._key:
                error.args = (_masked(str(error), self._key),)
            raise


class _Bounded(httpx2.AsyncByteStream):
    """A body that is not read beyond what any reply can need, nor many large ones at once."""

    def __init__(self, stream: httpx2.AsyncByteStream, large: asyncio.Semaphore) -> None:
        self._stream = stream
        self._large = large
        self._holds = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_BODY:
                raise MalformedReplyError(f"a body of more than {LARGEST_BODY} bytes")
            if size > LARGE and not self._holds:
                await self._large.acquire()
                self._holds = True
            yield chunk

    async def aclose(self) -> None:
        if self._holds:
            self._holds = False
            self._large.release()
        await self._stream.aclose()


def _classified(error: openai.APIStatusError) -> RequestError:
    response = error.response
    return classify(response.status_code, response.headers, response.content)


def _masked(text: str, key: str) -> str:
    """Return what a server said without a key, nor the start of one at which it was cut off."""
    text = text.replace(key, _MASK)
    whole = text.removesuffix("…")
    for length in range(len(key) - 1, _TELLING - 1, -1):
        if whole.endswith(key[:length]):
            return whole[:-length] + _MASK
    return text


def _key(spec: EndpointSpec, environ: Mapping[str, str]) -> str:
    if spec.api_key_env is None:
        return ""
    key = environ.get(spec.api_key_env, "").strip()
    place, name = f"endpoint {spec.name}", spec.api_key_env
    if not key:
        raise EndpointError(
            f"the variable {name} is not set", place=place, remedy=f"export {name}=<the key>"
        )
    if not key.isascii() or not key.isprintable():
        raise EndpointError(
            f"{name} holds characters no key has", place=place, remedy=f"set {name} again"
        )
    return key


def _headers(spec: EndpointSpec) -> dict[str, str | openai.Omit]:
    return {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",  # so that the bound of a body bounds its text
        # From the environment openai would send these two to every server.
        "OpenAI-Organization": openai.Omit(),
        "OpenAI-Project": openai.Omit(),
        **spec.headers,
    }


def _encoded(body: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate in a text of the user's
        return json.dumps(body).encode("ascii")


def _models(body: bytes) -> list[dict[str, Any]]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedReplyError("/models is no JSON") from None
    found = listing.entries(value)
    if found is None:
        raise MalformedReplyError("/models holds no list")
    return found


def _story(error: BaseException) -> str:
    """Return the innermost cause: the outer ones only say that something failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
