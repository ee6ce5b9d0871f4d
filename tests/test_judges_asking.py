"""Verdicts that cannot be read, even when asked for again, move no mean and are seen to lack.

Models and judges are the rehearsal's, behind a server that makes one judge's reply in twenty
unreadable in one of the ways seen in published verdicts, and says nothing readable when asked for
the verdict alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from aiohttp import web

from data.digest import digest
from data.suites.item import Item
from db.leaderboard import rank
from endpoints.request import Request
from judges.pairwise import PairwiseJudge
from judges.score import Score
from kumiawase.reading import open_store
from kumiawase.rehearsal import judging
from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.reply import Body, Message, Talker
from kumiawase.rehearsal.world import World
from kumiawase.settings import load
from kumiawase.wiring import open_session
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import single
from tests.support import program
from tests.support.completers import ScriptedCompleter
from tests.support.fake_endpoint import FakeEndpoint, fake_endpoint, says
from tests.support.stores import Listener

JUDGE, MEMBERS = program.JUDGE, program.MEMBERS[:2]
UNREADABLE = ("判断がつきません。", "[[評価]]", "[[8.5]]", "[[85]]", "スコア: 8/10", "[[A>>>B]]")
ITEMS = 150
TALKER = Talker(Pool(0), World())


def spoken(body: Body, share: float) -> str:
    """Return what a model says; this share of the judge's verdicts can never be read."""
    text = TALKER.reply(body).text
    draw = int(digest(body.identity)[:8], 16)
    again = "講評ここから" in body.last()
    if judging.asked(body.last()) and (again or draw % 1000 < 1000 * share):
        return UNREADABLE[draw % len(UNREADABLE)]
    return text


@asynccontextmanager
async def models(share: float) -> AsyncIterator[FakeEndpoint]:
    """Serve the rehearsal's models, with this share of unreadable verdicts."""

    async def reply(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/chat/completions"):
            return web.Response(status=404)
        body = Body.model_validate(await request.json())
        return await says(spoken(body, share))(request)

    async with fake_endpoint() as fake:
        fake.default = reply
        yield fake


async def test_unreadable_comparisons_move_no_mean() -> None:
    # A comparison is lost with either of its orders.
    clean, broken = [await _compared(share) for share in (0.0, 0.025)]
    missing = [one for one in broken if one.value is None]
    assert all(score.value is not None for score in clean)
    assert 0.02 < len(missing) / len(broken) < 0.08
    assert all("no verdict" in score.reason for score in missing)
    means = [
        fmean(10 * s.value for s in scores if s.value is not None) for scores in (clean, broken)
    ]
    assert abs(means[0] - means[1]) < 0.1
    kept = [(a, b) for a, b in zip(clean, broken, strict=True) if b.value is not None]
    assert all(a == b for a, b in kept)


async def _compared(share: float) -> list[Score]:
    def script(request: Request) -> str:
        messages = tuple(Message(**message) for message in request.messages)
        body = Body(model=request.model, messages=messages, temperature=request.temperature)
        return spoken(body, share)

    completer = ScriptedCompleter(script)
    engine = Engine(completer, {}, MaxTokens())
    judge = PairwiseJudge(
        completer,
        JUDGE,
        baseline=single(MEMBERS[1], 0.0),
        answering=engine.answer,
        identity="",
        baseline_identity="",
        max_tokens=512,
    )
    found = []
    for number in range(400):
        item = Item(str(number), "数学", (f"{number}番目の質問です。",), "search")
        answer = await engine.answer(single(MEMBERS[0], 0.0), Conversation.of(item))
        found.append((await judge.score(item, answer))[0])
    return found


async def test_unreadable_ratings_move_no_mean_and_the_coverage_shows(tmp_path: Path) -> None:
    clean, broken = [await _rows(tmp_path, share) for share in (0.0, 0.05)]
    assert clean.keys() == broken.keys() == set(MEMBERS)
    for name, row in broken.items():
        assert (clean[name]["coverage"], clean[name]["unscored"]) == (1.0, 0)
        assert 0 < row["unscored"] < 0.1 * row["items"]
        assert row["coverage"] == pytest.approx(1 - row["unscored"] / row["items"], abs=1e-4)
        assert abs(row["score"] - clean[name]["score"]) < 0.1
        assert (row["rank"] is None) is (row["coverage"] < 0.95)


async def _rows(folder: Path, share: float) -> dict[str, Any]:
    here = folder / str(share)
    here.mkdir()
    async with models(share) as fake:
        settings = program.settings(
            fake.url,
            models={name: {"endpoint": "pool"} for name in (*MEMBERS, JUDGE)},
            report_judge=None,
            search={"trials": 0, "layers": 0, "confirm": 0},
        )
        chosen = load(program.prepare(here, settings, items=ITEMS))
        async with open_session(chosen, Listener()) as session:
            await session.search.run()
    with open_store(chosen) as store:
        board = rank(store, chosen.study).to_json()
    return {row["ensemble"]["aggregator"]["model"]: row for row in board["rows"]}
