"""What servers tell in their list of models, each in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# By what a model is called: OpenAI and most others; Ollama's own list; llama.cpp's `models`.
_NAMES = ("id", "model", "name")
# Tokens of prompt and reply together, the surest word first.
_CONTEXTS = (
    "max_model_len",  # vLLM, SGLang
    "loaded_context_length",  # LM Studio, of a model in memory
    "context_length",  # Together, OpenRouter
    "context_window",  # Groq
    "max_context_length",  # LM Studio, Mistral
)
# llama.cpp: what it was started with; older ones tell only what the model was trained for.
_META_CONTEXTS = ("n_ctx", "n_ctx_train")
_LEAST = 16


def entries(body: object) -> list[dict[str, Any]] | None:
    """Return the models of a reply to /models, each with its name as `id`; None if it holds none.

    Args:
        body: A list, or an object with one under `data` or `models`; null there is an empty one.
    """
    if isinstance(body, dict):
        body = body.get("data") or body.get("models") or []
    if not isinstance(body, list):
        return None
    return list(_named(body))


def by_name(listed: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the entries by every name under which the server answers."""
    out: dict[str, Mapping[str, Any]] = {}
    for entry in listed:
        aliases = entry.get("aliases")
        names = [entry.get(key) for key in _NAMES]
        names += aliases if isinstance(aliases, list) else []
        for name in names:
            if isinstance(name, str) and name:
                out.setdefault(name, entry)
    return out


def context_of(entry: Mapping[str, Any]) -> int | None:
    """Return the tokens a model can hold, as its server tells; None if it does not."""
    meta = entry.get("meta")
    told = [entry.get(key) for key in _CONTEXTS]
    told += [meta.get(key) for key in _META_CONTEXTS] if isinstance(meta, dict) else []
    return next((n for n in told if type(n) is int and n >= _LEAST), None)


def _named(body: list[Any]) -> Iterator[dict[str, Any]]:
    for entry in body:
        if not isinstance(entry, dict):
            continue
        names = (entry.get(key) for key in _NAMES)
        name = next((n for n in names if isinstance(n, str) and n), None)
        if name is not None:
            yield entry | {"id": name}
