"""What servers say when they refuse or fail, in their own dialects, becomes the right error."""

from __future__ import annotations

import json

import pytest

from data.errors import (
    ContextOverflowError,
    DialectError,
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
