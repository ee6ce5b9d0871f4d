"""The doctor tells what a server does from evidence, and never takes disobedience for a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from endpoints.dialects.wire import held_to
from endpoints.endpoint import Endpoint
from endpoints.listing import by_name
from endpoints.probe import Finding, Probe
from endpoints.request import Message
from endpoints.schema_evidence import SCHEMA
from endpoints.specs import EndpointSpec, ModelSpec
from tests.support.dialects import (
    Refused,
    Server,
    alternating,
    backslashed,
    dropping,
    error,
    forgetful,
    obedient,
    stubborn,
    without_system,
)
from tests.support.fake_endpoint import fake_endpoint
from tests.support.llama import llama_server, write_model


async def examined(server: Server, **changes: Any) -> dict[str, Finding]:
    spec = {"name": "m", "endpoint": "e", "served_name": "m", "family": "m", **changes}
    model = ModelSpec(**spec)
    async with fake_endpoint() as fake:
        fake.default = server.handle
        endpoint = Endpoint(EndpointSpec("e", fake.url), models=[model])
        try:
            listed = by_name(await endpoint.models()) if server.listed else {}
            found = await Probe(endpoint, model, listed, 256).run()
        finally:
            await endpoint.close()
    assert len({finding.check for finding in found}) == len(found)
    return {finding.check: finding for finding in found}


async def test_a_server_without_fault_has_nothing_but_good_findings() -> None:
    found = await examined(Server(listed={"data": [{"id": "m", "max_model_len": 4096}]}))
    assert {name: f.state for name, f in found.items()} == dict.fromkeys(
        (
            "answer",
            "Japanese",
            "model",
            "usage",
            "finish reason",
            "context",
            "system turn",
            "two turns",
            "newline",
            "seed",
            "n",
            "JSON schema",
        ),
        "ok",
    )
    assert found["system turn"].found == "the model heeds it"


@pytest.mark.parametrize(("shows", "counts"), [("llama.cpp", False), ("vllm", False), ("", True)])
async def test_a_model_that_obeys_nothing_is_judged_by_its_servers_evidence(
    shows: str, counts: bool
) -> None:
    found = await examined(Server(model=stubborn, shows=shows, counts=counts))
    for check in ("system turn", "two turns"):
        assert found[check].state == "ok"
        assert "arrives" in found[check].found
        assert "could not tell whether the model heeds it" in found[check].found


async def test_without_obedience_and_without_evidence_it_could_not_be_told() -> None:
    found = await examined(Server(model=stubborn, counts=False))
    for check in ("Japanese", "system turn", "two turns", "newline"):
        assert found[check].state == "unknown"
        assert found[check].found.startswith("could not tell")


@pytest.mark.parametrize(
    "server",
    [
        Server(dropping, stubborn, shows="llama.cpp", counts=False),
        Server(dropping, stubborn, shows="vllm", counts=False),
        Server(dropping, stubborn),
        Server(dropping, counts=False),
    ],
    ids=["llama.cpp", "vllm", "tokens", "obedience"],
)
async def test_a_dropped_system_turn_is_found_and_folded_from_then_on(server: Server) -> None:
    found = await examined(server)
    assert found["system turn"].state == "warn"
    assert "drops it without a word" in found["system turn"].found
    assert "folded into the user turn from now on" in found["system turn"].action
    assert "identity" in found["system turn"].action
    if not server.shows:  # asked once more, it is folded
        again = await examined(server, system_role="fold")
        assert again["system turn"].state == "ok"
        assert len(server.calls[-1]["messages"]) == 1


async def test_settings_that_insist_on_a_dropped_system_turn_are_warned() -> None:
    found = await examined(Server(dropping), system_role="send")
    assert found["system turn"].action == "set system_role: auto or fold"


@pytest.mark.parametrize("template", [without_system, alternating])
async def test_a_refused_system_turn_is_folded(template: Any) -> None:
    found = await examined(Server(template))
    assert (found["system turn"].state, found["two turns"].state) == ("warn", "ok")
    assert "refuses" in found["system turn"].found


async def test_a_refusal_the_settings_forbid_to_mend_is_a_failure() -> None:
    found = await examined(Server(without_system), system_role="send")
    assert found["system turn"].state == "fails"
    assert found["system turn"].action == "set system_role: auto"


@pytest.mark.parametrize("shows", ["llama.cpp", ""])
async def test_a_forgotten_first_turn_is_found(shows: str) -> None:
    found = await examined(Server(forgetful, shows=shows))
    assert found["two turns"].state == "warn"
    assert found["system turn"].state == "ok"


async def test_a_template_with_literal_backslashes_is_found() -> None:
    found = await examined(Server(backslashed, shows="vllm"))
    assert found["newline"].state == "warn"
    assert "chat template" in found["newline"].found


async def test_a_model_that_writes_backslashes_is_found() -> None:
    found = await examined(Server(model=lambda *_: "あさひ\\nゆうひ"))
    assert "the model writes a backslash" in found["newline"].found


@pytest.mark.parametrize(
    ("context", "listed", "state", "action"),
    [
        (8192, 4096, "warn", "set context: 4096"),
        (2048, 4096, "ok", ""),
        (None, 4096, "ok", ""),
        (4096, None, "note", ""),
        (None, None, "warn", "set `context`; until then a refusal teaches it"),
    ],
)
async def test_the_settings_context_is_held_against_the_servers(
    context: int | None, listed: int | None, state: str, action: str
) -> None:
    found = await examined(
        Server(listed={"data": [{"id": "m", "max_model_len": listed}]}), context=context
    )
    assert (found["context"].state, found["context"].action) == (state, action)


@pytest.mark.parametrize(
    ("served", "state"),
    [("m", "ok"), ("m-2024-08-06", "ok"), ("/models/m", "ok"), ("mistral", "warn")],
)
async def test_another_model_that_answers_is_found(served: str, state: str) -> None:
    found = await examined(Server(served=served))
    assert found["model"].state == state


async def test_what_a_server_ignores_or_adds_is_noted() -> None:
    server = Server(
        seeded=False, many=False, counts=False, message={"reasoning_content": "考える。"}
    )
    found = await examined(server)
    notes = {name for name, finding in found.items() if finding.state == "note"}
    assert {"seed", "n", "usage", "reasoning"} <= notes
    assert {call["max_tokens"] for call in server.calls if call["temperature"]} == {256}


async def test_attributes_reach_a_steered_template_through_chat_template_kwargs(
    tmp_path: Path,
) -> None:
    """The worked example of docs/karakuri.md, against llama.cpp."""
    template = (
        "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"
        "{% set verbosity = verbosity|string or '4' %}<attributes>verbosity: {{ verbosity }}"
    )
    extra = {"chat_template_kwargs": {"verbosity": 1}, "stop": ["<attributes>", "</attributes>"]}
    steered = ModelSpec("m", "e", "m", "m", extra_body=extra)
    with llama_server(write_model(tmp_path / "m.gguf", 0, template), "m") as url:
        endpoint = Endpoint(EndpointSpec("e", url))
        try:
            asked: list[Message] = [{"role": "user", "content": "やあ"}]
            assert await endpoint.rendered(steered, asked) == (
                "<|user|>やあ<attributes>verbosity: 1"
            )
            plain = ModelSpec("m", "e", "m", "m")
            assert "verbosity: 4" in (await endpoint.rendered(plain, asked) or "")
            assert (await Probe(endpoint, steered, {}, 16).run())[0].state == "ok"
        finally:
            await endpoint.close()


def unheld(answer: str, *, held: str = "") -> Server:
    """A server whose model says `answer`, and `held` or the same where a schema asks."""
    return Server(model=lambda _, body: held if held and "response_format" in body else answer)


HELD = obedient("", {"response_format": held_to(SCHEMA)})


@pytest.mark.parametrize(
    ("server", "as_marker", "as_schema"),
    [
        (Server(), "ok", "ok"),
        (unheld("富士山です。"), "note", "warn"),
        (unheld("富士山です。", held='{"答え": "富士山です。"}'), "note", "warn"),
        (unheld("富士山です。", held=HELD.replace("4173", "41730")), "note", "warn"),
        (unheld("富士山です。", held=HELD.replace("4173", '"4173"')), "note", "warn"),
        (unheld("<think>ええと</think>富士山です。", held=HELD), "note", "warn"),
        (unheld("<think>ええと</think>はい", held=f"<think>ええと</think>{HELD}"), "ok", "ok"),
        (Server(refuses=("response_format",)), "note", "fails"),
        (Server(reply={"choices": [{"message": {"content": "{"}, "finish_reason": "length"}]}),
         "unknown", "unknown"),
    ],
    ids=["held", "plain", "other", "range", "type", "no thought", "thought", "refused", "cut"],
)  # fmt: skip
async def test_a_server_holds_to_a_schema_if_nothing_else_explains_the_reply(
    server: Server, as_marker: str, as_schema: str
) -> None:
    assert (await examined(server))["JSON schema"].state == as_marker
    found = (await examined(server, verdicts="schema"))["JSON schema"]
    assert found.state == as_schema
    assert (found.action == "set verdicts: marker") is (as_schema in ("warn", "fails"))


async def test_a_finish_reason_nobody_gives_is_a_warning() -> None:
    message = {"role": "assistant", "content": "富士山です。"}
    server = Server(reply={"choices": [{"index": 0, "message": message}]})
    assert (await examined(server))["finish reason"].state == "warn"


async def test_what_was_learned_of_parameters_is_told() -> None:
    found = await examined(Server(refuses=("max_tokens", "top_p")))
    assert found["max_tokens"].action == "sent as max_completion_tokens"
    assert found["top_p"].action == "left out"


async def test_a_model_that_does_not_answer_fails_and_is_asked_no_more() -> None:
    def refused(*_: object) -> str:
        raise Refused(400, error("'temperature' does not support 0 with this model"))

    server = Server(model=refused)
    found = await examined(server)
    assert list(found) == ["answer"]
    assert found["answer"].state == "fails"
    assert "temperature: null" in found["answer"].action
    assert len(server.calls) == 1


async def test_a_model_the_server_does_not_list_is_told_by_those_it_does() -> None:
    def missing(*_: object) -> str:
        raise Refused(404, error("The model `m` does not exist"))

    found = await examined(Server(model=missing, listed=[{"id": "a"}, {"id": "b"}]))
    assert found["answer"].action == "set served_name; the server lists a, b"


@pytest.mark.parametrize(
    ("refuses", "message", "state"),
    [
        (("tools",), {}, "fails"),
        ((), {}, "unknown"),
        ((), {"function_call": {"name": "get_weather", "arguments": "{}"}}, "ok"),
    ],
)
async def test_native_tools_are_tried_where_the_settings_want_them(
    refuses: tuple[str, ...], message: dict[str, object], state: str
) -> None:
    server = Server(refuses=refuses, message=message)
    assert "tools" not in await examined(server)
    assert (await examined(server, tools="native"))["tools"].state == state
