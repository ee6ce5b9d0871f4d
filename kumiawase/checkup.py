"""What `doctor` finds out: each model asked once, as a search would ask it."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from data.errors import RequestError, UserError
from endpoints import listing
from endpoints.endpoint import Endpoint
from endpoints.request import Message
from endpoints.specs import ModelSpec
from kumiawase import licences
from kumiawase.settings import Settings

QUESTION = "日本でいちばん高い山の名前を、一文で答えてください。"
MAX_TOKENS = 256
DEADLINE = 120.0  # a first call may have to load the model
_KANA = re.compile(r"[ぁ-ゖァ-ヺ]")


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of asking one model.

    Attributes:
        ok: Whether it can be used.
        context: Tokens, as the settings or the server say.
        seconds: From the request to the reply.
        finding: The reply's beginning, or what is wrong.
        licence: The model's, and what it says about commercial use.
    """

    model: str
    endpoint: str
    ok: bool
    context: int | None
    seconds: float
    finding: str
    licence: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Ask every model of the settings, one after the other on each endpoint."""
    groups = await asyncio.gather(
        *(_endpoint(settings, name) for name in settings.endpoints), return_exceptions=False
    )
    forms = settings.form.models
    return [
        replace(f, licence=licences.describe(licences.entry_of(f.model, forms[f.model])))
        for group in groups
        for f in group
    ]


async def _endpoint(settings: Settings, name: str) -> list[Finding]:
    models = [m for m in settings.models.values() if m.endpoint == name]
    try:
        endpoint = Endpoint(settings.endpoints[name])
    except UserError as error:
        return [
            Finding(m.name, name, ok=False, context=None, seconds=0, finding=str(error))
            for m in models
        ]
    try:
        listed = await _listed(endpoint)
        return [await _model(endpoint, model, listed) for model in models]
    finally:
        await endpoint.close()


async def _listed(endpoint: Endpoint) -> dict[str, dict[str, Any]]:
    try:
        return {str(m.get("id")): m for m in await endpoint.models()}
    except RequestError:
        return {}  # many servers list nothing; asking the model tells more


async def _model(
    endpoint: Endpoint, model: ModelSpec, listed: dict[str, dict[str, Any]]
) -> Finding:
    context = model.context or listing.context_of(listed.get(model.served_name, {}))
    message: Message = {"role": "user", "content": QUESTION}
    body = {
        "model": model.served_name,
        "messages": [message],
        "temperature": 0.0,
        "max_tokens": MAX_TOKENS,
        **{key: value for key, value in model.extra_body.items() if value is not None},
    }
    begun = time.monotonic()
    try:
        reply = await endpoint.send(body, min(endpoint.spec.timeout, DEADLINE))
    except RequestError as error:
        seconds = time.monotonic() - begun
        unlisted = listed and model.served_name not in listed
        hint = f"; the server lists {', '.join(sorted(listed))}" if unlisted else ""
        fault = f"{error.outcome}: {error}{hint}"
        return Finding(
            model.name,
            endpoint.spec.name,
            ok=False,
            context=context,
            seconds=seconds,
            finding=fault,
        )
    seconds = time.monotonic() - begun
    text = " ".join(reply.text.split())
    notes = [] if _KANA.search(text) else ["the reply holds no kana: is it Japanese?"]
    if reply.served and listed and reply.served != model.served_name:
        notes.append(f"answered by {reply.served!r}")
    finding = "; ".join([text[:40] + "…" * (len(text) > 40), *notes])
    return Finding(
        model.name, endpoint.spec.name, ok=True, context=context, seconds=seconds, finding=finding
    )
