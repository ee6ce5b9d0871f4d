"""What a night leaves for the morning: log, waits, message, and what money and time allow."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from db.store import Store
from endpoints.flight import AttemptSettled, EndpointPaused
from endpoints.scheduler import ModelAway, ModelBack
from kumiawase.limits import UNTIL, limits_of, pin_until
from kumiawase.night import journal
from kumiawase.night.notify import notify
from kumiawase.night.waits import Waits
from kumiawase.redaction import Redactor
from kumiawase.settings import Settings, load
from kumiawase.settings.forms import NotifyForm
from moa.ensemble import single
from optimizer.evaluation import ItemDone
from optimizer.events import EnsembleClosed, PhaseStarted
from tests.support.fake_endpoint import fake_endpoint
from tests.support.pool import outcome
from tests.support.program import prepare, settings
from tests.support.rows import attempt

KEY = "canary-7f3a91d2c4e6"
FORM = NotifyForm(webhook_env="HOOK")


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


# -- secrets


def test_keys_are_masked_however_they_are_written() -> None:
    redact = Redactor(["K"], {"K": "a/b+canary=1"})
    said = (
        "a/b+canary=1 a%2Fb%2Bcanary%3D1 http://me:s3cret@h/v1 Bearer abc.def sk-0123456789abcdef"
    )
    assert redact(said) == "*** *** http://***@h/v1 Bearer *** ***"
    assert Redactor(["K"], {"K": "abc"})("abc of it") == "abc of it"  # would mask ordinary words
    assert Redactor(["K"], {})("text") == "text"


MASKED = {
    "a password with an at sign": ("at http://me:p@ss@h/v1 now", "at http://***@h/v1 now"),
    "with a slash": ("http://me:a/b@h/v1", "http://***@h/v1"),
    "with both": ('{"url": "http://me:a/b@c@h/v1"}', '{"url": "http://***@h/v1"}'),
    "two": ("http://a:b@h http://c:d@i", "http://***@h http://***@i"),
    "none": ("http://h/v1, mail a@b", "http://h/v1, mail a@b"),
    "basic": ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
    "basic alone": ("refused Basic dXNlcjpwYXNz.", "refused Basic ***."),
    "json": ("{'authorization': 'Token abc'}", "{'authorization': 'Token ***'}"),
    "another header": ("x-api-key: abc, x: y", "x-api-key: ***, x: y"),
    "a query": ("http://h/v1?api_key=abc&b=c", "http://h/v1?api_key=***&b=c"),
    "words": ("Basic Authentication: a basic understanding", None),
}


@pytest.mark.parametrize(("said", "shown"), MASKED.values(), ids=MASKED)
def test_what_urls_and_headers_hold_is_masked_whole(said: str, shown: str | None) -> None:
    assert Redactor([], {})(said) == (said if shown is None else shown)


# -- the log


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_the_log_holds_what_is_worth_a_line_and_neither_keys_nor_what_servers_say(
    tmp_path: Path,
) -> None:
    file = tmp_path / "k.log.jsonl"
    with journal.opened(file, "夜", Redactor(["K"], {"K": KEY})) as log:
        log.notice(PhaseStarted("trials", 3))
        log.notice(AttemptSettled(attempt(outcome="ok")))
        log.notice(AttemptSettled(attempt(outcome="timeout", detail="the prompt was: 秘密")))
        log.notice(ItemDone("s", "d", "i", 0.5))
        log.notice(EnsembleClosed("trials", 4, outcome(single("a", 0.0), 0.5, 0.7)))
        log.notice(EndpointPaused("e", 3.0, "rate_limited"))
        log.notice(ModelAway("m", "e", f"refused with {KEY} " + "x" * 1000))
        log.notice(ModelBack("m", "e"))
        log.write("error", fault=f"wrong {KEY}")
    text = file.read_text("utf-8")
    found = lines(file)
    assert [line["event"] for line in found] == [
        "phase",
        "request failed",
        "ensemble closed",
        "pause",
        "model away",
        "model back",
        "error",
    ]
    assert {line["study"] for line in found} == {"夜"}
    assert (found[1]["outcome"], found[2]["score"], found[3]["seconds"]) == ("timeout", 6.0, 3.0)
    assert KEY not in text
    assert "秘密" not in json.dumps(found, ensure_ascii=False)
    assert max(map(len, text.splitlines())) < 600
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_log_rotates_and_every_file_is_the_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LARGEST", 2000)
    file = tmp_path / "k.log.jsonl"
    with journal.opened(file, "s", str) as log:
        for number in range(200):
            log.write("line", number=number)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + journal.OLD
    assert all(one.stat().st_size <= 2000 for one in files)
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    assert lines(file)[-1]["number"] == 199


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    with journal.opened(tmp_path / "no" / "folder", "s", str) as log:
        log.notice(PhaseStarted("trials", 3))
        assert log.fault == f"{tmp_path}/no/folder: No such file or directory"


# -- waits


def test_pauses_that_overlap_and_absences_are_added_up() -> None:
    clock = Clock()
    waits = Waits(clock)
    waits.notice(EndpointPaused("e", 10.0, "rate_limited"))
    clock.now += 5
    waits.notice(EndpointPaused("e", 10.0, "rate_limited"))  # five more
    clock.now += 100
    waits.notice(EndpointPaused("e", 1.0, "rate_limited"))
    waits.notice(ModelAway("m", "e", "timeout"))
    clock.now += 30
    waits.notice(ModelBack("m", "e"))
    waits.notice(ModelAway("n", "e", "502"))
    clock.now += 7
    assert waits.to_json({"e": (3, 16), "quiet": (8, 8)}) == {
        "e": {
            "slots": 3,
            "max_concurrency": 16,
            "paused_s": 16.0,
            "away_s": {"m": 30.0, "n": 7.0},
            "away_now": {"n": "502"},
        },
        "quiet": {
            "slots": 8,
            "max_concurrency": 8,
            "paused_s": 0,
            "away_s": {},
            "away_now": {},
        },
    }


def test_a_pause_that_is_still_to_come_was_not_waited_for() -> None:
    clock = Clock()
    waits = Waits(clock)
    waits.notice(EndpointPaused("e", 3600.0, "rate_limited"))
    clock.now += 10
    assert waits.to_json({"e": (3, 16)})["e"]["paused_s"] == 10.0


# -- the message


async def test_a_message_is_sent_once_or_once_more() -> None:
    async with fake_endpoint() as fake:
        fails = 1

        async def hook(request: web.Request) -> web.StreamResponse:
            nonlocal fails
            said.append(await request.json())
            fails -= 1
            return web.Response(status=500 if fails >= 0 else 200)

        said: list[Any] = []
        fake.default = hook
        url = f"{fake.url}/chat/completions"
        assert await notify(FORM, "済み", {"HOOK": url}) == ""
        assert said == [{"text": "済み"}] * 2
        fails = 9
        assert await notify(FORM, "x", {"HOOK": url}) == "notify: the webhook answers 500"
        assert len(said) == 4


REFUSED = {
    "nowhere": ({}, "HOOK is not set"),
    "http": ({"HOOK": "http://example.com/T0/secret"}, "holds no https URL"),
    "metadata": ({"HOOK": "http://169.254.169.254/secret"}, "holds no https URL"),
    "a file": ({"HOOK": "file:///etc/passwd"}, "holds no https URL"),
    "no URL": ({"HOOK": "http://[secret"}, "holds no https URL"),
    "nobody": ({"HOOK": "http://127.0.0.1:9/secret"}, "cannot be reached"),
}


@pytest.mark.parametrize(("environ", "said"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_sent_is_said_without_the_url(
    environ: dict[str, str], said: str
) -> None:
    found = await asyncio.wait_for(notify(FORM, "x", environ), 25)
    assert said in found
    assert "secret" not in found


async def test_a_webhook_that_redirects_is_not_followed() -> None:
    async with fake_endpoint() as fake, fake_endpoint() as other:

        async def away(_: web.Request) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": f"{other.url}/chat/completions"})

        fake.default = away
        url = f"{fake.url}/chat/completions"
        assert "answers 307" in await notify(FORM, "x", {"HOOK": url})
        assert other.calls == []


def test_an_outcome_without_a_score_is_a_line_too(tmp_path: Path) -> None:
    bare = replace(outcome(single("a", 0.0), 0.5), value=None)
    with journal.opened(tmp_path / "l", "s", str) as log:
        log.notice(EnsembleClosed("trials", 0, bare))
    assert lines(tmp_path / "l")[0]["score"] is None


# -- until


async def test_a_moment_is_pinned_until_it_is_written_differently(tmp_path: Path) -> None:
    def chosen(until: str) -> Settings:
        content = settings("http://127.0.0.1:9/v1", budget={"until": until})
        return load(prepare(tmp_path, content))

    with Store.open(f"sqlite:///{tmp_path / 'k.sqlite'}") as store:
        first = chosen("2199-01-01 07:00")
        assert limits_of(first, store).until is None  # no search has begun
        await pin_until(first.form.budget.until, first.study, store)
        kept = limits_of(first, store)
        assert kept.until == datetime(2199, 1, 1, 7, 0).astimezone().timestamp()
        note = store.notes(first.study)[UNTIL]
        await pin_until(first.form.budget.until, first.study, store)
        assert store.notes(first.study)[UNTIL] == note  # also where the clock has moved on
        later = chosen("2199-01-02 07:00")
        assert limits_of(later, store).until is None
        await pin_until(later.form.budget.until, later.study, store)
        assert limits_of(later, store).until == kept.until + 24 * 3600


async def test_a_moment_that_was_taken_out_is_forgotten(tmp_path: Path) -> None:
    """Else `until: "07:00"`, back a night later, would mean a morning that is over."""
    content = settings("http://127.0.0.1:9/v1", budget={"until": "07:00"})
    chosen = load(prepare(tmp_path, content))
    url = f"sqlite:///{tmp_path / 'k.sqlite'}"
    with Store.open(url) as store:
        old = {"text": "07:00", "begun": 1.0, "at": 2.0}
        await store.note(chosen.study, UNTIL, old)
        assert limits_of(chosen, store).until == 2.0
        await pin_until(None, chosen.study, store)
        assert limits_of(chosen, store).until is None
        await pin_until("07:00", chosen.study, store)
        until = limits_of(chosen, store).until
        assert until is not None
        assert until > datetime.now().astimezone().timestamp()
