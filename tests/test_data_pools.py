"""Aim: every pool names models we know, within what is known of them, and can be written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import catalogue, pools
from data.pools import Member, Pool
from kumiawase import settings
from kumiawase.drafts import pools as presets

POOLS = list(pools.load().values())
MEMBERS = [pytest.param(p, m, id=f"{p.name}-{m.model}") for p in POOLS for m in p.members]


def test_there_is_a_pool_for_each_occasion() -> None:
    assert [pool.name for pool in POOLS] == ["2024", "laptop", "today"]


@pytest.mark.parametrize(("pool", "member"), MEMBERS)
def test_a_member_is_in_the_catalogue_and_fits_it(pool: Pool, member: Member) -> None:
    entry = member.entry
    assert entry.id == member.model
    assert entry.context is None or member.context <= entry.context
    assert (entry.template_family == "none") == bool(member.chat_template)
    assert entry.template_family != "none" or member.roles == ["proposer"]
    assert not member.gguf or catalogue.find(presets.served_name(member)) is entry
    assert member.servers[0] != "ollama" or member.gguf
    assert [m.model for m in pool.members].count(member.model) == 1


@pytest.mark.parametrize(("pool", "member"), MEMBERS)
def test_neuron_is_promised_only_to_what_it_names(pool: Pool, member: Member) -> None:
    """vLLM Neuron: Llama 2 and 3.x, Qwen 2.5 and 3; we promise dense ones only."""
    named = member.entry.base.startswith(("Llama 2 ", "Llama 3", "Qwen 2.5", "Qwen2.5"))
    assert ("neuron" in member.servers) == named, pool.name


def test_the_pool_of_2024_holds_the_models_of_that_year() -> None:
    held = {member.model for member in pools.load()["2024"].members}
    assert {
        "karakuri-ai/karakuri-lm-8x7b-instruct-v0.1",
        "karakuri-ai/karakuri-lm-70b-chat-v0.1",
        "tokyotech-llm/Swallow-70b-instruct-v0.1",
        "tokyotech-llm/Swallow-MX-8x7b-NVE-v0.1",
        "sbintuitions/sarashina1-65b",
        "elyza/Llama-3-ELYZA-JP-8B",
        "cyberagent/calm3-22b-chat",
    } <= held
    assert {catalogue.find(model).released[:4] for model in held} <= {"2023", "2024"}  # type: ignore[union-attr] # in the catalogue, says another test


def test_todays_pool_is_the_best_of_each_family() -> None:
    best: dict[str, tuple[float, str]] = {}
    for entry in catalogue.load():
        if "gpt-5.2" in entry.mt_bench and (entry.params_b or 0) <= 150:
            score = (entry.mt_bench["gpt-5.2"], entry.id)
            best[entry.family] = max(best.get(entry.family, score), score)
    pool = pools.load()["today"].members
    assert [m.model for m in pool] == [id_ for _, id_ in sorted(best.values())[::-1][: len(pool)]]


def test_the_laptop_pool_is_small_and_of_several_families() -> None:
    members = pools.load()["laptop"].members
    assert all((m.entry.params_b or 99) <= 4 for m in members)
    assert len({m.entry.family for m in members}) >= 4
    assert all({"ollama", "llama-cpp"} & set(m.servers) for m in members)


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_pool_is_written_as_settings(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "kumiawase.yaml"
    file.write_text(presets.compose(pool), encoding="utf-8")
    found = settings.load(file)
    assert list(found.models) == presets.names(pool)
    assert {*found.proposers, *found.aggregators} == set(presets.names(pool))
    for member, model in zip(pool.members, found.models.values(), strict=True):
        assert model.context == member.context
        assert model.family == member.entry.family
    addresses = {spec.base_url for spec in found.endpoints.values()}
    assert len(addresses) == len(found.endpoints)
    limits = found.form.max_tokens
    for name in found.aggregators:
        assert limits.aggregator * 2 <= (found.models[name].context or 0)
    text = file.read_text(encoding="utf-8")
    assert all(_started(member, text) for member in pool.members)


def _started(member: Member, text: str) -> bool:
    """Tell whether a comment says how to start the member."""
    names = (member.model, member.model.split("/")[-1], member.gguf or member.model)
    starts = ("# vllm serve", "# ollama pull", "# llama-server")
    lines = [line for line in text.splitlines() if line.strip().startswith(starts)]
    return any(name in line for line in lines for name in names)


def test_ollama_is_one_server_however_many_models_it_holds() -> None:
    text = presets.compose(pools.load()["laptop"])
    assert text.count("base_url: http://127.0.0.1:11434/v1") == 1
    assert text.count("# ollama pull") == 2


@pytest.mark.parametrize(
    ("size", "cards"), [(16.0, 1), (64.0, 1), (70.0, 2), (138.0, 4), (240.0, 4)]
)
def test_cards_of_80_gb(size: float, cards: int) -> None:
    member = Member(model="Qwen/Qwen3-8B", context=4096, servers=["vllm"], weights_gb=size)
    assert member.gpus == cards


def test_a_model_of_unknown_size_takes_unknown_cards() -> None:
    member = Member(model="openai/gpt-4o", context=4096, servers=["vllm"])
    assert (member.size_gb, member.gpus) == (None, None)
    assert "size unknown;" in presets.about(member)


def test_the_plain_template_is_there_and_writes_real_newlines() -> None:
    assert presets.chat_templates(pools.load()["2024"]) == ["base_ja.jinja"]
    text = pools.chat_template("base_ja.jinja")
    outside = "".join(part.partition("}}")[2] for part in text.split("{{"))
    assert "\\n" in text
    assert "\\n" not in outside
