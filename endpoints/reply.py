"""Checking a 200: it may hold an error, a web page, half a JSON text, or nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from data.errors import (
    ContextOverflowError,
    EmptyReplyError,
    FilteredError,
    MalformedReplyError,
    RequestError,
    ServerFailedError,
)
from endpoints.dialects import words
from endpoints.failure import classify, clean
from endpoints.request import whole_characters

LONGEST_TEXT = 200_000  # characters: several times what the largest `max_tokens` can mean
MARK = "…[cut here: {:,} characters]"


@dataclass(frozen=True, slots=True)
class Reply:
    """A chat completion as one server gave it; its text is never empty.

    Attributes:
        usage: Prompt and completion tokens; None where the server does not count.
        finish_reason: The server's own word, but "length" wherever the reply was cut.
        served: The model that answered, as the server calls it.
        reasoned: Whether reasoning came along; it is not in the text.
        choices: How many replies the server gave; the text is the first one's.
    """

    text: str
    finish_reason: str
    usage: tuple[int, int] | None
    served: str
    reasoned: bool = False
    choices: int = 1


def read_reply(body: bytes) -> Reply:
    """Return the completion in the body of a 200.

    Raises:
        MalformedReplyError: No chat completion, or an error of no known kind.
        EmptyReplyError: A completion without text, or with nothing but reasoning.
        FilteredError: The server withheld the text.
        ServerFailedError: The server broke the reply off.
        RequestError: The error that the body states.
    """
    value = _object(body)
    if value.get("error") or value.get("object") == "error":
        raise _stated(value, body)
    usage, choices = _usage(value.get("usage")), value.get("choices")
    choice = _first(choices)
    message, reason = choice.get("message"), _reason(choice)
    _check_whole(message, reason, usage)
    if not isinstance(message, dict):
        raise MalformedReplyError("a choice without a message", usage=usage)
    spoken = _text(message)
    text, whole = _without_reasoning(spoken)
    if not whole_characters(text).strip():
        raise EmptyReplyError(f"no text, finish_reason {clean(reason)}", usage=usage)
    served, huge = value.get("model"), len(text) > LONGEST_TEXT
    return Reply(
        text=text[:LONGEST_TEXT] + MARK.format(len(text)) if huge else text,
        finish_reason=reason if whole and not huge else "length",
        usage=usage,
        served=clean(served) if isinstance(served, str) else "",
        reasoned=text != spoken or any(message.get(f) for f in words.REASONING_FIELDS),
        choices=len(choices) if isinstance(choices, list) else 1,
    )


def _reason(choice: dict[str, Any]) -> str:
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or not reason:
        return "unknown"
    return "length" if reason.lower() in words.CUT else clean(reason)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = _json(body)
    except (ValueError, RecursionError) as error:
        # LM Studio says in plain text, with status 200, that a prompt is too long
        stated = classify(0, {}, body, otherwise=MalformedReplyError)
        if isinstance(stated, ContextOverflowError):
            raise stated from None
        start = clean(body[:200].decode("utf-8", "replace"))
        raise MalformedReplyError(f"no JSON ({type(error).__name__}): {start}") from None
    if not isinstance(value, dict):
        raise MalformedReplyError(f"JSON, but no object: {clean(str(value)[:200])}")
    return value


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses escaped lone surrogates, which models do write
        return json.loads(body.decode("utf-8"))


def _stated(value: dict[str, Any], body: bytes) -> RequestError:
    error = value.get("error") or value
    code = str(error.get("code")) if isinstance(error, dict) else ""
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 0
    return classify(status, {}, body, otherwise=MalformedReplyError)


def _first(choices: object) -> dict[str, Any]:
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise MalformedReplyError("a completion without choices")
    return choices[0]


def _check_whole(message: object, reason: str, usage: tuple[int, int] | None) -> None:
    if reason.lower() in words.WITHHELD:
        raise FilteredError(f"finish_reason {reason}", usage=usage)
    if isinstance(message, dict) and message.get("refusal") and not message.get("content"):
        raise FilteredError(clean(f"refusal: {message['refusal']}"), usage=usage)
    if reason.lower() in words.BROKEN_OFF:
        raise ServerFailedError(f"finish_reason {reason}", usage=usage)


def _text(message: dict[str, Any]) -> str:
    """Return what a message says; a function call says more than the words around it."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        calls = [{"function": message.get("function_call")}]  # OpenAI's form until 2023
    return _calls(calls) or _content(message.get("content"))


def _content(content: object) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        content = "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _calls(calls: list[object]) -> str:
    """Return a message's function calls as JSON text: one as an object, several as a list."""
    functions = (call.get("function") for call in calls if isinstance(call, dict))
    out = [
        {"name": function.get("name"), "arguments": _arguments(function.get("arguments"))}
        for function in functions
        if isinstance(function, dict)
    ]
    if not out:
        return ""
    return json.dumps(out[0] if len(out) == 1 else out, ensure_ascii=False)


def _arguments(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _without_reasoning(text: str) -> tuple[str, bool]:
    """Return the text less its reasoning, and whether the reasoning was closed."""
    whole = True
    for start, end in words.REASONING_TAGS:
        if start not in text and end not in text:
            continue
        text = re.sub(f"{re.escape(start)}.*?{re.escape(end)}", "", text, flags=re.DOTALL)
        # Many templates open the block in the prompt, so that the reply holds only its end.
        text = text.rpartition(end)[2]
        text, opened, _ = text.partition(start)
        text, whole = text.strip(), whole and not opened
    return text, whole


def _usage(value: object) -> tuple[int, int] | None:
    if not isinstance(value, dict):
        return None
    prompt, completion = value.get("prompt_tokens"), value.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int or min(prompt, completion) < 0:
        return None  # `type`, because JSON's true is an int as well
    return prompt, completion
