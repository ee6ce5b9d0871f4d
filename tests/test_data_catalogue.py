"""Aim: the catalogue tells facts it can stand for, and finds a model only where it is sure."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from data import catalogue


def test_ids_are_unique_and_every_row_names_its_source() -> None:
    entries = catalogue.load()
    assert len(entries) >= 30
    assert len({entry.id.lower().split("/")[-1] for entry in entries}) == len(entries)
    assert all(entry.source and entry.name and entry.family for entry in entries)
    assert {entry.system_role for entry in entries} == {"yes", "no", ""}
    assert {entry.tokenizer for entry in entries} == {"sentencepiece", "unigram", "bpe", ""}


def test_sizes_and_contexts_agree_with_the_registry(shared: Path) -> None:
    with (shared / "models" / "japanese_models.csv").open(encoding="utf-8", newline="") as file:
        registry = {row["hf_id"]: row for row in csv.DictReader(file)}
    known = [entry for entry in catalogue.load() if entry.id in registry]
    assert len(known) >= 30
    for entry in known:
        row = registry[entry.id]
        assert entry.params_b == float(row["params_total_b"]), entry.id
        context = row["context_length"].replace(",", "")
        if context:
            assert str(entry.context) in context, entry.id


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
    ],
)
def test_a_served_name_finds_its_model(name: str, found: str) -> None:
    entry = catalogue.find(name)
    assert entry is not None
    assert entry.id == found


@pytest.mark.parametrize(
    "name", ["", "/", "gpt-oss", "gpt-oss:latest", "qwen3", "sim/alpha", "8b"]
)
def test_what_is_not_certain_is_not_found(name: str) -> None:
    assert catalogue.find(name) is None


def test_search_wants_every_word_and_the_licence() -> None:
    found = catalogue.search("swallow 70B", licence="llama 3.3")
    assert [entry.id for entry in found] == ["tokyotech-llm/Llama-3.3-Swallow-70B-Instruct-v0.4"]
    assert catalogue.search() == list(catalogue.load())
    assert all("Apache" in entry.licence for entry in catalogue.search(licence="apache"))
    assert not catalogue.search("no such model")
