"""What servers say when they refuse or fail, in their own dialects, becomes the right error."""

from __future__ import annotations

import json

import pytest

from data.errors import (
    ContextOverflowError,
    DialectError,
    EmptyReplyError,
    FilteredError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerFailedError,
    UnauthorizedError,
)
from endpoints.failure import classify, clean, retry_after


def error(message: str, **fields: object) -> dict[str, object]:
    return {"error": {"message": message, **fields}}


VLLM_OLD = "This model's maximum context length is 4096 tokens. However, you requested 4726 tokens"
VLLM_NEW = "You passed 5000 input tokens. However, the model's context length is only 4096 tokens"
SGLANG = "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
LLAMA_CPP = "the request exceeds the available context size, try increasing it"
JINJA = "Error: Jinja Exception: Conversation roles must alternate user/assistant/user/..."
UNPARSED = "The model produced output that does not match the expected peg-native format"
AZURE = "The response was filtered due to the prompt triggering content management policy"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error(VLLM_OLD, type="BadRequestError", code=400), ContextOverflowError),
        (400, error(VLLM_NEW, param="input_tokens"), ContextOverflowError),
        (400, {"object": "error", "message": SGLANG, "code": 400}, ContextOverflowError),
        (400, error("長すぎます", type="exceed_context_size_error"), ContextOverflowError),
        (500, error(LLAMA_CPP, type="server_error"), ContextOverflowError),
        (400, error("too many", code="context_length_exceeded"), ContextOverflowError),
        (400, {"error": "prompt too long; exceeded max context length"}, ContextOverflowError),
        (400, error(AZURE), FilteredError),
        (400, error("no", code="content_filter"), FilteredError),
        (403, error("This model requires moderation and your input was flagged"), FilteredError),
        (500, error(JINJA, type="server_error", code=500), DialectError),
        (400, error("System role not supported"), DialectError),
        (429, error("You exceeded your quota", type="insufficient_quota"), RejectedError),
        (429, error("Slow down"), RateLimitedError),
        (401, error("Incorrect API key provided"), UnauthorizedError),
        (403, b"", UnauthorizedError),
        (404, error("The model `x` does not exist"), RejectedError),
        (422, {"detail": [{"loc": ["body", "x"], "msg": "extra_forbidden"}]}, RejectedError),
        (307, b"", RejectedError),
        (408, b"", ServerFailedError),
        (409, b"", ServerFailedError),
        (500, error(UNPARSED, type="server_error", code=500), EmptyReplyError),
        (500, error("CUDA out of memory"), ServerFailedError),
        (502, b"<html><body>502 Bad Gateway</body></html>", ServerFailedError),
        (503, b"\xff\xfe", ServerFailedError),
        (500, b"[" * 100_000, ServerFailedError),
    ],
)
def test_a_refusal_is_told_by_type_then_wording_then_status(
    status: int, body: object, kind: type[RequestError]
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = classify(status, {}, raw)
    assert type(failure) is kind
    assert str(failure).startswith(str(status))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e12"}, 86_400.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_all_its_spellings(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds
    assert classify(429, headers, b"").retry_after == seconds


def test_a_detail_is_one_short_printable_line() -> None:
    line = clean("\x1b]52;c;evil\x07 あ\n\tい " + "x" * 10_000)
    assert line.startswith("]52;c;evil あ い xxx")
    assert line.isprintable()
    assert len(line) == 300


@pytest.mark.parametrize(
    ("body", "limit", "prompt"),
    [
        (
            error(
                "This model's maximum context length is 4096 tokens. However, you requested 4726"
                " tokens (2678 in the messages, 2048 in the completion). Please reduce it."
            ),
            4096,
            2678,
        ),
        (
            error(
                "'max_tokens' or 'max_completion_tokens' is too large: 2048. This model's maximum"
                " context length is 2000 tokens and your request has 300 input tokens (2048 >"
                " 2000 - 300)."
            ),
            2000,
            300,
        ),
        (
            error(
                "You passed 5000 input tokens and requested 100 output tokens. However, the"
                " model's context length is only 4096 tokens, resulting in a maximum input length"
                " of 3996 tokens."
            ),
            4096,
            5000,
        ),
        ({"object": "error", "message": SGLANG, "code": 400}, 4096, 5000),
        (
            error(
                "Requested token count exceeds the model's maximum context length of 4096 tokens."
                " You requested a total of 5100 tokens: 3100 tokens from the input messages and"
                " 2000 tokens for the completion."
            ),
            4096,
            3100,
        ),
        (
            error(
                "request (5000 tokens) exceeds the available context size (4096 tokens), try"
                " increasing it",
                type="exceed_context_size_error",
                n_prompt_tokens=5000,
                n_ctx=4096,
            ),
            4096,
            5000,
        ),
        (error("長い", type="exceed_context_size_error", n_prompt_tokens=50, n_ctx=40), 40, 50),
        (error("Requested tokens (3000) exceed context window of 2048"), 2048, 3000),
        (
            error(
                "This model's maximum context length is 16,385 tokens. However, your messages"
                " resulted in 20,001 tokens.",
                code="context_length_exceeded",
            ),
            16385,
            20001,
        ),
        (
            error(
                "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1500 `inputs` tokens"
                " and 1000 `max_new_tokens`"
            ),
            2048,
            1500,
        ),
        (
            error(
                "Trying to keep the first 5000 tokens when context the overflows. However, the"
                " model is loaded with context length of only 4096 tokens"
            ),
            4096,
            5000,
        ),
        (
            error(
                "The input token count (1048577) exceeds the maximum number of tokens allowed"
                " (1048576)."
            ),
            1048576,
            1048577,
        ),
        ({"error": "prompt too long; exceeded max context length"}, None, None),
        (error("maximum context length is " + "9" * 5000), None, None),
    ],
)
def test_an_overflow_tells_the_limit_where_the_server_does(
    body: object, limit: int | None, prompt: int | None
) -> None:
    failure = classify(400, {}, json.dumps(body).encode())
    assert isinstance(failure, ContextOverflowError)
    assert (failure.limit, failure.prompt) == (limit, prompt)
