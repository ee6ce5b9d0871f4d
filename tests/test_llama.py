"""Real inference: llama.cpp over HTTP, grammars and all, with models of random weights."""

from __future__ import annotations

import re
from collections.abc import Iterator

import anyio
import pytest
from openai import AsyncOpenAI, BadRequestError, DefaultAioHttpClient
from openai.types.chat import ChatCompletion

from tests.support.llama import ANSWER_GRAMMAR, CONTEXT, VERDICT_GRAMMAR, llama_pool, llama_server

KANA = re.compile(r"([ぁ-ん]{4,16}。){1,2}")
VERDICT = re.compile(r"[ぁ-ん]{4,16}。\n\[\[([1-9]|10)\]\]")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with llama_pool(tmp_path_factory.mktemp("llama"), "tiny-a", "tiny-b") as urls:
        yield urls


async def ask(
    url: str, text: str, *, grammar: str, temperature: float = 0.0, seed: int = 0
) -> ChatCompletion:
    async with AsyncOpenAI(
        base_url=url, api_key="none", max_retries=0, http_client=DefaultAioHttpClient()
    ) as client:
        return await client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": text}],
            temperature=temperature,
            seed=seed,
            max_tokens=256,
            extra_body={"grammar": grammar},
        )


def text_of(completion: ChatCompletion) -> str:
    return completion.choices[0].message.content or ""


async def test_an_answer_is_kana_and_ends_by_itself(pool: dict[str, str]) -> None:
    completion = await ask(pool["tiny-a"], "日本の首都はどこですか。", grammar=ANSWER_GRAMMAR)

    assert KANA.fullmatch(text_of(completion))
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "tiny-a"


async def test_a_verdict_is_an_explanation_and_a_marker(pool: dict[str, str]) -> None:
    completion = await ask(pool["tiny-a"], "この回答を採点してください。", grammar=VERDICT_GRAMMAR)

    assert VERDICT.fullmatch(text_of(completion))
    assert completion.choices[0].finish_reason == "stop"


async def test_models_of_two_seeds_answer_differently(pool: dict[str, str]) -> None:
    replies = [
        await ask(url, "一つ挙げてください。", grammar=ANSWER_GRAMMAR) for url in pool.values()
    ]

    assert len({text_of(reply) for reply in replies}) == 2


async def test_a_seed_repeats_its_text_and_another_changes_it(pool: dict[str, str]) -> None:
    async def draw(seed: int) -> str:
        reply = await ask(
            pool["tiny-b"], "俳句", grammar=ANSWER_GRAMMAR, temperature=0.7, seed=seed
        )
        return text_of(reply)

    assert await draw(1) == await draw(1)
    assert await draw(1) != await draw(2)


async def test_many_requests_at_once_are_all_answered(pool: dict[str, str]) -> None:
    replies: list[ChatCompletion] = []

    async def one(number: int) -> None:
        replies.append(
            await ask(pool["tiny-b"], f"{number}番の質問です。" * 20, grammar=ANSWER_GRAMMAR)
        )

    async with anyio.create_task_group() as group:
        for number in range(40):
            group.start_soon(one, number)

    assert len(replies) == 40
    assert all(KANA.fullmatch(text_of(reply)) for reply in replies)


async def test_a_prompt_of_six_thousand_bytes_fits(pool: dict[str, str]) -> None:
    completion = await ask(pool["tiny-a"], "参" * 2000, grammar=ANSWER_GRAMMAR)

    assert completion.usage is not None
    assert 6000 <= completion.usage.prompt_tokens < CONTEXT
    assert KANA.fullmatch(text_of(completion))


async def test_a_longer_prompt_is_refused_by_name(pool: dict[str, str]) -> None:
    with pytest.raises(BadRequestError, match="exceeds the available context"):
        await ask(pool["tiny-a"], "参" * 3000, grammar=ANSWER_GRAMMAR)


def test_a_server_that_does_not_start_skips_or_fails_in_ci(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path_factory.mktemp("broken") / "model.gguf"
    broken.write_bytes(b"no model")

    monkeypatch.delenv("CI", raising=False)
    with (
        pytest.raises(pytest.skip.Exception, match="does not start"),
        llama_server(broken, "broken"),
    ):
        pass
    monkeypatch.setenv("CI", "true")
    with (
        pytest.raises(pytest.fail.Exception, match="does not start"),
        llama_server(broken, "broken"),
    ):
        pass
