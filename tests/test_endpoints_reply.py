"""A 200 is a completion only if there is one in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data.errors import (
    ContextOverflowError,
    EmptyReplyError,
    FilteredError,
    MalformedReplyError,
    RateLimitedError,
    RequestError,
    ServerFailedError,
)
from endpoints.reply import LONGEST_TEXT, read_reply
from endpoints.request import Completion
from tests.support.fake_endpoint import completion


def read(value: object) -> str:
    return read_reply(json.dumps(value).encode()).text


def completion_of(text: str) -> Completion:
    return Completion("k", text, "stop", 1, 1, False, 1.0, 0.0, "m")


def call(name: str, arguments: object) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def test_an_ordinary_completion_is_read() -> None:
    reply = read_reply(json.dumps({**completion("はい。"), "error": None}).encode())
    assert (reply.text, reply.finish_reason, reply.usage) == ("はい。", "stop", (11, 7))
    assert reply.served == "served"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", MalformedReplyError),
        (b"<!DOCTYPE html><title>Sign in</title>", MalformedReplyError),
        (b'{"choices": [{"message": {"content": "\xe3\x81', MalformedReplyError),
        (b'{"choices": [{"message": {"content": "\xff\xff"}}]}', MalformedReplyError),
        (b"[]", MalformedReplyError),
        (b"[" * 100_000, MalformedReplyError),
        ({"id": "x"}, MalformedReplyError),
        ({"choices": []}, MalformedReplyError),
        ({"choices": None}, MalformedReplyError),
        ({"choices": [{"text": "old form"}]}, MalformedReplyError),
        ({"error": {"message": "something odd"}}, MalformedReplyError),
        ({"error": {"message": "too many", "code": 429}}, RateLimitedError),
        ({"error": {"message": "down", "code": "503"}}, ServerFailedError),
        ({"error": "exceeded the context window"}, ContextOverflowError),
        ({"object": "error", "message": "maximum context length is 9"}, ContextOverflowError),
        (completion(""), EmptyReplyError),
        (completion(None), EmptyReplyError),
        (completion(" \n　"), EmptyReplyError),
        (completion("", finish_reason="length"), EmptyReplyError),
        (completion(None, reasoning_content="まず考える。"), EmptyReplyError),
        (completion("<think>まず考える。"), EmptyReplyError),
        (completion("<think>考えた。</think>\n"), EmptyReplyError),
        (completion(None, tool_calls=[]), EmptyReplyError),
        (completion("途中まで", finish_reason="content_filter"), FilteredError),
        (completion(None, refusal="お答えできません。"), FilteredError),
        (completion("途中まで", finish_reason="abort"), ServerFailedError),
    ],
)
def test_what_is_no_completion_is_an_error(body: object, kind: type[RequestError]) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(RequestError) as caught:
        read_reply(raw)
    assert type(caught.value) is kind


def test_an_empty_reply_keeps_what_it_cost() -> None:
    with pytest.raises(EmptyReplyError) as caught:
        read(completion(""))
    assert caught.value.usage == (11, 7)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<think>考える。\n</think>\n\n答えは四です。", "答えは四です。"),
        ("考える。</think>\n答えは四です。", "答えは四です。"),
        ("答え<think>甲</think>は<think>乙</think>四です。", "答えは四です。"),
        (
            [{"type": "text", "text": "答えは"}, {"type": "text", "text": "四です。"}],
            "答えは四です。",
        ),
        ("ナル\x00文字", "ナル\x00文字"),
        ("\ud83c\udf63と\ud800", "🍣と\ud800"),
    ],
)
def test_the_text_is_what_the_model_meant_to_say(content: object, text: str) -> None:
    assert read(completion(content, reasoning="考える。")) == text


def test_what_no_library_holds_is_kept_as_received_and_left_out_where_it_is_read() -> None:
    assert completion_of("ナル\x00文字").said == "ナル文字"
    assert completion_of("\ud83c\udf63と\ud800").said == "🍣と\ufffd"
    with pytest.raises(EmptyReplyError):
        read(completion("\x00 \x00"))


def test_a_huge_reply_is_cut_with_a_mark() -> None:
    reply = read_reply(json.dumps(completion("あ" * 5_000_000)).encode())
    assert reply.text == "あ" * LONGEST_TEXT + "…[cut here: 5,000,000 characters]"
    assert reply.finish_reason == "length"


def test_reasoning_that_is_never_closed_marks_the_reply_as_cut() -> None:
    reply = read_reply(json.dumps(completion("答えは<think>待てよ")).encode())
    assert (reply.text, reply.finish_reason) == ("答えは", "length")


def test_a_cut_reply_is_a_completion() -> None:
    reply = read_reply(json.dumps(completion("答えは", finish_reason="length")).encode())
    assert (reply.text, reply.finish_reason) == ("答えは", "length")


def test_function_calls_become_text() -> None:
    one = call("天気", '{"都市": "札幌"}')
    assert json.loads(read(completion(None, tool_calls=[one]))) == {
        "name": "天気",
        "arguments": {"都市": "札幌"},
    }
    two = json.loads(read(completion("", tool_calls=[one, call("時刻", "札幌")])))
    assert [c["arguments"] for c in two] == [{"都市": "札幌"}, "札幌"]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {},
        {"prompt_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": "3", "completion_tokens": 1},
    ],
)
def test_a_usage_that_is_none_is_not_believed(usage: object) -> None:
    reply = read_reply(json.dumps({**completion("はい。"), "usage": usage}).encode())
    assert reply.usage is None


def test_a_finish_reason_nobody_gave_is_unknown() -> None:
    reply = read_reply(json.dumps(completion("はい。", finish_reason=None)).encode())
    assert reply.finish_reason == "unknown"
