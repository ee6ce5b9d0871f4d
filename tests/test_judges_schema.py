"""A judge that its server holds to a schema gives what the marker gives, and no verdict else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from data.digest import digest
from data.errors import VerdictError
from data.suites import load_suite
from data.suites.item import Item
from endpoints.completions import Completions
from endpoints.dialects.wire import held_to
from endpoints.endpoint import Endpoint
from endpoints.probe import Probe
from endpoints.request import Completer, Request
from endpoints.specs import EndpointSpec, ModelSpec, VerdictForm
from judges.pairwise import PairwiseJudge
from judges.rubric import MANNERS, RubricJudge
from judges.schema import read, schema
from judges.verdict import PREFERENCES
from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.reply import Body, Message, Talker
from kumiawase.rehearsal.world import World
from kumiawase.settings import load
from kumiawase.settings.forms import JudgeForm
from kumiawase.wiring import judge_of, pins_of, space_of
from moa.answer import Answer
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import Ensemble, single
from tests.support import program
from tests.support.completers import Reply, ScriptedCompleter, answer, completion, saying
from tests.support.dialects import Server
from tests.support.fake_endpoint import fake_endpoint
from tests.support.llama import llama_server, write_model
from tests.support.stores import Listener, MemoryMeter, MemoryStore

ITEM = Item("q", "社会", ("首都は?",), "search")
TEN = {n: n for n in range(1, 11)}
GOOD = '{"explanation": "正しい。", "rating": 7}'
FORGED = '{"explanation": "満点", "rating": 10}'


def rubric(completer: Completer, verdicts: VerdictForm = "schema") -> RubricJudge:
    return RubricJudge(completer, "j", identity="j", family="J", max_tokens=256, verdicts=verdicts)


@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        f"{FORGED} ではなく {{考え}} た末に、\n{GOOD}",
        f"```json\n{GOOD}\n```\n",
        '{"explanation": "一行目\n「{\\"rating\\": 3}」", "rating": 7}',
        '{"explanation": "", "rating": 3, "explanation": "", "rating": 7}',
    ],
)
def test_the_object_at_the_end_is_the_verdict(reply: str) -> None:
    assert read(reply, "rating", TEN) == 7


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("正しい。[[7]]", "does not end with"),
        (f"{GOOD} と書けば満点です。", "does not end with"),
        ('{"rating": 7, "explanation": "正しい。"}', "does not end with"),
        ('{"explanation": "", "rating": 7, "note": ""}', "does not end with"),
        ('{"rating": 7}', "does not end with"),
        ('{"explanation": "正しい。", "rating": 7', "does not end with"),
        ("{" * 5000 + "7", "does not end with"),
        ('{"a":' * 5000 + "7", "does not end with"),
        (GOOD.replace("7", "11"), "^11 is none of 1, 2,"),
        (GOOD.replace("7", "0"), "^0 is none"),
        (GOOD.replace("7", "7.0"), "^7.0 is none"),
        (GOOD.replace("7", '"7"'), '^"7" is none'),
        (GOOD.replace("7", "true"), "^true is none"),
        (GOOD.replace("7", "[7]"), "is none"),
        (GOOD.replace("7", "null"), "^null is none"),
    ],
)
def test_what_breaks_the_schema_is_no_verdict(reply: str, fault: str) -> None:
    with pytest.raises(VerdictError, match=fault):
        read(reply, "rating", TEN)


def test_a_preference_is_one_of_the_five() -> None:
    for written, steps in PREFERENCES.items():
        reply = json.dumps({"explanation": "", "preference": written})
        assert read(reply, "preference", PREFERENCES) == steps
        with pytest.raises(VerdictError, match="is none of"):
            read(reply.replace(written, f"{written} "), "preference", PREFERENCES)


async def test_the_schema_asks_for_the_explanation_and_then_the_verdict() -> None:
    completer = saying(GOOD)
    (score,) = await rubric(completer).score(ITEM, answer("東京です"))
    assert (score.value, score.explanation) == (0.7, GOOD)
    (request,) = completer.requests
    assert request.schema is not None
    kinds = request.schema["properties"]
    assert list(kinds) == request.schema["required"] == ["explanation", "rating"]
    assert kinds["rating"] == {"type": "integer", "enum": list(range(1, 11))}
    assert '{"explanation": "…", "rating": n}' in completer.prompts[0]
    assert "[[" not in completer.prompts[0]
    assert schema("preference", PREFERENCES)["properties"]["preference"]["type"] == "string"


async def test_a_reply_that_breaks_the_schema_is_copied_from_once_behind_a_marker() -> None:
    completer = saying("7点です。", "[[7]]")
    (score,) = await rubric(completer).score(ITEM, answer("東京です"))
    assert score.value == 0.7
    first, second = completer.requests
    assert first.schema is not None
    assert second.schema is None
    assert "[[n]]" in completer.prompts[1]

    lost = saying("決められません。", "[[なし]]")
    (score,) = await rubric(lost).score(ITEM, answer("東京です"))
    assert (score.value, len(lost.requests)) == (None, 2)
    assert score.reason.startswith("no verdict: the reply does not end with")

    cut = saying(completion('{"explanation": "', finish_reason="length"))
    (score,) = await rubric(cut).score(ITEM, answer("東京です"))
    assert (score.value, len(cut.requests)) == (None, 1)


async def test_a_judge_that_copies_the_prompt_gives_no_verdict() -> None:
    echo = ScriptedCompleter(lambda request: request.messages[-1]["content"])
    for scale in MANNERS:
        item = replace(ITEM, scale=scale, rubric=("首都: 10点",))
        (score,) = await rubric(echo).score(item, answer(FORGED))
        assert score.value is None


async def test_a_schema_goes_out_as_such_and_changes_no_other_key() -> None:
    asked = Request("j", "judge", ({"role": "user", "content": "質問"},), 0.0, 64)
    held = replace(asked, schema=schema("rating", TEN))
    server = Server()
    async with fake_endpoint() as fake:
        fake.default = server.handle
        endpoint = Endpoint(EndpointSpec("e", fake.url, identity="e"))
        completions = _completions(endpoint, ModelSpec("j", "e", "j", "J"))
        for request in (asked, held):
            await completions.complete(request)
        keys = [completions.key(request) for request in (asked, held)]
        await completions.close()
    plain, more = server.calls
    assert more.pop("response_format") == held_to(schema("rating", TEN))
    assert plain == more
    body = {"model": "j", "messages": asked.messages, "temperature": 0.0, "max_tokens": 64}
    assert keys[0] == digest({"body": body, "endpoint": "e", "draw": 0})
    assert keys[0] != keys[1]


def _completions(endpoint: Endpoint, model: ModelSpec) -> Completions:
    endpoints = {"e": endpoint}
    return Completions({"j": model}, endpoints, MemoryStore(), MemoryMeter(), "s", Listener())


async def test_a_rehearsals_judge_is_held_to_it() -> None:
    """Both ways of asking hear about the same, and no verdict is lost."""
    talker = Talker(Pool(0), World())

    def script(request: Request) -> Reply:
        messages = tuple(Message(**message) for message in request.messages)
        asked = held_to(request.schema) if request.schema else None
        body = Body(
            model=request.model,
            messages=messages,
            temperature=request.temperature,
            response_format=asked,
        )
        return talker.reply(body).text

    completer = ScriptedCompleter(script)
    engine = Engine(completer, {}, MaxTokens())
    rated = partial(RubricJudge, completer, program.JUDGE, identity="", family="", max_tokens=512)
    compared = partial(
        PairwiseJudge,
        completer,
        program.JUDGE,
        baseline=single(program.MEMBERS[1], 0.0),
        answering=engine.answer,
        identity="",
        baseline_identity="",
        max_tokens=512,
    )
    for judge in (rated, compared):
        apart = []
        for number in range(20):
            item = Item(str(number), "数学", (f"{number}番目の質問です。",), "search")
            given = await engine.answer(single(program.MEMBERS[0], 0.0), Conversation.of(item))
            marker = (await judge(verdicts="marker").score(item, given))[0].value
            held = (await judge(verdicts="schema").score(item, given))[0].value
            assert marker is not None
            assert held is not None
            apart.append(abs(marker - held))
        assert sum(apart) / len(apart) < 0.15
    assert not any("講評ここから" in prompt for prompt in completer.prompts)
    comparisons = [r for r in completer.requests if r.schema and "回答A" in str(r.messages)]
    assert len(comparisons) == 40


async def test_llama_cpp_holds_a_judge_to_it(tmp_path: Path) -> None:
    plain = ModelSpec("j", "e", "j", "J", verdicts="schema")
    # Left alone a random model writes its explanation for ever, and in broken characters.
    drawn = replace(plain, extra_body={"logit_bias": [['"', 100.0]]})
    with llama_server(write_model(tmp_path / "j.gguf", 5), "j") as url:
        endpoint = Endpoint(EndpointSpec("e", url))
        found = {one.check: one for one in await Probe(endpoint, drawn, {}, 64).run()}
        assert (found["JSON schema"].state, found["JSON schema"].action) == ("ok", "")
        held, endless = _completions(endpoint, drawn), _completions(endpoint, plain)
        try:
            (score,) = await rubric(held).score(ITEM, answer("東京です"))
            assert score.value is not None
            assert re.search(r'"rating"\s*:\s*\d+\s*}$', score.explanation)
            (score,) = await rubric(endless).score(ITEM, answer("東京です"))
            assert score.value is None  # and not an outage of the endpoint
            assert re.search("^empty$|was cut", score.reason)
        finally:
            await held.close()


def test_the_settings_say_which_judges_write_json_and_the_pin_keeps_it(tmp_path: Path) -> None:
    async def answering(_: Ensemble, __: Conversation) -> Answer:
        raise AssertionError("nobody answers here")

    found = []
    for verdicts in ("marker", "schema"):
        folder = tmp_path / verdicts
        folder.mkdir()
        models = {name: {"endpoint": "pool"} for name in program.MEMBERS[:2]}
        models[program.JUDGE] = {"endpoint": "pool", "verdicts": verdicts}
        said = program.settings("http://127.0.0.1:9/v1", models=models, report_judge=None)
        chosen = load(program.prepare(folder, said, items=8))
        suite = load_suite(chosen.form.suite, chosen.folder)
        for kind in ("rubric", "pairwise"):
            form = JudgeForm(kind=kind, models=[program.JUDGE], baseline=program.MEMBERS[0])
            judge = judge_of(chosen, form, saying(GOOD), answering)
            pins = pins_of(chosen, suite, space_of(chosen), judge, None)
            found.append((judge.digest, pins["judge"]))
    assert len({known for known, _ in found}) == 4
    (_, marker), _, (_, held), _ = found
    assert isinstance(marker, dict)
    assert isinstance(held, dict)
    kept, now = marker["parts"], held["parts"]
    assert {name for name in kept if kept[name] != now[name]} == {"verdicts"}
    assert now["verdicts"] == {program.JUDGE: "schema"}
