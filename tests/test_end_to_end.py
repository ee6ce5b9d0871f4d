"""The whole program from outside: commands, a pool behind real HTTP, and what users script with.

The leaderboard's JSON is held to the contract key by key; a key more is a change to think about.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal

import aiohttp
import pytest
import yaml
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from tests.support.fake_endpoint import fake_endpoint
from tests.support.program import (
    DISCOVERER,
    JUDGE,
    MEMBERS,
    REPORT_JUDGE,
    Pool,
    Run,
    pool,
    prepare,
    query,
    run,
    settings,
)

JUDGE_ALONE = {"layers": [], "aggregator": {"model": JUDGE, "temperature": 0.0}}
QUESTION = "日本でいちばん高い山の名前と高さを教えてください。"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    # Slow enough for requests to meet in flight.
    with pool(tmp_path_factory.mktemp("pool") / "log.jsonl", time_scale=0.002) as found:
        yield found


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("rehearsed")
    return folder, rehearse(folder)


@pytest.fixture(scope="module")
def searched(
    served: Pool, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Run]:
    """A search over two public suites, as a user would write it down."""
    folder = tmp_path_factory.mktemp("searched")
    suites = [
        {"path": str(shared / "rakuda/questions_v1.jsonl"), "format": "rakuda", "limit": 8},
        {"path": str(shared / "elyza_tasks_100/dataset.jsonl"), "format": "elyza", "limit": 8},
    ]
    names = (*MEMBERS, JUDGE, REPORT_JUDGE, DISCOVERER)
    search = {"trials": 10, "layers": 2, "width": 3, "confirm": 3, "discoverer": DISCOVERER}
    search |= {"in_flight": 2}  # so that trials are left when the discoverer has read of five
    models = {name: {"endpoint": "pool", "price": {"input": 1, "output": 2}} for name in names}
    changes = {"suite": suites, "search": search, "models": models, "baselines": [JUDGE]}
    prepare(folder, settings(served.url, **changes))
    return folder, run(folder, "search")


@pytest.fixture(scope="module")
def rehearsed_board(rehearsed: tuple[Path, Run]) -> Any:
    return leaderboard(rehearsed[0], "-c", "rehearsal/kumiawase.yaml")


@pytest.fixture(scope="module")
def searched_board(searched: tuple[Path, Run]) -> Any:
    return leaderboard(searched[0])


def rehearse(folder: Path) -> Run:
    return run(folder, "rehearse", "--trials", "2", "--log", "log.jsonl")


def leaderboard(folder: Path, *arguments: str) -> Any:
    found = run(folder, "leaderboard", "--json", *arguments)
    assert found.code == 0, found.err
    return found.json


def scores(board: Any) -> dict[str, tuple[object, object]]:
    """Return what is known of each ensemble by its digest."""
    return {row["digest"]: (row["score"], row["held_out"]) for row in board["rows"]}


# -- rehearse


def test_a_rehearsal_ends_with_all_it_promises(
    rehearsed: tuple[Path, Run], rehearsed_board: Any
) -> None:
    folder, found = rehearsed
    assert found.code == 0, found.err
    assert "the models are simulated" in found.err
    assert "rank" in found.out
    assert "best known" in found.out
    assert "distance" in found.out
    exported = yaml.safe_load((folder / "best.yaml").read_text("utf-8"))
    assert exported["ensemble"] == rehearsed_board["rows"][0]["ensemble"]
    assert sum(row["origin"] != "baseline" for row in rehearsed_board["rows"]) == 2


def test_a_rehearsal_again_makes_no_call_and_says_the_same(rehearsed: tuple[Path, Run]) -> None:
    folder, found = rehearsed
    log = (folder / "log.jsonl").read_bytes()
    again = rehearse(folder)
    assert again.code == 0, again.err
    assert (folder / "log.jsonl").read_bytes() == log
    assert again.out == found.out
    shown = run(folder, "rehearse", "--trials", "2", "--json")
    assert shown.code == 0, shown.err
    assert shown.json["rows"][0]["rank"] == 1
    assert shown.out.count("\n") == 1
    assert "distance" in shown.err


def test_a_cold_run_sends_each_request_once(
    rehearsed: tuple[Path, Run], rehearsed_board: Any
) -> None:
    folder, _ = rehearsed
    bodies = Counter(line.sha256 for line in Pool("", folder / "log.jsonl").served)
    assert max(bodies.values()) == 1
    assert len(bodies) == rehearsed_board["spent"]["calls"] > 100


# -- search, and what comes after it


def test_a_search_over_public_suites_sends_each_request_once_and_again_none(
    searched: tuple[Path, Run], searched_board: Any, served: Pool
) -> None:
    folder, found = searched
    assert found.code == 0, found.err
    keys = query(folder, "SELECT count(*), count(DISTINCT key), sum(outcome = 'ok') FROM attempts")
    assert len(set(keys[0])) == 1
    before = served.replies
    again = run(folder, "search")
    assert again.code == 0, again.err
    assert served.replies == before
    assert again.out == found.out
    assert searched_board["suite"] | {"digest": ""} == {
        "name": "questions_v1+dataset",
        "digest": "",
        "search_items": 8,
        "held_out_items": 8,
    }


def test_show_tells_of_trials_and_of_digests(
    searched: tuple[Path, Run], searched_board: Any
) -> None:
    folder, _ = searched
    best = searched_board["rows"][0]
    found = run(folder, "show", best["digest"][:12], "--json").json
    halves = {e["half"]: e for e in found["evaluations"]}
    assert found["ensemble"] == best["ensemble"]
    assert halves["search"]["score"] == best["score"]
    assert halves["held_out"]["score"] == best["held_out"]["score"]
    assert len(halves["search"]["items"]) == best["items"] == 8
    item = halves["search"]["items"][0]
    assert item["verdicts"][0]["explanation"]
    trial = next(row for row in searched_board["rows"] if row["trial"] is not None)
    whole = run(folder, "show", str(trial["trial"]), "--item", item["item"])
    assert trial["digest"] in whole.out
    assert item["item"] in whole.out


def test_roles_tell_of_every_model_of_the_pool(searched: tuple[Path, Run]) -> None:
    found = run(searched[0], "roles", "--json").json
    board = leaderboard(searched[0])
    alone = {m["model"]: m["alone"]["score"] for m in found["models"] if m["alone"]}
    singles = [r for r in board["rows"] if not r["ensemble"]["layers"] and r["trial"] is None]
    assert alone == pytest.approx(
        {r["ensemble"]["aggregator"]["model"]: r["score"] for r in singles}
    )
    combined = [r for r in board["rows"] if r["ensemble"]["layers"] and r["score"] is not None]
    assert found["ensembles"] == len(combined)
    assert sum(m["aggregator"]["ensembles"] for m in found["models"] if m["aggregator"]) == len(
        combined
    )
    assert sum(found["importance"].values()) == pytest.approx(1, abs=0.01)
    assert "as aggregator" in run(searched[0], "roles").out


def test_status_counts_what_the_ledger_holds(searched: tuple[Path, Run]) -> None:
    folder, _ = searched
    found = run(folder, "status", "--json").json
    assert found["searching"] == []
    assert found["spent"]["calls"] == query(folder, "SELECT count(*) FROM attempts")[0][0]
    assert found["spent"]["by_role"]["discovery"]["calls"] > 0


def test_watching_without_a_terminal_prints_one_look_and_draws_nothing(
    searched: tuple[Path, Run],
) -> None:
    folder, _ = searched
    watched = run(folder, "status", "--watch")
    assert (watched.code, watched.err) == (0, "")
    assert watched.out == run(folder, "status").out
    assert "nobody searches it" in watched.out
    assert "\x1b" not in watched.out


def test_the_export_answers_in_a_folder_of_its_own(
    searched: tuple[Path, Run], searched_board: Any, served: Pool, tmp_path: Path
) -> None:
    folder, _ = searched
    wrote = run(folder, "export", "-o", str(tmp_path / "best.yaml"))
    assert wrote.code == 0, wrote.err
    content = yaml.safe_load((tmp_path / "best.yaml").read_text("utf-8"))
    best = searched_board["rows"][0]
    assert content["ensemble"] == best["ensemble"]
    assert content["score"]["held_out"] == best["held_out"]
    assert wrote.err.startswith(searched_board["verdict"])
    before = served.replies
    answer = run(tmp_path, "ask", "best.yaml", QUESTION, "--json").json
    assert answer["text"]
    assert answer["lost"] == []
    assert served.replies - before == answer["calls"]
    # All that running it needs are the first three keys.
    kept = {key: content[key] for key in ("ensemble", "models", "endpoints")}
    (tmp_path / "less.yaml").write_text(yaml.safe_dump(kept), encoding="utf-8")
    assert run(tmp_path, "ask", "less.yaml", QUESTION).out.strip() == answer["text"]


# -- two studies in one file


def test_a_second_study_pays_for_nothing_twice(served: Pool, tmp_path: Path) -> None:
    search = {"trials": 4, "layers": 2, "width": 3, "sampler": "random", "racing": "off"}
    prepare(tmp_path, settings(served.url, search=search))
    first = run(tmp_path, "search", "--study", "first")
    assert first.code == 0, first.err
    before = served.replies
    second = run(tmp_path, "search", "--study", "second")
    assert second.code == 0, second.err
    assert served.replies == before
    boards = [leaderboard(tmp_path, "--study", study) for study in ("first", "second")]
    kept = ("trial", "rank", "group", "ensemble", "score", "ci", "held_out", "vs", "per_answer")
    rows = [[{key: row[key] for key in kept} for row in board["rows"]] for board in boards]
    assert rows[0] == rows[1]
    assert [board["spent"]["calls"] for board in boards] == [boards[0]["spent"]["calls"], 0]
    together = leaderboard(tmp_path, "--study", "first", "--study", "second")
    assert [row["digest"] for row in together["rows"]] == [r["digest"] for r in boards[0]["rows"]]
    assert {row["study"] for row in together["rows"]} == {"first + second"}


# -- the pool knows nothing but the request


FIXED = {"trials": 4, "layers": 2, "width": 3, "sampler": "random", "racing": "off"}


@asynccontextmanager
async def proxied(
    served: Pool, meddle: Callable[[bytes], Awaitable[bytes | None]]
) -> AsyncIterator[str]:
    """Give the URL of a proxy; what `meddle` returns for a request is sent instead of a reply."""
    async with aiohttp.ClientSession(served.url.removesuffix("/v1")) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            asked = request.path.endswith("/chat/completions")
            if asked and (body := await meddle(raw)) is not None:
                return web.Response(body=body, content_type="application/json")
            async with session.post(request.path, data=raw) as reply:
                return web.Response(body=await reply.read(), status=reply.status)

        async with fake_endpoint() as proxy:
            proxy.default = forward
            yield proxy.url


async def fixed_search(folder: Path, url: str, **search: int) -> Any:
    """Search for the same few ensembles and return the leaderboard."""
    prepare(folder, settings(url, search=FIXED | search))
    done = await asyncio.to_thread(run, folder, "search")
    assert done.code == 0, done.err
    return leaderboard(folder)


async def test_shuffled_and_delayed_requests_change_no_score(
    served: Pool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(0)
    orders: list[list[str]] = []
    boards = []

    async def delay(raw: bytes) -> None:
        orders[-1].append(hashlib.sha256(raw).hexdigest())
        await asyncio.sleep(chance.uniform(0, 0.02))

    async with proxied(served, delay) as url:
        for _ in range(2):
            orders.append([])
            boards.append(await fixed_search(tmp_path_factory.mktemp("proxied"), url))
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])
    assert scores(boards[0]) == scores(boards[1])


async def test_where_the_first_two_tries_of_every_call_fail_no_score_changes(
    served: Pool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tries: Counter[bytes] = Counter()
    broken = b'{"choices": [{"mess', b'{"choices": [{"message": {"content": ""}}]}'

    async def fail_twice(raw: bytes) -> bytes | None:
        tries[raw] += 1
        return broken[tries[raw] - 1] if tries[raw] <= len(broken) else None

    few = {"trials": 2, "layers": 1, "width": 2}
    clean = await fixed_search(tmp_path_factory.mktemp("clean"), served.url, **few)
    async with proxied(served, fail_twice) as url:
        among_failures = await fixed_search(tmp_path_factory.mktemp("failing"), url, **few)
    assert set(tries.values()) == {3}
    assert scores(among_failures) == scores(clean)


# -- budget


def test_a_budget_stops_the_search_and_leaves_enough_to_confirm(
    served: Pool, tmp_path: Path
) -> None:
    search = {"trials": 30, "layers": 1, "width": 3, "n": 2, "confirm": 1}
    prepare(tmp_path, settings(served.url, search=search, budget={"calls": 150}))
    before = served.replies
    stopped = run(tmp_path, "search")
    assert stopped.code == 3, stopped.err
    assert "raise budget.calls" in stopped.err
    assert served.replies - before <= 150
    assert query(tmp_path, "SELECT count(*) FROM attempts")[0][0] <= 150
    board = leaderboard(tmp_path)
    Leaderboard.model_validate(board)
    confirmed = [row for row in board["rows"] if row["held_out"] is not None]
    assert len(confirmed) == 3  # the best single model, its Self-MoA, and the best of the others
    assert all(row["held_out"]["items"] == 4 for row in confirmed)

    prepare(tmp_path, settings(served.url, search=search | {"trials": 8}, budget={"calls": 9000}))
    assert run(tmp_path, "search").code == 0
    rows = leaderboard(tmp_path)["rows"]
    assert sum(row["origin"] != "baseline" for row in rows) >= 8
    states = query(tmp_path, "SELECT DISTINCT state FROM trials")
    assert {state for (state,) in states} <= {"COMPLETE", "PRUNED"}


# -- the contract of `leaderboard --json`


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Points = Annotated[float, Field(ge=0, le=10)]
Change = Annotated[float, Field(ge=-10, le=10)]
Gap = Annotated[float, Field(ge=-20, le=20)]
Count = Annotated[int, Field(ge=0)]
Bounds = Annotated[list[Points], Field(min_length=2, max_length=2)]
Amount = Annotated[float, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SuiteShape(_Shape):
    name: str
    digest: Digest
    search_items: Count
    held_out_items: Count


class JudgeShape(_Shape):
    kind: Literal["rubric", "pairwise", "panel", "self"]
    models: list[str]
    digest: Digest
    parts: dict[str, Any]


class RoleShape(_Shape):
    calls: Count
    tokens: Count
    usd: Amount


class SpentShape(_Shape):
    calls: Count
    usd: Amount
    seconds: Amount
    by_role: dict[Literal["proposer", "aggregator", "judge", "discovery"], RoleShape]


class HeldOutShape(_Shape):
    score: Points
    ci: Annotated[list[Points], Field(min_length=2, max_length=2)]
    items: Count
    judge: str
    micro: Points
    bounds: Bounds
    adjusted: float | None


class VersusShape(_Shape):
    difference: Change
    ci: Annotated[list[Change], Field(min_length=2, max_length=2)]
    wins: Count
    losses: Count
    ties: Count


class PerAnswerShape(_Shape):
    calls: Amount
    tokens: Amount
    usd: Amount


class LatencyShape(_Shape):
    p50: Amount
    p95: Amount


class RowShape(_Shape):
    rank: int | None
    group: int | None
    trial: Count | None
    ensemble: dict[Literal["layers", "aggregator"], Any]
    digest: Digest
    origin: str
    state: Literal["COMPLETE", "PRUNED", "FAILED", "RUNNING"]
    score: Points | None
    ci: Annotated[list[Points], Field(min_length=2, max_length=2)] | None
    items: Count
    unscored: Count
    coverage: Annotated[float, Field(ge=0, le=1)]
    marked: Count
    held_out: HeldOutShape | None
    vs: dict[str, VersusShape]
    by_category: dict[str, Points]
    per_answer: PerAnswerShape
    latency_s: LatencyShape
    pareto: bool
    flagged: Count
    off_language: Count
    defects: dict[str, Count]
    style: dict[str, Amount]
    study: str
    micro: Points | None
    bounds: Bounds | None
    adjusted: float | None


class SeenShape(VersusShape):
    half: Literal["search", "held_out"]


class GapShape(_Shape):
    difference: Gap
    ci: Annotated[list[Gap], Field(min_length=2, max_length=2)]


class GainShape(_Shape):
    ensemble: str
    digest: Digest
    single: str
    judge: SeenShape
    report_judge: SeenShape
    gap: GapShape


class ChosenShape(_Shape):
    digest: Digest
    search: float
    held_out: float | None
    expected_inflation: float
    among: Count


class OfferShape(_Shape):
    digest: Digest
    cost: float
    times_cheaper: dict[str, float | None]


class CheapestShape(OfferShape):
    difference: float | None
    ci: list[float] | None
    times_cheaper_than_best: float | None


class PointShape(_Shape):
    digest: Digest
    cost: float
    score: float


class ParetoShape(_Shape):
    unit: str
    front: list[PointShape]
    best: OfferShape
    cheapest: CheapestShape


class LengthShape(_Shape):
    per_doubling: Gap
    ci: Annotated[list[Gap], Field(min_length=2, max_length=2)]
    answers: Count
    items: Count
    ensembles: Count


class Leaderboard(_Shape):
    study: str
    suite: SuiteShape
    judge: JudgeShape
    report_judge: JudgeShape | None
    verdict: str
    confirmations: Count
    spent: SpentShape
    rows: list[RowShape]
    gain: GainShape | None
    own_family: list[object]
    scales: dict[str, object]
    mixed: list[str]
    pareto: ParetoShape | None
    chosen: ChosenShape | None
    length: dict[Literal["search", "held_out"], LengthShape]


@pytest.fixture(scope="module", params=["rehearsed", "searched"])
def board(request: pytest.FixtureRequest) -> Leaderboard:
    return Leaderboard.model_validate(request.getfixturevalue(f"{request.param}_board"))


def test_ranks_and_groups_count_up_without_a_gap(board: Leaderboard) -> None:
    ranked = [row for row in board.rows if row.rank is not None]
    assert [row.rank for row in ranked] == list(range(1, len(ranked) + 1))
    assert board.rows[: len(ranked)] == ranked
    groups = [row.group or 0 for row in ranked]
    assert groups[0] == 1
    assert all(later - group in {0, 1} for group, later in pairwise(groups))
    assert all(row.group is None for row in board.rows[len(ranked) :])


def test_confirmed_ensembles_stand_first_by_held_out_score(board: Leaderboard) -> None:
    confirmed = [row.held_out.score for row in board.rows if row.held_out and row.rank]
    assert confirmed == sorted(confirmed, reverse=True)
    ranked = [row for row in board.rows if row.rank]
    assert all(row.held_out for row in ranked[: len(confirmed)])
    others = ranked[len(confirmed) :]
    places = [(row.state == "PRUNED", -(row.score or 0)) for row in others]
    assert places == sorted(places)
    heads, tails = ({row.group for row in part} for part in (ranked[: len(confirmed)], others))
    assert not heads & tails


def test_intervals_hold_their_scores(board: Leaderboard) -> None:
    for row in board.rows:
        assert row.score is not None
        assert row.ci is not None
        assert row.ci[0] <= row.score <= row.ci[1]
        held_out = row.held_out
        assert held_out is None or held_out.ci[0] <= held_out.score <= held_out.ci[1]
        for versus in row.vs.values():
            assert versus.ci[0] <= versus.difference <= versus.ci[1]


def test_two_judges_tell_both_gains_and_their_gap(board: Leaderboard) -> None:
    gain = board.gain
    assert gain is not None
    assert gain.judge.half == gain.report_judge.half == "held_out"
    shared = gain.judge.wins + gain.judge.losses + gain.judge.ties
    assert shared == board.suite.held_out_items
    assert gain.gap.difference == pytest.approx(
        gain.judge.difference - gain.report_judge.difference, abs=2e-4
    )
    assert gain.gap.ci[0] <= gain.gap.difference <= gain.gap.ci[1]
    best = next(row for row in board.rows if row.digest == gain.digest)
    assert best.vs[gain.single].difference == gain.report_judge.difference
    assert board.mixed == board.own_family == []  # one judge each: nothing to put on one scale
    assert board.scales == {}


def test_the_unscored_at_worst_and_at_best_hold_the_score(board: Leaderboard) -> None:
    for row in board.rows:
        for one in (row, row.held_out):
            if one is not None and one.score is not None:
                assert one.bounds is not None
                assert one.bounds[0] - 1e-3 <= one.score <= one.bounds[1] + 1e-3


def test_baselines_have_no_trial_and_are_confirmed(board: Leaderboard) -> None:
    assert all((row.trial is None) == (row.origin == "baseline") for row in board.rows)
    trials = [row.trial for row in board.rows if row.trial is not None]
    assert len(set(trials)) == len(trials)
    assert len({row.digest for row in board.rows}) == len(board.rows)
    confirmed = [row for row in board.rows if row.held_out]
    assert any(not row.ensemble["layers"] for row in confirmed)
    assert board.confirmations == sum(row.origin != "baseline" for row in confirmed)


def test_rows_are_compared_with_the_best_single_model(board: Leaderboard) -> None:
    # The judge, a baseline in one of the studies, is no member: the verdict is about the pool.
    pool = [row for row in board.rows if row.held_out and row.ensemble != JUDGE_ALONE]
    single = next(row for row in pool if not row.ensemble["layers"])
    best = single.ensemble["aggregator"]["model"]
    for row in board.rows:
        if row.held_out and row is not single:
            versus = row.vs[best]
            shared = versus.wins + versus.losses + versus.ties
            assert shared == board.suite.held_out_items
    proved = pool[0] is not single and pool[0].vs[best].ci[0] > 0
    said = f" beats {best} by " if proved else f"no ensemble proved better than {best}"
    assert said in board.verdict


def test_a_digest_is_that_of_the_canonical_json(board: Leaderboard) -> None:
    for row in board.rows:
        written = json.dumps(
            row.ensemble, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        assert hashlib.sha256(written.encode()).hexdigest() == row.digest


def mean(by_category: dict[str, float]) -> float:
    """Return the mean over categories, where several suites were asked over those first."""
    suites: dict[str, list[float]] = {}
    for name, score in by_category.items():
        suites.setdefault(name.rpartition("/")[0], []).append(score)
    return fmean(fmean(scores) for scores in suites.values())


def test_numbers_of_a_row_agree(board: Leaderboard) -> None:
    for row in board.rows:
        assert row.coverage == pytest.approx(1 - row.unscored / row.items, abs=1e-4)
        assert row.latency_s.p50 <= row.latency_s.p95
        if row.state == "COMPLETE":
            assert row.items == board.suite.search_items
        assert row.per_answer.calls >= 1
        assert mean(row.by_category) == pytest.approx(row.score, abs=1e-3)
    roles = board.spent.by_role.values()
    assert board.spent.calls == sum(role.calls for role in roles) > 0
    assert board.spent.usd == pytest.approx(sum(role.usd for role in roles)) != 0


def test_nothing_beats_a_pareto_row_in_score_and_price(board: Leaderboard) -> None:
    full = [row for row in board.rows if row.rank and row.state == "COMPLETE"]
    front = [row for row in full if row.pareto]
    assert front
    for row in front:
        assert not any(
            (other.score or 0) > (row.score or 0) and other.per_answer.usd < row.per_answer.usd
            for other in full
        )
    best = max(row.score or 0 for row in full)
    assert any(row.score == best for row in front)
