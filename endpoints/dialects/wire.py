"""A request as the rooms above mean it, and in the form one server takes it.

What is kept and found again is the request as it is meant: its key never depends on the form,
so learning a server's dialect neither loses nor repeats a paid reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from endpoints.request import Message

LIMITS = ("max_tokens", "max_completion_tokens")
OMITTABLE = ("seed", "top_p")
# vLLM puts the model's own generation_config.json in place of what a request leaves out.
TOP_P = 1.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server wants requests for one of its models.

    Attributes:
        token_limit_param: `max_tokens`, which every older server knows, or its new name.
        fold: Whether the system turn goes into the user's, and turns alternate strictly.
        omitted: Of `seed` and our own `top_p`, those that are left out.
    """

    token_limit_param: str = LIMITS[0]
    fold: bool = False
    omitted: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Return the dialect that `to_json` wrote down; what is not understood is not learned."""
        known = value if isinstance(value, dict) else {}
        param = known.get("token_limit_param")
        omitted = known.get("omitted")
        return cls(
            token_limit_param=param if param in LIMITS else LIMITS[0],
            fold=known.get("fold") is True,
            omitted=tuple(n for n in OMITTABLE if isinstance(omitted, list) and n in omitted),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the dialect as JSON, fields at their default left out."""
        out: dict[str, Any] = {}
        if self.token_limit_param != LIMITS[0]:
            out["token_limit_param"] = self.token_limit_param
        if self.fold:
            out["fold"] = True
        if self.omitted:
            out["omitted"] = list(self.omitted)
        return out


def held_to(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `response_format` that has a server hold its reply to a JSON schema."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": schema},
    }


def spoken(body: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return a request's body in the form the server takes."""
    out = dict(body) if "top_p" in dialect.omitted else {"top_p": TOP_P, **body}
    if "seed" in dialect.omitted:
        out.pop("seed", None)
    if LIMITS[0] in out:
        out[dialect.token_limit_param] = out.pop(LIMITS[0])
    if dialect.fold:
        out["messages"] = folded(out["messages"])
    return out


def corrected(dialect: Dialect, refused: str, body: Mapping[str, Any]) -> Dialect | None:
    """Return the dialect in which a refused request may pass, or None where there is none.

    Args:
        dialect: The one it was sent in.
        refused: What the server does not take: see `DialectError`.
        body: The request as it is meant.
    """
    if refused == "messages":
        if dialect.fold or folded(body["messages"]) == tuple(body["messages"]):
            return None
        return replace(dialect, fold=True)
    if refused in OMITTABLE:
        if refused in dialect.omitted or (refused == "seed") != (refused in body):
            return None  # a `top_p` in the body is the user's choice
        return replace(dialect, omitted=tuple(sorted((*dialect.omitted, refused))))
    if refused != dialect.token_limit_param or LIMITS[0] not in body:
        return None
    return replace(dialect, token_limit_param=LIMITS[refused == LIMITS[0]])


def folded(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages without a system turn, user and assistant strictly in turn.

    The system texts stand before the first user turn, neighbours of one role are one message;
    one blank line is between what is joined.
    """
    system = [m["content"] for m in messages if m["role"] == "system"]
    turns: list[Message] = []
    if system:
        turns.append({"role": "user", "content": "\n\n".join(system)})
    for message in messages:
        if message["role"] == "system":
            continue
        if turns and turns[-1]["role"] == message["role"]:
            joined = f"{turns[-1]['content']}\n\n{message['content']}"
            turns[-1] = {"role": message["role"], "content": joined}
        else:
            turns.append(message)
    return tuple(turns)
