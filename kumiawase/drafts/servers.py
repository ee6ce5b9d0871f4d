"""What `init` finds: servers that answer, and their models as a kumiawase.yaml."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from data import catalogue
from data.catalogue import Entry
from data.errors import (
    ConfigError,
    KumiawaseError,
    RejectedError,
    RequestError,
    UnauthorizedError,
)
from endpoints import listing
from endpoints.endpoint import Endpoint
from endpoints.request import Message
from endpoints.specs import EndpointSpec
from kumiawase import licences
from kumiawase.drafts import draft, roles
from kumiawase.drafts.draft import Draft, Line, Model

# Where the usual servers listen by default.
LOCAL = {
    "vllm": "http://127.0.0.1:8000/v1",
    "llama-cpp": "http://127.0.0.1:8080/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "lm-studio": "http://127.0.0.1:1234/v1",
    "sglang": "http://127.0.0.1:30000/v1",
}
DEADLINE = 3.0
ANY_NAME = "default"
MOST_MODELS = 12  # a first search over more takes longer than a night
_WRITE = "write --url http://HOST:PORT/v1"
_OLLAMA_PORT = 11434
_OLLAMA_CONTEXT = 4096  # its default on most machines; prompts are cut there without a word
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NEXT = "Written by `kumiawase init`; next: kumiawase doctor, then kumiawase search."


@dataclass(frozen=True, slots=True)
class Found:
    """A server that answers, with the models it lists.

    Attributes:
        name: Of the endpoint to be.
        models: As listed, each with an `id`.
        api_key_env: Variable that holds its key, if one was named.
        locked: Whether it refused to list them: it wants a key, or another one.
    """

    name: str
    base_url: str
    models: tuple[Mapping[str, Any], ...]
    api_key_env: str | None = None
    locked: bool = False


def base_url(text: str) -> str:
    """Return the base URL a user means, be it of the server or of one of its routes.

    Raises:
        ConfigError: It is no URL of a server.
    """
    url = text.strip().rstrip("/")
    for route in ("/chat/completions", "/models"):
        url = url.removesuffix(route)
    if "://" not in url and not url.startswith(("http:", "https:")):
        remedy = f"write --url {base_url(f'http://{url}')}" if url else _WRITE
        raise ConfigError(f"{text!r} has no http:// or https://", place="--url", remedy=remedy)
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return url if parts.path else f"{url}/v1"
    except ValueError:  # a port beyond 65535, half an IPv6 address
        pass
    raise ConfigError(f"{text!r} is no http or https URL", place="--url", remedy=_WRITE)


async def probe(urls: Sequence[str], keys: Sequence[str] = ()) -> list[Found]:
    """Ask the given URLs, or the usual local ports where none is given, for their models.

    Args:
        urls: Base URLs.
        keys: For each URL the variable that holds its key, or an empty text; none at all: no keys.

    Raises:
        UserError: A variable is not set.
    """
    named = [(f"endpoint-{i}", base_url(url)) for i, url in enumerate(urls, 1)] or LOCAL.items()
    variables = [key or None for key in keys] or [None] * len(named)
    specs = [
        EndpointSpec(name, url, variable)
        for (name, url), variable in zip(named, variables, strict=True)
    ]
    endpoints = [Endpoint(spec) for spec in specs]
    answers = await asyncio.gather(*(_ask(endpoint) for endpoint in endpoints))
    return [found for found in answers if found is not None]


async def _ask(endpoint: Endpoint) -> Found | None:
    spec, models, locked = endpoint.spec, list[dict[str, Any]](), False
    try:
        async with asyncio.timeout(DEADLINE):
            models = await endpoint.models()
        models = models or await _unlisted(endpoint)
    except UnauthorizedError:
        locked = True
    except RejectedError:
        models = await _unlisted(endpoint)
    except (KumiawaseError, TimeoutError):
        return None
    finally:
        await endpoint.close()
    return Found(spec.name, spec.base_url.rstrip("/"), tuple(models), spec.api_key_env, locked)


async def _unlisted(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Return the model of a server that has no list, if it answers whatever name it is given."""
    greeting: Message = {"role": "user", "content": "こんにちは"}
    body = {"model": ANY_NAME, "messages": [greeting], "max_tokens": 16}
    try:
        reply = await endpoint.send(body, DEADLINE)
    except RequestError:
        return []
    return [{"id": reply.served or ANY_NAME}]


def untouched(text: str, openai_url: str = "") -> bool:
    """Tell whether a file is the template that `compose` makes of nothing, as it was written.

    Args:
        text: What it holds.
        openai_url: Where OpenAI may have been reached then, if not at its own address.
    """
    addresses = ("", draft.OPENAI, openai_url)
    return any(text == compose((), openai=bool(url), openai_url=url) for url in addresses)


def compose(found: Sequence[Found], *, openai: bool, openai_url: str = "") -> str:
    """Return a commented kumiawase.yaml for the servers found.

    Args:
        found: What answered; no model at all makes a template to fill in.
        openai: Whether a key of OpenAI is at hand; then GPT judges.
        openai_url: Where it is reached, if not at its own address.
    """
    servers = [f for f in found if not f.locked]
    models = _chosen([_model(server, listed) for server in servers for listed in server.models])
    head = _NEXT
    if not any(model.active for model in models):
        head = "Fill in a server and its models, or start one and run `kumiawase init --force`."
        servers = servers or [Found("local", draft.STARTED, ())]
        models.append(_example(servers[0].name))
    endpoints = tuple(_endpoint(server) for server in servers)
    address = (openai_url or draft.OPENAI) if openai else ""
    return draft.write(Draft((head,), endpoints, tuple(models)), openai=address)


def _example(endpoint: str) -> Model:
    value = {"endpoint": endpoint, "served_name": "name/as-the-server-lists-it"}
    return Model("my-model", value, family="my-model")


def _endpoint(server: Found) -> Line:
    value = {"base_url": server.base_url}
    if server.api_key_env is not None:
        value["api_key_env"] = server.api_key_env
    notes = [] if server.models else ["It lists no model: name them below as it calls them."]
    if urlsplit(server.base_url).hostname not in _LOOPBACK:
        price = "price: {input: 0.5, output: 1.5}"
        notes.append(f"If it is not free, give its models a {price} (USD per million tokens).")
    return Line(server.name, value, tuple(notes))


def _model(server: Found, listed: Mapping[str, Any]) -> Model:
    served = str(listed["id"])
    known = catalogue.find(served)
    family = known.family if known else roles.family_of(served)
    context, hints = _context(server, listed, known)
    value: dict[str, Any] = {"endpoint": server.name}
    if known is None:
        value["family"] = family
    elif known.id != served:
        value["catalogue"] = known.id
    if context is not None:
        value["context"] = context
    if served == roles.GPT and server.base_url == draft.OPENAI:
        value["price"] = draft.OPENAI_PRICE
    reasons = _left_out(served, listed, known)
    return Model(
        served,
        value,
        (*hints, *licences.warning(known), *reasons),
        active=not reasons,
        family=family,
        params_b=known.params_b if known else roles.params_of(served),
        context=context or (known.context if known else None),
        thinks=bool(known and known.thinks),
    )


def _context(
    server: Found, listed: Mapping[str, Any], known: Entry | None
) -> tuple[int | None, tuple[str, ...]]:
    """Return the context to write down, if it should be, and what to say about it."""
    told = listing.context_of(listed)
    if told is not None or urlsplit(server.base_url).port != _OLLAMA_PORT:
        return told, ()
    context = min(_OLLAMA_CONTEXT, (known and known.context) or _OLLAMA_CONTEXT)
    return context, ("Ollama cuts prompts here without a word; OLLAMA_CONTEXT_LENGTH raises it.",)


def _left_out(served: str, listed: Mapping[str, Any], known: Entry | None) -> tuple[str, ...]:
    if not roles.is_chat_model(served, listed.get("type")):
        return ("Left out: by its name no chat model.",)
    if known is not None and known.template_family == "none":
        return ("Left out: a base model, without a chat template of its own.",)
    return ()


def _chosen(models: Sequence[Model]) -> list[Model]:
    """Leave out what is served twice, and of very many what the catalogue does not know."""
    unique: dict[str, Model] = {}
    again: list[Model] = []
    for model in models:
        first = unique.setdefault(model.name, model)
        if first is not model:
            server = first.value["endpoint"]
            again.append(_without(model, f"Left out: {server} serves one of this name too."))
    known = sorted(
        (m for m in unique.values() if m.active), key=lambda m: catalogue.find(m.name) is None
    )
    extra = {m.name for m in known[MOST_MODELS:]}
    reason = f"Left out: {MOST_MODELS} models are enough for a first search."
    return [_without(m, reason) if m.name in extra else m for m in unique.values()] + again


def _without(model: Model, reason: str) -> Model:
    return replace(model, notes=(*model.notes, reason), active=False)
