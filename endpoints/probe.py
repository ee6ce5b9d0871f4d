"""What `doctor` finds out about one model: how its server treats what a search will send.

Obedience proves that a part of the messages arrived. Its absence proves nothing: then the server's
own evidence counts (`evidence.py`), and where there is none, it could not be told.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from data.errors import RejectedError, RequestError
from endpoints import schema_evidence
from endpoints.endpoint import Endpoint
from endpoints.evidence import MARKER, Evidence, Witness
from endpoints.listing import context_of
from endpoints.reply import Reply
from endpoints.request import Message
from endpoints.specs import ModelSpec

State = Literal["ok", "note", "unknown", "warn", "fails"]

QUESTION = "日本でいちばん高い山の名前を、一文で答えてください。"
SHORT_SYSTEM = "丁寧に答えてください。"
LONG_SYSTEM = (
    f"この対話の合言葉は「{MARKER}」です。合言葉を尋ねられたら、必ずこの合言葉をそのまま答えて"
    "ください。ほかのことを尋ねられたときは、合言葉には触れずに、丁寧に答えてください。"
)
ASKED = "合言葉は何ですか。合言葉だけを答えてください。"
LINES = "次の二行を、そのまま二行に分けて書き写してください。\nあさひ\nゆうひ"
DRAWN = "好きな言葉を一つ挙げ、その理由を一文で述べてください。"
TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "都市の天気を調べる",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}

_KANA = re.compile(r"[ぁ-ゖァ-ヺ]")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found out about a model.

    Attributes:
        check: What was looked at.
        state: "unknown" where it could not be told; "fails" where the model cannot be used.
        found: What was found.
        action: What is or should be done about it; empty where nothing need be.
    """

    check: str
    state: State
    found: str
    action: str = ""


class Probe:
    """Asks one model what `doctor` wants to know.

    Args:
        endpoint: Its server; what it teaches is kept there.
        model: The model.
        listed: The server's list of models, by name.
        max_tokens: Bound of an ordinary reply.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: ModelSpec,
        listed: Mapping[str, Mapping[str, Any]],
        max_tokens: int,
    ) -> None:
        self._witness = Witness(endpoint, model)
        self._dialects = endpoint.dialects
        self._model = model
        self._listed = listed
        self._max_tokens = max_tokens
        self.context = context_of(listed.get(model.served_name, {}))
        self.seconds = 0.0

    async def run(self) -> list[Finding]:
        """Return the findings; the first is whether the model answers at all."""
        begun = time.monotonic()
        try:
            reply = await self._witness.reply([_user(QUESTION)], limit=self._max_tokens)
        except RequestError as error:
            self.seconds = time.monotonic() - begun
            return [self._silent(error)]
        self.seconds = time.monotonic() - begun
        if reply.reasoned:
            self._witness.limit = self._max_tokens
        if self.context is None:  # a server may answer under another name than it was asked for
            self.context = context_of(self._listed.get(reply.served, {}))
        out = [*self._first(reply), self._context()]
        checks = [self._system, self._turns, self._newline, self._seed, self._choices]
        if self._model.tools == "native":
            checks.append(self._tools)
        for check in checks:
            out.append(await check())
        return [*out, await self._schema(reply), *self._parameters()]

    def _silent(self, error: RequestError) -> Finding:
        found, action = f"{error.outcome}: {error}", ""
        if self._listed and self._model.served_name not in self._listed:
            action = f"set served_name; the server lists {', '.join(sorted(self._listed))}"
        elif isinstance(error, RejectedError) and "temperature" in str(error):
            action = "set extra_body: {temperature: null}; temperatures are then the server's"
        elif error.outcome == "empty":
            action = "raise max_tokens: all of them may have gone into reasoning"
        return Finding("answer", "fails", found, action)

    def _first(self, reply: Reply) -> list[Finding]:
        text = " ".join(reply.text.split())
        shown = text[:_SHOWN] + "…" * (len(text) > _SHOWN)
        out = [Finding("answer", "ok", f"{shown} ({self.seconds:.1f} s)")]
        if _KANA.search(text):
            out.append(Finding("Japanese", "ok", "the reply holds kana"))
        else:
            out.append(Finding("Japanese", "unknown", "could not tell: no kana in the reply"))
        out.append(self._served(reply.served))
        out.append(_usage(reply))
        if reply.reasoned:
            action = "removed before anything is passed on; it counts towards max_tokens"
            out.append(Finding("reasoning", "note", "reasoning comes along", action))
        if reply.finish_reason == "unknown":
            action = "a cut reply is taken for a whole one"
            out.append(Finding("finish reason", "warn", "the server gives none", action))
        else:
            out.append(Finding("finish reason", "ok", reply.finish_reason))
        return out

    def _served(self, served: str) -> Finding:
        asked = self._model.served_name
        if not served:
            return Finding("model", "unknown", "could not tell: the reply names no model")
        if _same_model(asked, served):
            return Finding("model", "ok", served)
        action = "correct served_name: this server answers whatever name it is given"
        return Finding("model", "warn", f"asked for {asked!r}, answered by {served!r}", action)

    def _context(self) -> Finding:
        ours, told = self._model.context, self.context
        if told is None:
            found = f"the server does not say; {ours} by settings or catalogue"
            if ours is not None:
                return Finding("context", "note", found)
            action = "set `context`; until then a refusal teaches it"
            return Finding("context", "warn", "neither settings nor server say", action)
        if ours is not None and ours > told:
            found = f"{ours} by settings or catalogue, but the server holds {told}"
            return Finding("context", "warn", found, f"set context: {told}")
        used = "" if ours in (None, told) else f"; {ours} are used, as the settings say"
        return Finding("context", "ok", f"the server holds {told} tokens{used}")

    async def _system(self) -> Finding:
        messages, shorter = [[_system(s), _user(ASKED)] for s in (LONG_SYSTEM, SHORT_SYSTEM)]
        before = self._witness.folds
        try:
            text = await self._witness.text(messages)
        except RequestError as error:
            remedy = "set system_role: auto" if self._model.system_role == "send" else ""
            return _broken("system turn", error, remedy)
        if before:
            why = "settings or catalogue say" if self._model.system_role == "fold" else "learned"
            return Finding("system turn", "ok", f"folded into the user turn, as {why}")
        if self._witness.folds:
            action = "folded into the user turn from now on"
            return Finding("system turn", "warn", "the server refuses one", action)
        if MARKER in text:
            return Finding("system turn", "ok", "the model heeds it")
        evidence = await self._witness.arrives(messages, shorter)
        if evidence.arrived is None:
            evidence = await self._witness.heeded_if_folded(messages)
        if evidence.arrived is False:
            return await self._dropped(evidence)
        return _told("system turn", "it arrives", evidence)

    async def _dropped(self, evidence: Evidence) -> Finding:
        """Have a system turn that is dropped folded from now on."""
        served = self._model.served_name
        found = f"the server drops it without a word ({evidence.how})"
        fold = replace(self._dialects.of(served), fold=True)
        if not self._dialects.allows(served, fold):
            return Finding("system turn", "warn", found, "set system_role: auto or fold")
        await self._dialects.learn(served, fold)
        action = (
            "folded into the user turn from now on; replies kept so far were given without it:"
            " another `identity` of the endpoint asks for them again"
        )
        return Finding("system turn", "warn", found, action)

    async def _turns(self) -> Finding:
        messages: list[Message] = [
            _user(f"合言葉は「{MARKER}」です。覚えておいてください。"),
            {"role": "assistant", "content": "はい、覚えました。"},
            _user(ASKED),
        ]
        try:
            text = await self._witness.text(messages)
        except RequestError as error:
            return _broken("two turns", error)
        if MARKER in text:
            return Finding("two turns", "ok", "the model remembers the first")
        evidence = await self._witness.arrives(messages, messages[-1:])
        if evidence.arrived is False:
            action = "mend the server's chat template, or use suites of one turn"
            return Finding("two turns", "warn", f"the first is dropped ({evidence.how})", action)
        return _told("two turns", "the first arrives", evidence)

    async def _newline(self) -> Finding:
        remedy = "start the server with a chat template that writes real newlines"
        prompt = await self._witness.prompt([_user(LINES)])
        if prompt is not None and "\\n" in prompt:
            found = "the chat template writes a backslash and an n for a newline"
            return Finding("newline", "warn", found, remedy)
        try:
            text = await self._witness.text([_user(LINES)])
        except RequestError as error:
            return _broken("newline", error)
        if re.search(r"あさひ\s*\\n\s*ゆうひ", text):
            found = "the model writes a backslash and an n for a newline"
            return Finding("newline", "warn", found, remedy)
        if prompt is not None:
            return Finding("newline", "ok", "stays one in the prompt that the server makes")
        if re.search(r"あさひ[^\S\n]*\n\s*ゆうひ", text):
            return Finding("newline", "ok", "stays one there and back")
        return Finding("newline", "unknown", "could not tell: the model did not copy two lines")

    async def _seed(self) -> Finding:
        try:
            draws = [
                (await self._witness.reply([_user(DRAWN)], temperature=1.0, seed=seed)).text
                for seed in (1, 1, 2)
            ]
        except RequestError as error:
            return _broken("seed", error)
        if draws[0] != draws[1]:
            action = "draws are told apart by their kept replies, not by the seed"
            return Finding("seed", "note", "the same seed gave another text", action)
        if draws[0] == draws[2]:
            found = "could not tell: two seeds gave the same text"
            return Finding("seed", "unknown", found, "if all draws are equal, set n: 1")
        return Finding("seed", "ok", "repeats its text")

    async def _choices(self) -> Finding:
        action = "draws are requests of their own anyway"
        try:
            reply = await self._witness.reply([_user(DRAWN)], temperature=1.0, n=2)
        except RequestError:
            return Finding("n", "note", "more than one reply to a request is refused", action)
        if reply.choices == 2:
            return Finding("n", "ok", "two replies to one request")
        return Finding("n", "note", "ignored: one reply to a request", action)

    async def _tools(self) -> Finding:
        try:
            reply = await self._witness.reply(
                [_user("札幌の天気を調べてください。")], tools=[TOOL]
            )
        except RequestError as error:
            return _broken("tools", error, "set tools: text")
        if "get_weather" in reply.text:
            return Finding("tools", "ok", "the model calls a function")
        return Finding("tools", "unknown", "could not tell: accepted, but nothing was called")

    async def _schema(self, plain: Reply) -> Finding:
        check, wanted = "JSON schema", self._model.verdicts == "schema"
        try:
            holds, how = await schema_evidence.holds(self._witness, _user(QUESTION), plain)
        except RequestError as error:
            found = _broken(check, error, "set verdicts: marker")
            # Markers are what is used unless the settings want otherwise.
            return found if wanted else replace(found, state="note", action="")
        if holds is None:
            return Finding(check, "unknown", f"could not tell: {how}")
        if holds:
            action = "" if wanted else "`verdicts: schema` would be held to, were it a judge"
            return Finding(check, "ok", how, action)
        if wanted:
            return Finding(check, "warn", how, "set verdicts: marker")
        return Finding(check, "note", how)

    def _parameters(self) -> list[Finding]:
        dialect = self._dialects.of(self._model.served_name)
        out = []
        if dialect.token_limit_param != "max_tokens":
            out.append(
                Finding(
                    "max_tokens",
                    "note",
                    "goes by a new name",
                    f"sent as {dialect.token_limit_param}",
                )
            )
        refused = [name for name in dialect.omitted if name not in self._model.extra_body]
        out.extend(Finding(name, "note", "refused by the server", "left out") for name in refused)
        return out


def _told(check: str, found: str, evidence: Evidence) -> Finding:
    if evidence.arrived is None:
        return Finding(check, "unknown", f"could not tell: {evidence.how}")
    heed = "could not tell whether the model heeds it"
    return Finding(check, "ok", f"{found} ({evidence.how}); {heed}")


def _broken(check: str, error: RequestError, remedy: str = "") -> Finding:
    """Return the finding of a request that failed after another was answered."""
    if isinstance(error, RejectedError):
        return Finding(check, "fails", f"{error.outcome}: {error}", remedy)
    return Finding(check, "unknown", f"could not tell: {error.outcome}: {error}")


def _usage(reply: Reply) -> Finding:
    if reply.usage is None:
        action = "tokens are estimated from the text, and marked"
        return Finding("usage", "note", "the server counts no tokens", action)
    return Finding("usage", "ok", f"{reply.usage[0]} + {reply.usage[1]} tokens")


def _same_model(asked: str, served: str) -> bool:
    """Whether a server means by `served` the model asked for: a version or a folder may differ."""
    one, other = (name.lower().rsplit("/", 1)[-1] for name in (asked, served))
    return other == one or re.match(re.escape(one) + r"[-:@]", other) is not None


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _system(text: str) -> Message:
    return {"role": "system", "content": text}
