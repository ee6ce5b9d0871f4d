"""Aim: a model's name and context are read from every server's words, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from endpoints import listing


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"data": [{"id": "a"}], "models": [{"name": "b"}]}, ["a"]),
        ({"data": None, "models": [{"name": "b"}]}, ["b"]),
        ({"models": [{"name": "n", "model": "m"}, {"name": "n"}]}, ["m", "n"]),
        ([{"id": "a", "name": "A in words"}, {"id": ""}, {"id": 7}, "text", None], ["a"]),
        ({"data": [{"id": "", "name": "n"}]}, ["n"]),
        ({"data": None}, []),
        ({"detail": "no such route"}, []),
        ([], []),
    ],
)
def test_names(body: object, names: list[str]) -> None:
    found = listing.entries(body)
    assert found is not None
    assert [entry["id"] for entry in found] == names


@pytest.mark.parametrize("body", ["text", 7, None, {"data": "text"}, {"data": {"id": "a"}}])
def test_no_list(body: object) -> None:
    assert listing.entries(body) is None


def test_what_else_a_server_tells_stays() -> None:
    assert listing.entries([{"model": "a", "type": "chat"}]) == [
        {"model": "a", "type": "chat", "id": "a"}
    ]


@pytest.mark.parametrize(
    ("entry", "context"),
    [
        ({"max_model_len": 8192}, 8192),
        ({"context_window": 131072}, 131072),
        ({"max_context_length": 32768, "loaded_context_length": 4096}, 4096),
        ({"meta": {"n_ctx": 2048, "n_ctx_train": 32768}}, 2048),
        ({"meta": {"n_ctx_train": 32768}}, 32768),
        ({"max_model_len": None, "meta": {"n_ctx": 2048}}, 2048),
        ({"max_model_len": 0}, None),
        ({"max_model_len": True}, None),
        ({"max_model_len": "8192"}, None),
        ({"meta": None}, None),
        ({"meta": "n_ctx"}, None),
        ({}, None),
    ],
)
def test_contexts(entry: dict[str, Any], context: int | None) -> None:
    assert listing.context_of(entry) == context
