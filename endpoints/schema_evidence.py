"""Whether a server holds a model's reply to a JSON schema, by what it replies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from endpoints.dialects.wire import held_to
from endpoints.evidence import Evidence, Witness
from endpoints.reply import Reply
from endpoints.request import Message

# Nothing in the messages speaks of these; of a length that even a random model ends.
_KINDS: Mapping[str, Mapping[str, Any]] = {
    "kotoba": {"type": "string", "enum": ["みかづき", "あけぼの"]},
    "bangou": {"type": "integer", "enum": [4173, 4174]},
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": _KINDS,
    "required": list(_KINDS),
    "additionalProperties": False,
}


async def holds(witness: Witness, message: Message, plain: Reply) -> Evidence:
    """Return whether a server gives a reply that only the schema can have made.

    Where the schema takes the model's reasoning away (a grammar that begins with the reply's first
    token does), it is not to be used.

    Args:
        witness: The model.
        message: Asks for a plain sentence.
        plain: The reply to it without a schema.

    Raises:
        RequestError: The request was refused or failed.
    """
    reply = await witness.reply([message], response_format=held_to(SCHEMA))
    if not _obeys(reply.text):
        cut = reply.finish_reason == "length"
        how = "the reply was cut" if cut else "the reply does not obey it"
        return Evidence(None if cut else False, how)
    if plain.reasoned and not reply.reasoned:
        return Evidence(False, "the reply obeys it, but the model no longer reasons")
    return Evidence(True, "the reply obeys one")


def _obeys(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    listed = {name: kind["enum"] for name, kind in _KINDS.items()}
    if not isinstance(value, dict) or list(value) != list(listed):
        return False
    return all(value[name] in listed[name] for name in listed)
