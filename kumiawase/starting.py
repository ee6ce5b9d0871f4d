"""What `init` finds and writes: servers that answer, their models, a kumiawase.yaml for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from data import catalogue
from data.errors import KumiawaseError
from endpoints.endpoint import Endpoint
from endpoints.specs import EndpointSpec

# Where the usual servers listen by default.
LOCAL = {
    "vllm": "http://127.0.0.1:8000/v1",
    "llama-cpp": "http://127.0.0.1:8080/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "lm-studio": "http://127.0.0.1:1234/v1",
    "sglang": "http://127.0.0.1:30000/v1",
}
DEADLINE = 3.0
OPENAI = "https://api.openai.com/v1"
OPENAI_JUDGE = "gpt-4o"
OPENAI_PRICE = {"input": 2.5, "output": 10}


@dataclass(frozen=True, slots=True)
class Found:
    """A server that answers, with the models it lists."""

    name: str
    base_url: str
    models: tuple[Mapping[str, Any], ...]


async def probe(urls: Sequence[str]) -> list[Found]:
    """Ask the given URLs, or the usual local ports where none is given, for their models."""
    named = {f"endpoint-{i}": url for i, url in enumerate(urls, 1)} if urls else LOCAL
    answers = await asyncio.gather(*(_ask(name, url) for name, url in named.items()))
    return [found for found in answers if found is not None]


async def _ask(name: str, base_url: str) -> Found | None:
    endpoint = Endpoint(EndpointSpec(name, base_url))
    try:
        async with asyncio.timeout(DEADLINE):
            models = await endpoint.models()
    except (KumiawaseError, TimeoutError):
        return None
    finally:
        await endpoint.close()
    return Found(name, base_url.rstrip("/"), tuple(m for m in models if m.get("id")))


def compose(found: Sequence[Found], *, openai: bool) -> str:
    """Return a commented kumiawase.yaml for the servers found.

    Args:
        found: What answered; nothing makes a template to fill in.
        openai: Whether a key of OpenAI is at hand; then GPT judges.
    """
    endpoints: dict[str, Any] = {f.name: {"base_url": f.base_url} for f in found}
    models = {name: model for f in found for name, model in _models(f).items()}
    if not found:
        endpoints = {"local": {"base_url": LOCAL["vllm"]}}
        models = {"my-model": {"endpoint": "local", "served_name": "name/as-the-server-lists-it"}}
    if openai:
        endpoints["openai"] = {"base_url": OPENAI, "api_key_env": "OPENAI_API_KEY"}
        models[OPENAI_JUDGE] = {"endpoint": "openai", "price": dict(OPENAI_PRICE)}
    return "\n".join(
        f"# {comment}\n{_yaml(section)}"
        for comment, section in (
            (
                "Written by `kumiawase init`; next: kumiawase doctor, then kumiawase search.",
                {"study": "default", "storage": "sqlite:///kumiawase.sqlite"},
            ),
            (
                "Keys stay outside: api_key_env is the NAME of a variable.",
                {"endpoints": endpoints},
            ),
            (
                "The pool: every model not named only as judge, baseline or discoverer.",
                {"models": models},
            ),
            (
                "rubric: one model judges. panel: several. self: the pool, none its own family.",
                {"judge": _judge(models, openai=openai)},
            ),
            (
                "A suite of ours, a file, {path: F, format: rakuda}, or a list of these.",
                {"suite": "kumiawase-ja"},
            ),
            (
                "Most tokens of one reply.",
                {"max_tokens": {"proposer": 1024, "aggregator": 2048, "judge": 1024}},
            ),
            (
                "trials: new ensembles to evaluate; layers, width, n: how large they may be.",
                {"search": {"trials": 60, "layers": 2, "width": 6, "n": 3, "seed": 0}},
            ),
            (
                "The search ends here; enough is kept to confirm the best.",
                {"budget": {"calls": 20000}},
            ),
        )
    )


def _models(found: Found) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for listed in found.models:
        served = str(listed["id"])
        model: dict[str, Any] = {"endpoint": found.name}
        known = catalogue.find(served)
        if known is not None and known.id != served:
            model["catalogue"] = known.id
        context = _context(listed)
        if context is not None:
            model["context"] = context
        out[served] = model
    return out


def _context(listed: Mapping[str, Any]) -> int | None:
    """Return the context a server tells: vLLM's and SGLang's field, or llama.cpp's."""
    meta = listed.get("meta")
    told = listed.get("max_model_len") or (meta.get("n_ctx") if isinstance(meta, dict) else None)
    return told if isinstance(told, int) and told >= 16 else None


def _judge(models: Mapping[str, Any], *, openai: bool) -> dict[str, Any]:
    """Return the best judge at hand: GPT, a model that is called one, the pool itself, or any."""
    if openai:
        return {"kind": "rubric", "models": [OPENAI_JUDGE]}
    named = [name for name in models if "judge" in name.lower()]
    if named:
        return {"kind": "rubric", "models": named[:1]}
    families = {_family(name) for name in models}
    if len(families) > 1:
        return {"kind": "self"}
    return {"kind": "rubric", "models": list(models)[:1]}


def _family(name: str) -> str:
    known = catalogue.find(name)
    return known.family if known and known.family else name


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), allow_unicode=True, sort_keys=False, width=100)
