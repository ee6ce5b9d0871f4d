"""The server over real HTTP: it remembers nothing, refuses as vLLM does and logs what it sent."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.server import HOST, serve

STANDALONE = """
import sys
from pathlib import Path
from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.server import run
run(Pool(0), 0, lambda url: print(url, flush=True), time_scale=0.0, log_path=Path(sys.argv[1]))
"""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serve(Pool(0), time_scale=0.0) as port:
        yield f"http://{HOST}:{port}/v1"


def body(number: int, **fields: Any) -> bytes:
    names = Pool(0).members
    message = {"role": "user", "content": f"質問{number // 3}"}
    value = {
        "model": names[number % len(names)],
        "messages": [message],
        "temperature": 0.7,
        "seed": number % 3,
        "max_tokens": 512,
    }
    return orjson.dumps(value | fields)


async def post(session: aiohttp.ClientSession, url: str, raw: bytes) -> tuple[int, bytes]:
    async with session.post(f"{url}/chat/completions", data=raw) as response:
        return response.status, await response.read()


async def test_order_headers_and_process_change_no_byte(
    session: aiohttp.ClientSession, url: str, tmp_path: Path
) -> None:
    bodies = [body(number) for number in range(60)]
    plain = {raw: await post(session, url, raw) for raw in bodies}
    assert {status for status, _ in plain.values()} == {200}
    mixed = random.Random(0).sample(bodies, len(bodies))
    found = await asyncio.gather(*(post(session, url, raw) for raw in mixed))
    assert dict(zip(mixed, found, strict=True)) == plain
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STANDALONE, str(tmp_path / "log")), stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    elsewhere = (await child.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as other:
        assert [await post(other, elsewhere, raw) for raw in mixed] == found
    child.send_signal(signal.SIGTERM)
    assert await child.wait() == 0
    assert len((tmp_path / "log").read_bytes().splitlines()) == len(bodies)


async def test_another_spelling_of_a_body_is_the_same_request(
    session: aiohttp.ClientSession, url: str
) -> None:
    value = json.loads(body(1))
    spelt = json.dumps(dict(reversed(value.items())), indent=2).encode()
    assert await post(session, url, spelt) == await post(session, url, body(1))
    # What a server may be sent besides changes nothing either.
    assert await post(session, url, body(1, user="me")) == await post(session, url, body(1))


async def test_at_temperature_zero_the_seed_changes_no_byte(
    session: aiohttp.ClientSession, url: str
) -> None:
    found = [await post(session, url, body(0, temperature=0, seed=seed)) for seed in (1, 2, None)]
    assert found[0] == found[1] == found[2]


async def test_replies_have_openais_form(session: aiohttp.ClientSession, url: str) -> None:
    status, raw = await post(session, url, body(0))
    reply = json.loads(raw)
    assert status == 200
    assert reply["object"] == "chat.completion"
    assert reply["model"] == Pool(0).members[0]
    assert reply["choices"][0]["finish_reason"] == "stop"
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    async with session.get(f"{url}/models") as response:
        listed = {m["id"]: m["max_model_len"] for m in (await response.json())["data"]}
    assert listed == {model.name: model.context for model in Pool(0).models.values()}


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [
        (b"{", 400, "no JSON"),
        (b"[]", 400, "valid dictionary"),
        (body(0, messages=[]), 400, "messages"),
        (body(0, stream=True), 400, "stream"),
        (body(0, model="gpt-9"), 404, "The model `gpt-9` does not exist."),
        (body(0, max_tokens=10**6), 400, "maximum context length is"),
    ],
)
async def test_refusals_have_openais_form(
    session: aiohttp.ClientSession, url: str, raw: bytes, status: int, words: str
) -> None:
    got, text = await post(session, url, raw)
    error = json.loads(text)["error"]
    assert got == status == error["code"]
    assert words in error["message"]


async def test_the_log_says_what_was_sent_and_when(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    before = time.time()
    async with serve(Pool(0), time_scale=0.01, log_path=path) as port:
        await post(session, f"http://{HOST}:{port}/v1", body(0))
        line = json.loads(path.read_text("utf-8"))  # written before the server ends
    assert line["model"] == Pool(0).members[0]
    assert line["sha256"] == hashlib.sha256(body(0)).hexdigest()
    assert before <= line["arrived"]["epoch"] <= line["sent"]["epoch"] <= time.time()
    assert line["sent"]["monotonic"] - line["arrived"]["monotonic"] > 0.002


async def test_a_reply_nobody_waited_for_is_not_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    raw = body(9)  # of a slow model: two seconds in which to go away
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(raw)}\r\n\r\n"
    async with serve(Pool(0), time_scale=0.2, log_path=path) as port:
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(head.encode() + raw)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        async with aiohttp.ClientSession() as session:
            for _ in range(3):  # until it would have been sent
                await post(session, f"http://{HOST}:{port}/v1", body(1))
    sent = [json.loads(line)["sha256"] for line in path.read_text("utf-8").splitlines()]
    assert sent == [hashlib.sha256(body(1)).hexdigest()] * 3
