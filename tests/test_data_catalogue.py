"""Aim: the catalogue tells facts it can stand for, and finds a model only where it is sure."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from data import catalogue
from data.catalogue import ATTESTED, INFERRED, Entry
from data.licences import commercial_use

# Rows of our own, with sources of their own.
OWN = {"tokyotech-llm/Swallow-70b-instruct-hf", "openai/gpt-4o"}
# Cells we know from elsewhere where the registry has none: (model, fact).
ELSEWHERE = {
    ("karakuri-ai/karakuri-lm-70b-chat-v0.1", "context"),
    ("CohereForAI/c4ai-command-r-plus", "context"),
    ("CohereForAI/c4ai-command-r-plus", "licence"),
    ("CohereForAI/c4ai-command-r-plus", "params_b"),
    ("CohereForAI/c4ai-command-r-v01", "licence"),
    ("CohereForAI/c4ai-command-r-v01", "params_b"),
    ("CohereForAI/aya-expanse-32b", "licence"),
    ("CohereForAI/aya-expanse-8b", "licence"),
    ("Qwen/Qwen2.5-72B-Instruct", "context"),
    ("Qwen/Qwen3-8B", "context"),
    ("Qwen/Qwen3-8B", "licence"),
    ("google/gemma-2-27b-it", "licence"),
    ("meta-llama/Llama-3.3-70B-Instruct", "licence"),
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", "licence"),
    ("openai/gpt-oss-120b", "context"),
    ("openai/gpt-oss-120b", "licence"),
}


@pytest.fixture(scope="session")
def registry(shared: Path) -> Mapping[str, Mapping[str, str]]:
    with (shared / "models" / "japanese_models.csv").open(encoding="utf-8", newline="") as file:
        return {row["hf_id"]: row for row in csv.DictReader(file)}


def entry(id_: str) -> Entry:
    found = {e.id: e for e in catalogue.load()}
    return found[id_]


def test_ids_are_unique_and_every_row_names_its_source() -> None:
    entries = catalogue.load()
    assert len(entries) == 129
    assert len({e.id.lower().split("/")[-1] for e in entries}) == len(entries)
    assert all(e.source and e.name and e.family for e in entries)
    assert {e.system_role for e in entries} == {"yes", "folded", "dropped", "refused", None}
    assert {e.tokenizer for e in entries} == {"sentencepiece", "unigram", "bpe", ""}
    assert {e.roles_alternate for e in entries} == {True, None}


@pytest.mark.parametrize("fact", ATTESTED)
def test_a_fact_is_known_exactly_where_it_has_evidence(fact: str) -> None:
    for e in catalogue.load():
        known = getattr(e, fact) not in (None, "")
        assert known == (fact in e.evidence), f"{e.id}: {fact}"


def test_every_model_of_the_registry_is_there(
    registry: Mapping[str, Mapping[str, str]],
) -> None:
    assert len(registry) == 127
    assert {e.id for e in catalogue.load()} == set(registry) | OWN


@pytest.mark.parametrize(
    ("fact", "column"),
    [
        ("params_b", "params_total_b"),
        ("active_b", "params_active_b"),
        ("context", "context_length"),
        ("licence", "licence"),
        ("tokenizer", "tokenizer"),
        ("developer", "developer"),
        ("base", "base_model_or_arch"),
        ("released", "date"),
    ],
)
def test_nothing_is_known_where_the_registry_is_blank(
    registry: Mapping[str, Mapping[str, str]], fact: str, column: str
) -> None:
    for id_, row in registry.items():
        known = getattr(entry(id_), fact) not in (None, "")
        elsewhere = (id_, fact) in ELSEWHERE
        assert known == bool(row[column] or elsewhere), f"{id_}: {fact}"
        assert not (row[column] and elsewhere), f"{id_}: {fact} is no longer from elsewhere"


def test_templates_and_roles_are_known_only_where_the_registry_tells(
    registry: Mapping[str, Mapping[str, str]],
) -> None:
    for id_, row in registry.items():
        e = entry(id_)
        base = row["note"].startswith("base") or "base model" in row["system_prompt"]
        assert bool(e.template_family) == bool(row["chat_template_family"] or base), id_
        assert (e.template_family == "none") == base, id_
        assert (e.system_role is not None) == (bool(row["system_prompt"]) and not base), id_
        assert (e.system_role == "folded") == ("<<SYS>>" in row["system_prompt"]), id_
        if e.roles_alternate:
            told = "alternating" in row["note"] or row["chat_template_family"].startswith(
                ("Llama-2", "Mistral", "Gemma")
            )
            assert told, id_


def test_numbers_agree_with_the_registry(registry: Mapping[str, Mapping[str, str]]) -> None:
    for id_, row in registry.items():
        e = entry(id_)
        if row["params_total_b"]:
            assert e.params_b == float(row["params_total_b"]), id_
        if row["context_length"]:
            told = re.findall(r"\d+", row["context_length"].replace(",", ""))
            assert str(e.context) in told, id_
        scores = {
            "gpt-4": row["jmtb_swallow2024_gpt4-1106"],
            "gpt-4o": row["jmtb_swallow_v1_gpt4o-0806"],
            "gpt-5.2": row["jmtb_swallow_head_gpt5.2"].split(":")[-1],
        }
        assert e.mt_bench == {judge: float(s) for judge, s in scores.items() if s}, id_


def test_what_the_registry_infers_says_so(registry: Mapping[str, Mapping[str, str]]) -> None:
    for id_, row in registry.items():
        evidence = entry(id_).evidence
        for fact, column in (
            ("tokenizer", "tokenizer_evidence"),
            ("template_family", "template_evidence"),
        ):
            if fact in evidence and row[column].startswith("inferred"):
                assert evidence[fact].startswith(INFERRED), f"{id_}: {fact}"


@pytest.mark.parametrize(
    ("id_", "facts"),
    [
        (
            "karakuri-ai/karakuri-lm-8x7b-instruct-v0.1",
            {"template_family": "command-r", "system_role": "yes", "roles_alternate": True},
        ),
        ("karakuri-ai/karakuri-lm-70b-chat-v0.1", {"context": 4096, "system_role": "folded"}),
        ("sbintuitions/sarashina2-13b", {"context": 4096, "template_family": "none"}),
        ("sbintuitions/sarashina2-70b", {"context": 8192}),
        ("cyberagent/calm2-7b-chat", {"context": 32768, "system_role": "dropped"}),
        ("pfnet/plamo-13b-instruct", {"context": 8192, "licence": "Apache-2.0"}),
        ("google/gemma-2-2b-jpn-it", {"system_role": "refused", "roles_alternate": True}),
        ("Qwen/Qwen3-8B", {"thinks": True, "context": 32768}),
        ("tokyotech-llm/Llama-3.3-Swallow-70B-Instruct-v0.4", {"thinks": False}),
        ("openai/gpt-4o", {"context": 128000, "system_role": "yes"}),
    ],
)
def test_facts_at_a_glance(id_: str, facts: Mapping[str, object]) -> None:
    found = entry(id_)
    assert {name: getattr(found, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("licence", "use"),
    [
        ("Apache-2.0", "allowed"),
        ("MIT", "allowed"),
        ("Llama 2 Community License", "conditions"),
        ("Llama 3.1 Community License; Gemma Terms of Use", "conditions"),
        ("Tongyi Qianwen License", "conditions"),
        ("CC-BY-NC-4.0", "forbidden"),
        ("Microsoft Research License", "forbidden"),
        ("PLaMo Non-Commercial License", "forbidden"),
        ("Sarashina Model NonCommercial License", "forbidden"),
        ("Apache-2.0; CC-BY-NC-4.0", "forbidden"),
        ("Apache-2.0; somebody's own", None),
        ("somebody's own", None),
        ("", None),
    ],
)
def test_a_licence_says_what_commerce_may(licence: str, use: str | None) -> None:
    assert commercial_use(licence) == use


def test_a_doubted_licence_allows_nothing_for_sure() -> None:
    doubted = [e for e in catalogue.load() if "doubts" in e.evidence.get("licence", "")]
    assert len(doubted) == 7
    assert {e.commercial_use for e in doubted} == {None}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("karakuri-ai/karakuri-lm-70b-chat-v0.1", "karakuri-ai/karakuri-lm-70b-chat-v0.1"),
        ("KARAKURI-LM-70B-Chat-v0.1", "karakuri-ai/karakuri-lm-70b-chat-v0.1"),
        ("someone/Llama-3-ELYZA-JP-8B-GGUF", "elyza/Llama-3-ELYZA-JP-8B"),
        ("/models/Llama-3-ELYZA-JP-8B-q4_k_m.gguf", "elyza/Llama-3-ELYZA-JP-8B"),
        ("Llama-3.3-70B-Instruct-FP8", "meta-llama/Llama-3.3-70B-Instruct"),
        ("qwen3:8b-q4_K_M", "Qwen/Qwen3-8B"),
        ("gpt-oss:20b", "openai/gpt-oss-20b"),
        ("gpt-4o", "openai/gpt-4o"),
        (
            "hf.co/SakanaAI/TinySwallow-1.5B-Instruct-GGUF:Q5_K_M",
            "SakanaAI/TinySwallow-1.5B-Instruct",
        ),
    ],
)
def test_a_served_name_finds_its_model(name: str, found: str) -> None:
    known = catalogue.find(name)
    assert known is not None
    assert known.id == found


@pytest.mark.parametrize(
    "name", ["", "/", "gpt-oss", "gpt-oss:latest", "qwen3", "sim/alpha", "8b"]
)
def test_what_is_not_certain_is_not_found(name: str) -> None:
    assert catalogue.find(name) is None


def test_search_wants_every_word_and_the_licence() -> None:
    found = catalogue.search("swallow 70B", licence="llama 3.3")
    assert [e.id for e in found] == ["tokyotech-llm/Llama-3.3-Swallow-70B-Instruct-v0.4"]
    assert catalogue.search() == list(catalogue.load())
    assert all("Apache" in e.licence for e in catalogue.search(licence="apache"))
    assert not catalogue.search("no such model")


def test_a_size_finds_that_size() -> None:
    found = catalogue.search("7b", licence="apache")
    assert "Rakuten/RakutenAI-7B-chat" in {e.id for e in found}
    assert all(6.5 < (e.params_b or 0) < 7.5 for e in found)
    assert catalogue.search("8x7b")


def test_an_entry_is_json() -> None:
    assert json.loads(json.dumps(asdict(entry("Qwen/Qwen3-8B"))))["evidence"]["context"]
