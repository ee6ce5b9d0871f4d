"""The engine sends what the Mixture-of-Agents scheme sends, message for message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from data.errors import (
    BudgetSpentError,
    ConnectionFailedError,
    ContextOverflowError,
    EmptyReplyError,
    KumiawaseError,
)
from data.observer import Silent
from data.suites.item import Document
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.request import Completion, Message, Request
from endpoints.specs import EndpointSpec, ModelSpec
from moa import prompts
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import Agent, Ensemble, single
from tests.support.fake_endpoint import fake_endpoint, says
from tests.support.stores import MemoryMeter, MemoryStore

TEXT = "Combine these.\n\nResponses from models:"
PROMPT = "sha256:test"


class Models:
    """A completer whose models say what a test lets them say, and that remembers the requests."""

    def __init__(self, says: Callable[[Request], str | KumiawaseError]) -> None:
        self.says = says
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        # Later agents of a layer answer first: order of arrival must not matter.
        await asyncio.sleep(0.001 * (20 - len(self.requests)))
        reply = self.says(request)
        if isinstance(reply, KumiawaseError):
            raise reply
        text, _, finish = reply.partition("#")
        return Completion(
            key=f"k{len(self.requests)}",
            text=text,
            finish_reason=finish or "stop",
            prompt_tokens=10,
            completion_tokens=5,
            estimated=False,
            seconds=len(text) / 10,
            usd=0.25,
            served=request.model,
        )

    def of(self, model: str, role: str) -> list[Request]:
        return [r for r in self.requests if r.model == model and r.role == role]


def _by_name(request: Request) -> str:
    return f"{request.model}の答え{request.draw}"


def _engine(models: Models, quorum: float = 1.0) -> Engine:
    return Engine(models, {PROMPT: TEXT}, MaxTokens(100, 200), quorum=quorum)


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _two_layers() -> Ensemble:
    return Ensemble(
        (
            (Agent("b", 0.7), Agent("a", 0.7, 2)),
            (Agent("a", 0.0, prompt=PROMPT), Agent("b", 0.0, prompt=PROMPT)),
        ),
        Agent("c", 0.0, prompt=PROMPT),
    )


async def test_the_first_layer_gets_the_conversation_untouched() -> None:
    models = Models(_by_name)
    await _engine(models).answer(_two_layers(), Conversation(("質問",)))
    first = [r for r in models.requests if r.temperature == 0.7]
    assert [(r.model, r.draw) for r in first] == [("a", 0), ("a", 1), ("b", 0)]
    assert all(r.messages == (_user("質問"),) and r.max_tokens == 100 for r in first)


async def test_references_stand_numbered_in_canonical_order_in_a_new_system_message() -> None:
    models = Models(_by_name)
    await _engine(models).answer(_two_layers(), Conversation(("質問",)))
    block = f"{TEXT}\n1. aの答え0\n2. aの答え1\n3. bの答え0"
    second = [r for r in models.requests if r.temperature == 0.0 and r.role == "proposer"]
    assert [r.model for r in second] == ["a", "b"]
    assert all(r.messages == ({"role": "system", "content": block}, _user("質問")) for r in second)


async def test_the_aggregator_sees_the_last_layer_only() -> None:
    models = Models(_by_name)
    answer = await _engine(models).answer(_two_layers(), Conversation(("質問",)))
    (request,) = models.of("c", "aggregator")
    block = f"{TEXT}\n1. aの答え0\n2. bの答え0"
    assert request.messages == ({"role": "system", "content": block}, _user("質問"))
    assert request.max_tokens == 200
    assert answer.texts == ("cの答え0",)


async def test_a_callers_system_message_keeps_its_text_before_the_references() -> None:
    models = Models(_by_name)
    ensemble = Ensemble(((Agent("a", 0.0),),), Agent("c", 0.0, prompt=PROMPT))
    await _engine(models).answer(ensemble, Conversation(("質問",), system="敬語で。"))
    (request,) = models.of("c", "aggregator")
    assert request.messages[0]["content"] == f"敬語で。\n\n{TEXT}\n1. aの答え0"
    assert len(request.messages) == 2


async def test_a_single_model_is_asked_nothing_but_the_question() -> None:
    models = Models(_by_name)
    answer = await _engine(models).answer(single("a", 0.0), Conversation(("質問",)))
    assert [r.messages for r in models.requests] == [(_user("質問"),)]
    assert answer.calls == 1


async def test_later_turns_build_on_the_aggregators_answers_and_start_at_the_first_layer() -> None:
    models = Models(_by_name)
    ensemble = Ensemble(((Agent("a", 0.0),),), Agent("c", 0.0, prompt=PROMPT))
    answer = await _engine(models).answer(ensemble, Conversation(("一", "二")))
    history = (_user("一"), {"role": "assistant", "content": "cの答え0"}, _user("二"))
    assert [r.messages for r in models.of("a", "proposer")] == [(_user("一"),), history]
    assert models.of("c", "aggregator")[1].messages[1:] == history
    assert answer.texts == ("cの答え0", "cの答え0")


async def test_replies_are_stripped() -> None:
    models = Models(lambda r: f"\n {r.model} \n")
    ensemble = Ensemble(((Agent("a", 0.0),),), Agent("c", 0.0, prompt=PROMPT))
    answer = await _engine(models).answer(ensemble, Conversation(("質問",)))
    assert models.of("c", "aggregator")[0].messages[0]["content"] == f"{TEXT}\n1. a"
    assert answer.texts == ("c",)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (EmptyReplyError("nothing"), "empty"),
        (ContextOverflowError("too long"), "context_overflow"),
        ("途中まで#length", "cut"),
    ],
)
async def test_a_lost_reference_closes_the_numbering_and_marks_the_answer(
    failure: str | KumiawaseError, reason: str
) -> None:
    models = Models(lambda r: failure if r.draw == 1 else _by_name(r))
    ensemble = Ensemble(((Agent("a", 0.7, 3),),), Agent("c", 0.0, prompt=PROMPT))
    answer = await _engine(models).answer(ensemble, Conversation(("質問",)))
    assert (
        models.of("c", "aggregator")[0]
        .messages[0]["content"]
        .endswith("\n1. aの答え0\n2. aの答え2")
    )
    (lost,) = answer.lost
    assert (lost.turn, lost.layer, lost.model, lost.draw, lost.reason) == (1, 1, "a", 1, reason)
    assert answer.marked


async def test_without_a_surviving_reference_the_bare_question_is_sent() -> None:
    models = Models(lambda r: EmptyReplyError("") if r.role == "proposer" else "答え")
    ensemble = Ensemble(((Agent("a", 0.0),),), Agent("c", 0.0, prompt=PROMPT))
    await _engine(models).answer(ensemble, Conversation(("質問",)))
    assert models.of("c", "aggregator")[0].messages == (_user("質問"),)


async def test_an_aggregator_without_a_word_has_given_an_empty_answer() -> None:
    models = Models(lambda r: EmptyReplyError("") if r.role == "aggregator" else "答え")
    ensemble = Ensemble(((Agent("a", 0.0),),), Agent("c", 0.0, prompt=PROMPT))
    answer = await _engine(models).answer(ensemble, Conversation(("質問",)))
    assert answer.texts == ("",)
    assert not answer.marked


async def test_a_cut_answer_is_an_answer_and_says_so() -> None:
    answer = await _engine(Models(lambda _: "途中#length")).answer(
        single("a", 0.0), Conversation(("質問",))
    )
    assert (answer.texts, answer.cut) == (("途中",), True)


@pytest.mark.parametrize("failure", [ConnectionFailedError("gone"), BudgetSpentError("spent")])
@pytest.mark.parametrize("role", ["proposer", "aggregator"])
async def test_an_endpoints_failure_is_no_answer(failure: KumiawaseError, role: str) -> None:
    models = Models(lambda r: failure if r.role == role else "答え")
    ensemble = Ensemble(((Agent("a", 0.7, 2),),), Agent("c", 0.0, prompt=PROMPT))
    with pytest.raises(type(failure)):
        await _engine(models).answer(ensemble, Conversation(("質問",)))


async def test_with_a_quorum_half_of_a_layer_is_enough() -> None:
    models = Models(lambda r: ConnectionFailedError("gone") if r.model == "a" else "答え")
    half = Ensemble(((Agent("a", 0.0), Agent("b", 0.0)),), Agent("c", 0.0, prompt=PROMPT))
    answer = await _engine(models, 0.5).answer(half, Conversation(("質問",)))
    assert [lost.reason for lost in answer.lost] == ["connection"]
    less = Ensemble(((Agent("a", 0.7, 2), Agent("b", 0.0)),), Agent("c", 0.0, prompt=PROMPT))
    with pytest.raises(ConnectionFailedError):
        await _engine(models, 0.5).answer(less, Conversation(("質問",)))


async def test_an_answers_seconds_are_the_slowest_of_each_layer_in_a_row() -> None:
    models = Models(lambda r: {"a": "x" * 10, "b": "x" * 30, "c": "x" * 20}[r.model])
    ensemble = Ensemble(((Agent("a", 0.0), Agent("b", 0.0)),), Agent("c", 0.0, prompt=PROMPT))
    answer = await _engine(models).answer(ensemble, Conversation(("質問",)))
    assert answer.seconds == pytest.approx(3.0 + 2.0)
    assert (answer.calls, answer.prompt_tokens, answer.completion_tokens) == (3, 30, 15)
    assert answer.usd == pytest.approx(0.75)


async def test_documents_and_tools_stand_before_the_first_question_of_every_layer() -> None:
    models = Models(_by_name)
    tool = {"type": "function", "function": {"name": "天気", "parameters": {}}}
    conversation = Conversation(("質問", "続き"), (Document("1", "題", "本文"),), (tool,))
    ensemble = Ensemble(((Agent("a", 0.0),),), Agent("c", 0.0, prompt=PROMPT))
    await _engine(models).answer(ensemble, conversation)
    for request in models.requests:
        user = next(m["content"] for m in request.messages if m["role"] == "user")
        assert prompts.text("documents_ja") in user
        assert "[1] 題\n本文" in user
        assert '"name": "天気"' in user
        assert user.endswith("\n\n質問")
    assert models.requests[-1].messages[-1] == _user("続き")


async def test_draws_are_requests_of_their_own_at_once_and_nothing_is_asked_of_the_servers_n() -> (
    None
):
    async with fake_endpoint() as fake:

        async def when_all_are_there(request: web.Request) -> web.StreamResponse:
            if fake.calls[-1].body["model"] == "a":
                await fake.arrived(4)
            return await says("答え")(request)

        fake.default = when_all_are_there
        models = {name: ModelSpec(name, "local", name, name) for name in "ac"}
        endpoints = {"local": Endpoint(EndpointSpec("local", fake.url))}
        store = MemoryStore()
        completions = Completions(models, endpoints, store, MemoryMeter(), "s", Silent())
        engine = Engine(completions, {PROMPT: TEXT}, MaxTokens(100, 200))
        ensemble = Ensemble(((Agent("a", 0.7, 4),),), Agent("c", 0.3, prompt=PROMPT))
        answer = await engine.answer(ensemble, Conversation(("質問",)))
        await completions.close()
    *draws, synthesis = [call.body for call in fake.calls]
    assert fake.most_at_once == 4
    assert sorted(body.pop("seed") for body in draws) == [0, 1, 2, 3]
    user = {"role": "user", "content": "質問"}
    bare = {"model": "a", "messages": [user], "temperature": 0.7, "top_p": 1.0, "max_tokens": 100}
    assert draws == [bare] * 4
    assert (synthesis["temperature"], synthesis["max_tokens"]) == (0.3, 200)
    assert len(set(answer.keys)) == len(store.completions) == 5
