"""A pool to start from as a kumiawase.yaml that says what to start."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from data.pools import Member, Pool, Server
from kumiawase import licences
from kumiawase.drafts import draft
from kumiawase.drafts.draft import Draft, Line, Model

_OLLAMA = ("ollama", "http://127.0.0.1:11434/v1")
_FIRST_PORT: dict[Server, int] = {"vllm": 8001, "neuron": 8001, "llama-cpp": 8081}
_SERVERS: dict[Server, str] = {
    "vllm": "vLLM",
    "neuron": "vLLM Neuron (AWS Inferentia2)",
    "ollama": "Ollama",
    "llama-cpp": "llama.cpp",
}
_COLUMNS = 94


def compose(pool: Pool, *, openai_url: str = "") -> str:
    """Return a commented kumiawase.yaml with the pool's members.

    Args:
        pool: The pool.
        openai_url: Where OpenAI is reached if a key for it is at hand; then GPT judges.
    """
    endpoints, models = [], []
    for member, name, port in zip(pool.members, names(pool), _ports(pool.members), strict=True):
        endpoints.append(_endpoint(member, name, port))
        models.append(_model(member, name, endpoints[-1].name))
    unique = {line.name: line for line in reversed(endpoints)}
    if _OLLAMA[0] in unique:
        pulls = [note for line in endpoints if line.name == _OLLAMA[0] for note in line.notes]
        unique[_OLLAMA[0]] = Line(_OLLAMA[0], {"base_url": _OLLAMA[1]}, tuple(pulls))
    head = (
        f"Pool {pool.name}, written by `kumiawase init`. Start what you have room for, take out",
        "the rest, then: kumiawase doctor, kumiawase search. docs/models.md says more.",
        *_wrapped(pool.about),
        *_wrapped(pool.needs),
    )
    lines = tuple(reversed(unique.values()))
    return draft.write(Draft(head, lines, tuple(models), pool.max_tokens), openai=openai_url)


def names(pool: Pool) -> list[str]:
    """Return the names by which the members are known: the part behind the owner."""
    return [member.model.rsplit("/", 1)[-1] for member in pool.members]


def chat_templates(pool: Pool) -> list[str]:
    """Return the chat templates that the members' commands name as files."""
    return sorted({member.chat_template for member in pool.members if member.chat_template})


def command(member: Member, server: Server, port: int) -> str:
    """Return what to type to serve a member."""
    if server == "ollama":
        return f"ollama pull {served_name(member)}"
    if server == "llama-cpp":
        source = f"-hf {member.gguf}" if member.gguf else f"-m {member.model.split('/')[-1]}.gguf"
        return _joined(f"llama-server {source} --port {port} -np 1 -c {member.context}", member)
    text = f"vllm serve {member.model} --port {port} --max-model-len {member.context}"
    if server == "neuron":
        return _joined(f"{text} --max-num-seqs 8 --tensor-parallel-size 24", member)
    cards = member.gpus or 1
    parallel = f" --tensor-parallel-size {cards}" if cards > 1 else ""
    return _joined(f"{text}{parallel} --generation-config vllm", member)


def served_name(member: Member) -> str:
    """Return the name Ollama gives to a member."""
    return f"hf.co/{member.gguf}"


def _joined(text: str, member: Member) -> str:
    template = f"--chat-template {member.chat_template}" if member.chat_template else ""
    return " ".join(filter(None, (text, template, member.flags)))


def _ports(members: Sequence[Member]) -> list[int]:
    used: dict[int, int] = {}
    ports = []
    for member in members:
        first = _FIRST_PORT.get(member.servers[0], 0)
        ports.append(first + used.get(first, 0))
        used[first] = used.get(first, 0) + 1
    return ports


def _endpoint(member: Member, name: str, port: int) -> Line:
    server = member.servers[0]
    if server == "ollama":
        return Line(_OLLAMA[0], {"base_url": _OLLAMA[1]}, (command(member, server, port),))
    notes = [command(member, server, port)]
    if server == "llama-cpp" and not member.gguf:
        notes.insert(0, f"convert_hf_to_gguf.py (llama.cpp) makes the file from {member.model}.")
    return Line(name, {"base_url": f"http://127.0.0.1:{port}/v1"}, tuple(notes))


def _model(member: Member, name: str, endpoint: str) -> Model:
    server, entry = member.servers[0], member.entry
    served = served_name(member) if server == "ollama" else member.model
    value: dict[str, Any] = {"endpoint": endpoint, "served_name": served}
    if server == "ollama":
        value["catalogue"] = member.model
    value["context"] = member.context
    value |= {"roles": member.roles} if member.roles else {}
    value |= {"extra_body": member.extra_body} if member.extra_body else {}
    return Model(
        name,
        value,
        (*_wrapped(about(member)), *_wrapped(member.note), *licences.warning(entry)),
        family=entry.family,
        params_b=entry.params_b,
        context=member.context,
        thinks=bool(entry.thinks),
    )


def about(member: Member) -> str:
    """Return a line on a member: its size, the cards it takes, what it runs on, its licence."""
    size = f"{member.size_gb:.0f} GB of weights" if member.size_gb else "size unknown"
    cards = f", {member.gpus} GPUs of 80 GB" if (member.gpus or 1) > 1 else ""
    servers = ", ".join(_SERVERS[server] for server in member.servers)
    licence = licences.describe(member.entry)
    return f"{member.entry.name}: {size}{cards}; {servers}; licence {licence}."


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, break_on_hyphens=False)
