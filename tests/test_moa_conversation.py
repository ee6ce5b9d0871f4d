"""Documents and tools reach every agent, and citations and calls come out at the end."""

from __future__ import annotations

import json

from data.suites.item import Document
from endpoints.request import Message, Request
from judges.structured import Call, find_calls
from moa import prompts
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import Agent, Ensemble
from tests.support.completers import Reply, ScriptedCompleter

TOOL = {"type": "function", "function": {"name": "天気", "parameters": {"type": "object"}}}
CALL = '{"name": "天気", "arguments": {"都市": "札幌"}}'
PROMPT = "sha256:test"
ENSEMBLE = Ensemble(
    ((Agent("a", 0.0), Agent("b", 0.0)), (Agent("a", 0.0, prompt=PROMPT),)),
    Agent("c", 0.0, prompt=PROMPT),
)


def user(text: str) -> Message:
    return {"role": "user", "content": text}


async def answered(
    conversation: Conversation, native: frozenset[str] = frozenset(), reply: Reply = CALL
) -> tuple[list[Request], tuple[str, ...]]:
    models = ScriptedCompleter(lambda _: reply)
    engine = Engine(models, {PROMPT: "まとめる。"}, MaxTokens(), native_tools=native)
    return models.requests, (await engine.answer(ENSEMBLE, conversation)).texts


def test_a_conversation_with_nothing_to_it_is_left_untouched() -> None:
    conversation = Conversation(("質問",), system="敬語で。")
    expected = ({"role": "system", "content": "敬語で。"}, user("質問"))
    assert conversation.messages(()) == expected
    assert conversation.messages((), native_tools=True) == expected


def test_documents_stand_before_the_first_question_with_their_numbers() -> None:
    document = Document("3", "題", "本文")
    conversation = Conversation(("質問", "続き"), (document,))
    first, answer, second = conversation.messages(("答え [3]",))
    assert first["content"] == f"{prompts.text('documents_ja')}\n\n[3] 題\n本文\n\n質問"
    assert answer == {"role": "assistant", "content": "答え [3]"}
    assert second == user("続き")


def test_the_instructions_tell_an_aggregator_what_to_do_with_references() -> None:
    for name in ("documents_ja", "tools_ja", "tools_native_ja"):
        assert "ほかのモデルの回答も示されている場合" in prompts.text(name)
    assert "[番号]" in prompts.text("documents_ja")


def test_tools_are_described_in_text_or_left_to_the_request() -> None:
    conversation = Conversation(("質問",), (Document("1", "題", "本文"),), (TOOL,))
    (text,) = conversation.messages(())
    (native,) = conversation.messages((), native_tools=True)
    assert json.dumps(TOOL["function"], ensure_ascii=False) in text["content"]
    assert "天気" not in native["content"]
    assert prompts.text("tools_native_ja") in native["content"]
    assert text["content"].endswith("\n\n質問")
    assert native["content"].endswith("\n\n質問")
    assert native["content"].startswith(prompts.text("documents_ja"))


async def test_every_agent_sees_documents_and_the_references_keep_their_citations() -> None:
    conversation = Conversation(("質問",), (Document("1", "題", "本文"),))
    requests, texts = await answered(conversation, reply="本文による [1]。")
    assert len(requests) == 4
    assert all("[1] 題\n本文" in r.messages[-1]["content"] for r in requests)
    assert "\n1. 本文による [1]。\n2. 本文による [1]。" in requests[2].messages[0]["content"]
    assert texts == ("本文による [1]。",)


async def test_a_model_that_takes_tools_as_such_gets_them_so_and_no_other_does() -> None:
    conversation = Conversation(
        ("札幌は？", "では函館は？"), (), (TOOL,), system="敬語で。", history=(user("前"),)
    )
    requests, texts = await answered(conversation, frozenset({"a", "c"}))
    plain, _ = await answered(conversation)
    for request, text in zip(requests, plain, strict=True):
        native = request.model in ("a", "c")
        assert request.tools == ((TOOL,) if native else ())
        whole = json.dumps(request.messages, ensure_ascii=False)
        assert (json.dumps(prompts.text("tools_ja"), ensure_ascii=False)[1:-1] in whole) != native
        assert request.messages[0] == text.messages[0]  # system turn and references
        assert [m["role"] for m in request.messages] == [m["role"] for m in text.messages]
        assert request.messages[-1]["content"].endswith(text.messages[-1]["content"][-5:])
    assert [find_calls(text) for text in texts] == [[Call("天気", {"都市": "札幌"})]] * 2


async def test_without_tools_a_model_that_could_take_them_gets_an_ordinary_request() -> None:
    requests, _ = await answered(Conversation(("質問",)), frozenset({"a", "b", "c"}))
    assert all(request.tools == () for request in requests)
    assert requests[0].messages == (user("質問"),)
