"""References are cut to a reader's window: equally, at sentence ends, told, in one way only."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from data.errors import ContextOverflowError
from data.observer import Silent
from data.suites.item import Document
from db.facts import Served
from db.store import Store
from db.study_facts import StudyFacts
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.facts import MemoryFacts, ModelFacts, Window
from endpoints.request import Completion, Request
from endpoints.specs import EndpointSpec, ModelSpec
from endpoints.tokens import Tokens, units
from moa.answer import Answer
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import Agent, Ensemble, single
from moa.fitting import Fitted, Fitter, beginning, equal_cap
from tests.support.fake_endpoint import FakeEndpoint, fake_endpoint
from tests.support.stores import MemoryMeter

PROMPT = "sha256:test"
TEXT = "次の回答をまとめてください。\n\nモデルの回答:"
SENTENCE = "それは確かにそのとおりです。"
QUESTION = Conversation(("日本の首都はどこですか。",))


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=12), st.integers(0, 5000))
def test_a_cap_fills_the_room_and_no_more(counts: list[int], room: int) -> None:
    cap = equal_cap(counts, room)
    assert sum(min(count, cap) for count in counts) <= room or cap == 0
    if cap < max(counts):
        assert sum(min(count, cap + 1) for count in counts) > room


def test_room_that_short_references_leave_goes_to_the_long_ones() -> None:
    assert equal_cap([900] * 6, 1200) == 200
    assert equal_cap([10, 900, 900], 810) == 400
    assert equal_cap([10, 20, 30], 100) == 30


@pytest.mark.parametrize(
    ("text", "target", "kept"),
    [
        ("一つめです。二つめです。三つめです。", 13, "一つめです。二つめです。"),
        ("彼は「行く。」と言った。そして", 9, "彼は「行く。」"),
        ("一行めの文\n二行めの文\n三", 10, "一行めの文\n"),
        ("First one. Second one. Third one.", 8, "First one. Second one."),
        ("値は3.14159265358979と長い", 8, "値は3.1415926535897…"),
        ("切れ目のないとても長い一つの文が続く", 10, "切れ目のないとても…"),
        ("はい。切れ目のないとても長い一つの文が続く", 12, "はい。切れ目のないとて…"),
    ],
)
def test_a_text_is_cut_at_the_end_of_a_sentence(text: str, target: float, kept: str) -> None:
    characters = beginning(text, target)
    found = text[: abs(characters)] + "…" * (characters < 0)
    assert found == kept
    assert units(found) <= target + 1


@given(st.text(st.characters(exclude_categories=()), min_size=1), st.floats(0, 50))
def test_any_text_can_be_cut(text: str, target: float) -> None:
    characters = beginning(text, target)
    assert 1 <= abs(characters) <= len(text)


@dataclass
class Server:
    """A server of all models with a window of its own, which counts `rate` tokens a character.

    Attributes:
        windows: Tokens by model.
        says: What a model answers.
        silent: Whether it cuts a prompt by itself rather than refuse it.
        down: Models that fail.
    """

    fake: FakeEndpoint
    windows: dict[str, int]
    says: Callable[[str], str]
    rate: float = 0.75
    silent: bool = False
    told: bool = True
    down: set[str] = field(default_factory=set)
    tokenizes: bool = False

    async def reply(self, _: web.Request) -> web.Response:
        call = self.fake.calls[-1]
        body = call.body
        if call.path == "/tokenize":
            return self._count(body)
        model = body["model"]
        if model in self.down:
            return web.json_response({"error": {"message": "gone"}}, status=400)
        prompt = sum(self._tokens(m["content"]) + 4 for m in body["messages"])
        window = self.windows.get(model, 100_000)
        if prompt + body["max_tokens"] > window and not self.silent:
            told = f" of {window} tokens. You asked for {prompt} in the messages"
            message = "maximum context length" + told * self.told
            return web.json_response({"error": {"message": message}}, status=400)
        prompt = min(prompt, window)
        choice = {"message": {"content": self.says(model)}, "finish_reason": "stop"}
        usage = {"prompt_tokens": prompt, "completion_tokens": 9}
        return web.json_response({"model": model, "choices": [choice], "usage": usage})

    def asked(self, model: str) -> list[dict[str, object]]:
        bodies = [c.body for c in self.fake.calls if c.path == "/v1/chat/completions"]
        return [body for body in bodies if body["model"] == model]

    def _tokens(self, text: str) -> int:
        return math.ceil(len(text) * self.rate)

    def _count(self, body: dict[str, str]) -> web.Response:
        if not self.tokenizes:
            return web.json_response({"detail": "Not Found"}, status=404)
        return web.json_response({"count": self._tokens(body["prompt"])})


@asynccontextmanager
async def serving(windows: dict[str, int], says: Callable[[str], str]) -> AsyncIterator[Server]:
    async with fake_endpoint() as fake:
        server = Server(fake, windows, says)
        fake.default = server.reply
        yield server


MODELS = ("a", "b", "c", "d", "e", "f", "z")


@asynccontextmanager
async def answering(
    server: Server, file: Path, known: ModelFacts, *, study: str = "s", max_tokens: int = 400
) -> AsyncIterator[Engine]:
    """An engine over the server and a SQLite file, as a search would have it."""
    spec = EndpointSpec("local", server.fake.url, identity="local")
    models = {name: ModelSpec(name, "local", name, name) for name in MODELS}
    endpoints = {"local": Endpoint(spec)}
    with Store.open(f"sqlite:///{file}") as store:
        completions = Completions(models, endpoints, store, MemoryMeter(), "s", Silent())
        served = {name: Served("local", name) for name in MODELS}
        await store.freeze(study, {"z": (served["z"], known)})
        facts = StudyFacts(store, study, served, {})
        tokens = Tokens(models, endpoints, facts, Silent())
        fitter = Fitter(tokens, facts, completions.known)
        limits = MaxTokens(max_tokens, max_tokens)
        try:
            yield Engine(completions, {PROMPT: TEXT}, limits, fitter=fitter)
        finally:
            await completions.close()


def _six() -> Ensemble:
    return Ensemble((tuple(Agent(m, 0.0) for m in MODELS[:6]),), Agent("z", 0.0, prompt=PROMPT))


def _long(model: str, tokens: int = 900) -> str:
    return f"{model}です。" + SENTENCE * int(tokens / 0.75 / len(SENTENCE))


def _references(body: dict[str, object]) -> list[str]:
    system = body["messages"][0]["content"]  # type: ignore[index]
    return system.removeprefix(TEXT + "\n").split("\n")  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", ["ratio", "vllm"])
@pytest.mark.parametrize("max_tokens", [400, 2048])
async def test_six_long_references_fit_a_small_aggregator_and_the_answer_says_what_was_cut(
    tmp_path: Path, way: str, max_tokens: int
) -> None:
    async with serving({"z": 2000}, lambda m: _long(m) if m != "z" else "東京です。") as server:
        server.tokenizes = way == "vllm"
        known = ModelFacts(2000, way)
        async with answering(server, tmp_path / "k.db", known, max_tokens=max_tokens) as engine:
            answer = await engine.answer(_six(), QUESTION)
        (body,) = server.asked("z")
    assert answer.texts == ("東京です。",)
    assert not answer.marked
    assert body["max_tokens"] == min(max_tokens, 1000)
    references = _references(body)
    starts = [f"{n}. {m}です。" for n, m in enumerate(MODELS[:6], 1)]
    assert [r[: len(s)] for r, s in zip(references, starts, strict=True)] == starts
    assert all(r.endswith(SENTENCE) for r in references)
    assert [(c.layer, c.model, c.draw, c.reader) for c in answer.shortened] == [
        (1, m, 0, "z") for m in MODELS[:6]
    ]
    kept = [c.after for c in answer.shortened]
    assert len(set(kept)) == 1
    if way == "vllm":
        assert {c.before for c in answer.shortened} == {math.ceil(len(_long("a")) * 0.75)}
        assert sum(kept) > 0.7 * (2000 - min(max_tokens, 1000))  # the room is used


async def test_a_short_reference_stays_whole_and_its_room_goes_to_the_others(
    tmp_path: Path,
) -> None:
    def says(model: str) -> str:
        return "短い答え。" if model in "ab" else _long(model)

    async with serving({"z": 2000}, says) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine:
            answer = await engine.answer(_six(), QUESTION)
        references = _references(server.asked("z")[0])
    assert references[:2] == ["1. 短い答え。", "2. 短い答え。"]
    assert [c.model for c in answer.shortened] == ["c", "d", "e", "f"]
    assert min(c.after for c in answer.shortened) > (2000 - 400) // 6


async def test_what_fits_is_not_touched_and_counted_by_nobody(tmp_path: Path) -> None:
    async with serving({"z": 8000}, lambda m: f"{m}の答え。") as server:
        server.tokenizes = True
        async with answering(server, tmp_path / "k.db", ModelFacts(8000, "vllm")) as engine:
            answer = await engine.answer(_six(), QUESTION)
        assert len(server.fake.calls) == 7
    assert answer.shortened == ()


async def test_a_reader_of_unknown_context_is_never_fitted(tmp_path: Path) -> None:
    async with serving({}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            answer = await engine.answer(_six(), QUESTION)
        (body,) = server.asked("z")
    assert _references(body)[5] == "6. " + _long("f")
    assert answer.shortened == ()


async def test_an_overflow_refits_once_and_teaches_the_limit(tmp_path: Path) -> None:
    async with serving({"z": 2000}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            answer = await engine.answer(_six(), QUESTION)
            assert len(server.asked("z")) == 2
            again = await engine.answer(_six(), Conversation(("別の質問です。",)))
            assert len(server.asked("z")) == 3  # the second question was fitted beforehand
        with Store.open(f"sqlite:///{tmp_path / 'k.db'}") as store:
            assert store.frozen("s")["z"].corrections[0].tokens == 2000
    for one in (answer, again):
        assert len(one.shortened) == 6
        assert one.texts[0]


@pytest.mark.parametrize(("told", "rate"), [(True, 2.0), (False, 1.1)])
async def test_a_count_that_is_too_low_is_corrected(
    tmp_path: Path, told: bool, rate: float
) -> None:
    """Our ratio says 0.83 tokens a character, the server more: the limit alone teaches nothing."""
    async with serving({"z": 2000}, _long) as server:
        server.rate, server.told = rate, told
        async with answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine:
            answer = await engine.answer(_six(), QUESTION)
        assert len(server.asked("z")) == 2
    assert answer.texts[0]


TOO_LONG = ContextOverflowError("too long")


class Slow(MemoryFacts):
    """Facts that take a while to be written down."""

    async def correct(self, model: str, window: Window) -> None:
        await asyncio.sleep(0.01)
        await super().correct(model, window)


def _reading(texts: Sequence[str]) -> Request:
    return Request("z", "aggregator", ({"role": "user", "content": "".join(texts)},), 0.0, 100)


async def test_overflows_at_once_teach_one_correction(tmp_path: Path) -> None:
    layer = (Agent("z", 0.7, 6, prompt=PROMPT),)
    ensemble = Ensemble((_six().layers[0], layer), Agent("a", 0.0, prompt=PROMPT))
    async with serving({"z": 2000}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            answer = await engine.answer(ensemble, QUESTION)
        assert len(server.asked("z")) == 12
    assert not answer.marked
    assert len({(c.model, c.after) for c in answer.shortened}) == 6
    models = {"z": ModelSpec("z", "local", "z", "z")}
    facts = Slow({"z": ModelFacts(2000)})
    fitter = Fitter(Tokens(models, {}, facts, Silent()), facts, lambda _: False)
    refits = [fitter.refit(_reading, ["答え。"] * 9, Fitted(_reading([]), Window(2000)), TOO_LONG)]
    refits += [fitter.refit(_reading, ["い。"] * 9, Fitted(_reading([]), Window(2000)), TOO_LONG)]
    await asyncio.gather(*refits)
    assert facts.windows == {"z": (Window(2000, 0.75),)}


async def test_overflows_at_once_are_each_refitted_as_far_as_they_need(tmp_path: Path) -> None:
    """Latin text is three times as many tokens to this server as we think."""

    def says(model: str) -> str:
        return "A sentence in English. " * 60 if model in "def" else _long(model)

    def three(models: str) -> Ensemble:
        layer = tuple(Agent(model, 0.0) for model in models)
        return Ensemble((layer,), Agent("z", 0.0, prompt=PROMPT))

    async with serving({"z": 2000}, says) as server:
        server.rate = 1.0
        async with answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine:
            answers = await asyncio.gather(
                *(engine.answer(three(models), QUESTION) for models in ("abc", "def"))
            )
        assert len(server.asked("z")) == 4
    assert all(answer.texts[0] for answer in answers)


async def test_a_prompt_that_cannot_fit_is_the_servers_to_refuse_and_teaches_nothing(
    tmp_path: Path,
) -> None:
    long = Conversation((SENTENCE * 300,), (Document("1", "題", "本文"),))
    async with serving({"z": 2000}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine:
            answers = [await engine.answer(e, long) for e in (_six(), single("z", 0.0))]
        assert [len(b["messages"]) for b in server.asked("z")] == [2, 1]  # type: ignore[arg-type]
        with Store.open(f"sqlite:///{tmp_path / 'k.db'}") as store:
            assert store.frozen("s")["z"].corrections == ()
    assert [a.texts for a in answers] == [("",), ("",)]


async def test_documents_count_as_part_of_the_prompt(tmp_path: Path) -> None:
    document = Document("1", "題", SENTENCE * 60)
    async with serving({"z": 2000}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine:
            bare = await engine.answer(_six(), QUESTION)
            full = await engine.answer(_six(), replace(QUESTION, documents=(document,)))
        assert len(server.asked("z")) == 2
    assert full.texts[0]
    assert full.shortened[0].after < bare.shortened[0].after / 2


async def test_a_prompt_that_the_server_cut_by_itself_marks_the_answer(tmp_path: Path) -> None:
    async with serving({"z": 500}, _long) as server:
        server.silent = True
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            answer = await engine.answer(_six(), QUESTION)
            short = await engine.answer(single("z", 0.0), QUESTION)
            server.windows["z"] = 20  # as one that counts only what it had not cached
            cached = await engine.answer(_six(), Conversation(("別の質問です。",)))
    (lost,) = answer.lost
    assert (lost.turn, lost.layer, lost.model, lost.reason) == (1, 2, "z", "prompt_cut")
    assert answer.marked
    assert not short.marked
    assert not cached.marked


async def test_two_layers_are_fitted_each_to_its_own_reader(tmp_path: Path) -> None:
    layer = (Agent("a", 0.0, prompt=PROMPT), Agent("z", 0.7, 2, prompt=PROMPT))
    first = tuple(Agent(m, 0.0) for m in "bcd")
    ensemble = Ensemble((first, layer), Agent("a", 0.0, prompt=PROMPT))
    async with (
        serving({"z": 2000}, _long) as server,
        answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine,
    ):
        answer = await engine.answer(ensemble, QUESTION)
    assert [(c.layer, c.model, c.reader) for c in answer.shortened] == [(1, m, "z") for m in "bcd"]


# Keys never drift: whatever happens to facts, tokenizers and processes, an answered request is
# built again as it was.


def _bodies(server: Server) -> set[str]:
    calls = [c for c in server.fake.calls if c.path == "/v1/chat/completions"]
    return {json.dumps(c.body, sort_keys=True, ensure_ascii=False) for c in calls}


async def _all(engine: Engine, numbers: Sequence[int]) -> list[Answer]:
    questions = [Conversation((f"{n}番めの質問です。",)) for n in numbers]
    return [await engine.answer(_six(), question) for question in questions]


async def test_a_tokenizer_that_is_gone_changes_no_request(tmp_path: Path) -> None:
    async with serving({"z": 2000}, _long) as server:
        server.tokenizes = True
        known = ModelFacts(2000, "vllm")
        async with answering(server, tmp_path / "k.db", known) as engine:
            first = await _all(engine, range(3))
        calls, server.tokenizes = len(server.fake.calls), False
        async with answering(server, tmp_path / "k.db", known) as engine:
            assert await _all(engine, range(3)) == first
        assert len(server.fake.calls) == calls  # not even the tokenizer was asked


async def test_facts_that_change_later_change_no_study(tmp_path: Path) -> None:
    async with serving({"z": 2000}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine:
            first = await _all(engine, range(2))
        calls = len(server.fake.calls)
        async with answering(server, tmp_path / "k.db", ModelFacts(1500, "vllm", 0.9)) as engine:
            assert await _all(engine, range(2)) == first
        assert len(server.fake.calls) == calls


async def test_a_correction_applies_only_to_requests_not_yet_answered(tmp_path: Path) -> None:
    """The server is restarted with a smaller window between two runs, and the second is killed."""
    async with serving({"z": 2600}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts(2600)) as engine:
            first = await _all(engine, range(3))
        server.windows["z"] = 1200
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            later = await _all(engine, range(3, 5))
        sent, calls = _bodies(server), len(server.fake.calls)
        assert len(server.asked("z")) == 3 + 2 + 1  # one overflow taught the limit
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            assert await _all(engine, range(5)) == [*first, *later]
        assert len(server.fake.calls) == calls
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            (new,) = await _all(engine, [5])
        assert len(server.fake.calls) == calls + 7
        assert len(_bodies(server) - sent) == 7
    tokens = [answer.shortened[0].after for answer in (first[0], later[0], new)]
    assert tokens[0] > tokens[1] == tokens[2]


async def test_a_study_repeated_under_another_name_pays_nothing(tmp_path: Path) -> None:
    """Although its ratio has been learned better meanwhile, and the first met overflows."""
    async with serving({"z": 2000}, _long) as server:
        server.rate = 1.0
        async with answering(server, tmp_path / "k.db", ModelFacts(2000)) as engine:
            first = await _all(engine, range(3))
        calls, learned = len(server.fake.calls), ModelFacts(2000, "ratio", 1.0)
        async with answering(server, tmp_path / "k.db", learned, study="t") as engine:
            assert await _all(engine, range(3)) == first
            assert len(server.fake.calls) == calls
            (new,) = await _all(engine, [3])
    assert new.texts[0]
    assert len(server.fake.calls) == calls + 7


async def test_a_run_killed_between_overflow_and_answer_goes_on_as_it_would_have(
    tmp_path: Path,
) -> None:
    async with serving({"z": 2000}, _long) as server:
        async with answering(server, tmp_path / "k.db", ModelFacts()) as engine:
            whole = (await _all(engine, [0]))[0]
        body = server.asked("z")[-1]
        with Store.open(f"sqlite:///{tmp_path / 'killed.db'}") as store:
            # What a kill leaves: the correction is kept, its request was not answered.
            await store.freeze("s", {"z": (Served("local", "z"), ModelFacts())})
            await store.correct("s", "z", Window(2000))
        async with answering(server, tmp_path / "killed.db", ModelFacts()) as engine:
            assert (await _all(engine, [0]))[0].shortened == whole.shortened
        assert server.asked("z")[-1] == body
        assert len(server.asked("z")) == 3


class Refusing:
    """Refuses every request for its length."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        raise ContextOverflowError("too long")


async def test_overflow_after_overflow_ends() -> None:
    models = {"z": ModelSpec("z", "local", "z", "z")}
    facts, refusing = MemoryFacts({"z": ModelFacts(4000)}), Refusing()
    fitter = Fitter(Tokens(models, {}, facts, Silent()), facts, lambda _: False)
    engine = Engine(refusing, {PROMPT: TEXT}, fitter=fitter, max_tokens=MaxTokens())
    for _ in range(20):
        assert (await engine.answer(single("z", 0.0), QUESTION)).texts == ("",)
    assert len(facts.corrections("z")) <= 6
    assert len(refusing.requests) <= 2 * 20
    assert facts.windows["z"][0] == Window(4000, 0.75)
