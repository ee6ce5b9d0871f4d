"""Servers that differ as real ones do: one fake for each row of the table of dialects.

Each renders a prompt with a chat template of its own kind, counts its tokens, and lets a model
answer that obeys what reaches it and nothing else: so a test sees what a template does to a
system turn by what the model knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from endpoints.request import Message

Messages = Sequence[Message]
Body = Mapping[str, Any]


class Refused(Exception):
    """The server does not take the request: its status and body."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def error(message: str, **fields: object) -> dict[str, object]:
    """Return an error body of OpenAI's shape."""
    return {"error": {"message": message, **fields}}


def unsupported(name: str) -> Refused:
    """Refuse a parameter as OpenAI does, naming the one it wants instead."""
    other = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
    text = f"Unsupported parameter: '{name}' is not supported with this model.{other}"
    return Refused(400, error(text, param=name, code="unsupported_parameter"))


def forbidden(name: str) -> Refused:
    """Refuse a parameter as a server built on FastAPI does."""
    detail = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not ..."}
    return Refused(422, {"detail": [detail]})


# Chat templates: messages to a prompt.


def chatml(messages: Messages) -> str:
    """Take every role."""
    return "".join(f"<|{m['role']}|>\n{m['content']}\n" for m in messages)


def dropping(messages: Messages) -> str:
    """Drop the system turn without a word, as some Japanese templates do."""
    return chatml([m for m in messages if m["role"] != "system"])


def forgetful(messages: Messages) -> str:
    """Keep nothing but the system turn and the last one."""
    return chatml([m for m in messages[:-1] if m["role"] == "system"] + [messages[-1]])


def backslashed(messages: Messages) -> str:
    """Write a literal backslash and n, as a template that was quoted once too often does."""
    return chatml(messages).replace(">\n", ">\\n")


def without_system(messages: Messages) -> str:
    """Refuse a system turn as Gemma 2's template does under vLLM."""
    if any(m["role"] == "system" for m in messages):
        raise Refused(400, error("System role not supported", type="BadRequestError", code=400))
    return alternating(messages)


def alternating(messages: Messages) -> str:
    """Refuse turns that do not alternate as Mistral's template does under llama.cpp."""
    for position, message in enumerate(messages):
        if message["role"] != ("user", "assistant")[position % 2]:
            text = "Jinja Exception: Conversation roles must alternate user/assistant/..."
            raise Refused(500, error(text, type="server_error", code=500))
    return chatml(messages)


# What a model does with a prompt.


def obedient(prompt: str, body: Body) -> str:
    """Keep to a schema, repeat a password of the prompt, copy two lines, else say something."""
    if "response_format" in body:
        kinds = body["response_format"]["json_schema"]["schema"]["properties"]
        return json.dumps({name: kind.get("enum", ["はい。"])[0] for name, kind in kinds.items()})
    last = prompt.rsplit("<|user|>", 1)[-1]
    if "合言葉は何ですか" in last:
        found = re.search(r"合言葉は「(.+?)」", prompt)
        return found[1] if found else "存じません。"
    if "書き写して" in last:
        return "\n".join(last.strip().splitlines()[-2:])
    return "富士山です。"


def stubborn(*_: object) -> str:
    """Obey nothing."""
    return "zzz"


@dataclass
class Server:
    """One OpenAI-compatible server; the defaults are those of an ordinary vLLM.

    Attributes:
        refuses: Parameters it answers with `refusal`.
        counts: Whether it counts tokens.
        seeded: Whether a seed repeats its text.
        many: Whether it heeds `n`.
        shows: `llama.cpp` or `vllm`: how it shows the prompt it makes; empty if it does not.
        message: Further fields of the reply's message.
        reply: Changes of the whole reply.
        listed: What /models says.
    """

    template: Callable[[Messages], str] = chatml
    model: Callable[[str, Body], str] = obedient
    refuses: tuple[str, ...] = ()
    refusal: Callable[[str], Refused] = unsupported
    counts: bool = True
    seeded: bool = True
    many: bool = True
    shows: str = ""
    served: str = ""
    message: Mapping[str, object] = field(default_factory=dict)
    reply: Mapping[str, object] = field(default_factory=dict)
    listed: object = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    _drawn: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        raw = await request.read()
        body = json.loads(raw) if raw else {}
        try:
            found = self._found(request.path, body)
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)
        return web.json_response(found)

    def _found(self, path: str, body: Body) -> object:
        if path == "/v1/models" and self.listed is not None:
            return self.listed
        if path == "/v1/chat/completions":
            return self._completion(body)
        if path == "/apply-template" and self.shows == "llama.cpp":
            return {"prompt": self.template(body["messages"])}
        if path == "/tokenize" and self.shows == "vllm":
            return {"tokens": [ord(c) for c in self.template(body["messages"])]}
        if path == "/detokenize" and self.shows == "vllm":
            return {"prompt": "".join(map(chr, body["tokens"]))}
        raise Refused(404, error("Not Found"))

    def _completion(self, body: Body) -> object:
        self.calls.append(dict(body))
        for name in self.refuses:
            if name in body:
                raise self.refusal(name)
        prompt = self.template(body["messages"])
        self._drawn += 1
        text = self.model(prompt, body)
        if body.get("temperature"):
            text += f"#{body.get('seed') if self.seeded else self._drawn}"
        message = {"role": "assistant", "content": text, **self.message}
        count = body.get("n", 1) if self.many else 1
        reply: dict[str, object] = {
            "object": "chat.completion",
            "model": self.served or body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}] * count,
            **self.reply,
        }
        if self.counts:
            reply["usage"] = {"prompt_tokens": len(prompt), "completion_tokens": len(text)}
        return reply
