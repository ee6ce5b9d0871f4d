"""The leaderboard: its numbers against hand-computed ones, its order, its verdict, its JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from data.errors import StudyError
from data.suites.item import Split
from db.leaderboard import rank
from db.records import State
from db.standings import Leaderboard, Standing
from db.store import Store
from db.studies import open_study
from judges import statistics
from judges.score import Score
from judges.statistics import Estimate
from kumiawase import tables
from kumiawase.views import leaderboard
from moa.ensemble import Agent, Ensemble, single
from tests.support.rows import PROMPT, answer, attempt, item, scores

WEIGHTS = {"数学": 0.5, "文学": 0.5}
SUITE = {
    "name": "日本語",
    "digest": "d",
    "search_items": 20,
    "held_out_items": 20,
    "weights": WEIGHTS,
}
JUDGE = {"kind": "rubric", "models": ["judge"], "digest": "j"}
REPORT = {"kind": "panel", "models": ["x", "y"], "digest": "r"}
STRATA = {f"i{n}": "数学" if n < 8 else "文学" for n in range(20)}
MIX = Ensemble(((Agent("a", 0.7), Agent("b", 0.7)),), Agent("b", 0.0, 1, PROMPT))
DUO = Ensemble(((Agent("a", 0.7, 2),),), Agent("a", 0.0, 1, PROMPT))
A, B, GPT = single("a", 0.0), single("b", 0.0), single("gpt", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'k.sqlite'}") as opened:
        yield opened


def around(mean: float, wave: float = 0.1) -> list[float | None]:
    """Return 20 scores whose mean, over the categories, is `mean`."""
    return [mean + (wave if n % 2 else -wave) for n in range(20)]


async def pin(store: Store, study: str = "s", **more: Any) -> None:
    pins = {"suite": SUITE, "judge": JUDGE, "report_judge": None, "baselines": []}
    await store.pin(study, {**pins, **more})


async def evaluate(
    store: Store,
    ensemble: Ensemble,
    values: list[float | None],
    *,
    half: Split = "search",
    state: State = "COMPLETE",
    origin: str = "tpe",
    judge: str = "j",
    lost: int = 0,
    usd: float = 0.5,
    study: str = "s",
) -> None:
    begun = await store.begin(study, half, judge, f"judge {judge}", ensemble, origin)
    for n, value in enumerate(values):
        given = answer(lost=n < lost, seconds=1.0 + n, usd=usd)
        await store.add(begun.id, item(f"i{n}", STRATA[f"i{n}"]), given, scores(value))
    if state == "RUNNING":
        return
    scored = {f"i{n}": value for n, value in enumerate(values) if value is not None}
    found = statistics.estimate(scored, STRATA, WEIGHTS) if scored else None
    counts = {"items": len(values), "unscored": len(values) - len(scored), "marked": lost}
    await store.close_evaluation(begun.id, state, found, **counts)


def row(board: Leaderboard, ensemble: Ensemble) -> Standing:
    return next(row for row in board.rows if row.digest == ensemble.digest)


def order(board: Leaderboard) -> list[tuple[str, int | None, int | None]]:
    return [(row.ensemble.label, row.rank, row.group) for row in board.rows]


async def test_a_row_by_hand(store: Store) -> None:
    await pin(store)
    values: list[float | None] = [0.5] * 8 + [0.8] * 11 + [None]
    await evaluate(store, MIX, values, lost=1, usd=0.25)
    found = row(rank(store, "s"), MIX).to_json()
    assert found["score"] == pytest.approx((0.5 + 0.8) / 2 * 10)
    assert found["by_category"] == {"数学": 5.0, "文学": 8.0}
    assert (found["items"], found["unscored"], found["coverage"]) == (20, 1, 0.95)
    assert (found["marked"], found["rank"], found["state"]) == (1, 1, "COMPLETE")
    assert found["per_answer"] == {"calls": 3.0, "tokens": 30.0, "usd": 0.25}
    assert found["latency_s"] == {"p50": 10.5, "p95": pytest.approx(19.05)}
    assert found["ensemble"] == MIX.to_json()
    assert found["ci"][0] < found["score"] < found["ci"][1]


async def test_the_stored_interval_is_the_one_that_is_shown(store: Store) -> None:
    await pin(store)
    begun = await store.begin("s", "search", "j", "j", MIX, "tpe")
    await store.add(begun.id, item("i0"), answer(), scores(0.1))
    kept = Estimate(0.7, 0.61, 0.79, 20)
    await store.close_evaluation(begun.id, "COMPLETE", kept, items=20, unscored=0, marked=0)
    found = row(rank(store, "s"), MIX).to_json()
    assert (found["score"], found["ci"]) == (7.0, [6.1, 7.9])


async def test_confirmed_first_then_complete_then_pruned_then_unrankable(store: Store) -> None:
    await pin(store)
    await evaluate(store, A, around(0.3), origin="baseline")
    await evaluate(store, A, around(0.3), half="held_out", origin="baseline")
    await evaluate(store, MIX, around(0.6))
    await evaluate(store, MIX, around(0.5), half="held_out")
    await evaluate(store, B, around(0.8))
    pruned = replace(MIX, aggregator=Agent("a", 0.0, 1, PROMPT))
    await evaluate(store, pruned, around(0.8)[:10], state="PRUNED")
    missing: list[float | None] = [None, None]
    await evaluate(store, DUO, around(0.99)[:18] + missing)
    marked = single("marked", 0.0)
    await evaluate(store, marked, around(0.98), lost=2)
    failed, running = single("failed", 0.0), single("running", 0.0)
    await evaluate(store, failed, [], state="FAILED")
    await evaluate(store, running, around(0.95)[:4], state="RUNNING")
    assert order(rank(store, "s")) == [
        (MIX.label, 1, 1),
        ("a", 2, 2),
        ("b", 3, 3),
        (pruned.label, 4, 3),
        (DUO.label, None, None),
        ("marked", None, None),
        ("running", None, None),
        ("failed", None, None),
    ]
    states = [row.state for row in rank(store, "s").rows]
    assert states[3:] == ["PRUNED", "COMPLETE", "COMPLETE", "RUNNING", "FAILED"]


async def test_equals_share_a_group(store: Store) -> None:
    await pin(store)
    await evaluate(store, A, [0.9] * 20)
    await evaluate(store, B, [0.85 + 0.1 * (n % 2) - 0.01 for n in range(20)])
    await evaluate(store, GPT, [0.5] * 20)
    await evaluate(store, DUO, [0.49 + 0.02 * (n % 2) - 0.001 for n in range(20)])
    assert [group for _, _, group in order(rank(store, "s"))] == [1, 1, 2, 2]


async def test_the_verdict_needs_a_paired_difference_above_nothing(store: Store) -> None:
    await pin(store)
    assert rank(store, "s").verdict == "no ensemble could be ranked yet"
    await evaluate(store, A, around(0.5), origin="baseline")
    await evaluate(store, MIX, around(0.7))
    leads = f"nothing is confirmed yet: {MIX.label} leads on the search items"
    assert rank(store, "s").verdict == leads
    await evaluate(store, MIX, around(0.6), half="held_out")
    assert rank(store, "s").verdict == leads
    await evaluate(store, A, around(0.5, 0.1), half="held_out", origin="baseline")
    board = rank(store, "s")
    against = board.rows[0].vs["a"]
    assert (against.items, against.wins, against.losses) == (20, 20, 0)
    low, high = (f"{end * 10:.2f}" for end in (against.low, against.high))
    sentence = f"{MIX.label} beats a by 1.00 [{low}, {high}] of 10 on 20 held-out items"
    assert board.verdict == sentence
    assert board.confirmations == 1


@pytest.mark.parametrize("best", [0.6, 0.8])
async def test_a_single_model_that_is_not_beaten_is_named(store: Store, best: float) -> None:
    await pin(store)
    await evaluate(store, MIX, around(0.9))
    await evaluate(store, MIX, around(0.61, 0.3), half="held_out")
    await evaluate(store, A, around(best, -0.1), half="held_out", origin="baseline")
    await evaluate(store, B, around(0.2), half="held_out", origin="baseline")
    assert rank(store, "s").verdict == "no ensemble proved better than a"


async def test_vs_takes_held_out_items_where_both_have_them(store: Store) -> None:
    await pin(store, baselines=["gpt"])
    for ensemble, search, held_out in ((MIX, 0.7, 0.6), (A, 0.5, 0.5), (GPT, 0.8, 0.4)):
        await evaluate(store, ensemble, around(search))
        await evaluate(store, ensemble, around(held_out), half="held_out")
    await evaluate(store, B, around(0.3))
    board = rank(store, "s")
    shown = {name: v["difference"] for name, v in row(board, MIX).to_json()["vs"].items()}
    assert shown == {"gpt": pytest.approx(2.0), "a": pytest.approx(1.0)}
    shown = {name: v["difference"] for name, v in row(board, B).to_json()["vs"].items()}
    assert shown == {"gpt": pytest.approx(-5.0), "a": pytest.approx(-2.0)}
    assert list(row(board, A).vs) == ["gpt"]


async def test_the_best_of_the_pool_is_compared_with_beside_a_better_baseline(
    store: Store,
) -> None:
    await pin(store, baselines=["gpt"])
    for ensemble, value in ((MIX, 0.6), (A, 0.5), (GPT, 0.9)):
        await evaluate(store, ensemble, around(value), half="held_out")
    board = rank(store, "s")
    assert list(row(board, MIX).vs) == ["gpt", "a"]
    assert board.verdict.startswith(f"{MIX.label} beats a by 1.00 ")


async def test_a_held_out_score_counts_under_the_report_judge(store: Store) -> None:
    await pin(store, report_judge=REPORT)
    await evaluate(store, MIX, around(0.7))
    await evaluate(store, MIX, around(0.6), half="held_out")
    assert row(rank(store, "s"), MIX).held_out is None
    await evaluate(store, MIX, around(0.4), half="held_out", judge="r")
    found = row(rank(store, "s"), MIX).to_json()["held_out"]
    assert (found["score"], found["items"], found["judge"]) == (pytest.approx(4.0), 20, "judge r")


async def test_a_confirmation_that_failed_is_no_held_out_score(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pin(store)
    await evaluate(store, MIX, around(0.7))
    await evaluate(store, MIX, around(0.9)[:3], half="held_out", state="FAILED")
    await evaluate(store, DUO, around(0.6))
    await evaluate(store, DUO, around(0.9), half="held_out", lost=2)  # a tenth of it marked
    board = rank(store, "s")
    assert [row.held_out for row in board.rows] == [None, None]
    assert board.chosen is not None
    assert (board.chosen.digest, board.chosen.held_out) == (MIX.digest, None)
    out = io.StringIO()
    monkeypatch.setattr(tables, "console", lambda: Console(file=out, width=200))
    leaderboard.show(board, 20)
    assert "confirmed on held-out items: 0 found, 0 baselines" in out.getvalue()


async def test_trials_are_the_first_that_point_to_an_ensemble(store: Store) -> None:
    await pin(store)
    study = open_study(store.url, "s")
    for ensemble in (B, MIX, MIX, A):
        trial = study.ask()
        trial.set_user_attr("digest", ensemble.digest)
        study.tell(trial, 0.5)
    await evaluate(store, MIX, around(0.6))
    await evaluate(store, A, around(0.5), origin="baseline")
    await evaluate(store, GPT, around(0.4))
    assert [row.trial for row in rank(store, "s").rows] == [1, None, None]


async def test_the_front_holds_what_nothing_cheaper_equals(store: Store) -> None:
    await pin(store)
    await evaluate(store, A, around(0.5), usd=0.1)
    await evaluate(store, B, around(0.4), usd=0.2)
    await evaluate(store, MIX, around(0.8), usd=0.5)
    await evaluate(store, DUO, around(0.8), usd=0.6)
    await evaluate(store, GPT, around(0.9)[:10], usd=0.1, state="PRUNED")
    board = rank(store, "s")
    front = {row.ensemble.label for row in board.rows if row.pareto}
    assert front == {"a", MIX.label}


async def test_an_unknown_study_is_refused_with_those_there_are(store: Store) -> None:
    with pytest.raises(StudyError, match="start one with `kumiawase search`"):
        rank(store, "s")
    await pin(store)
    with pytest.raises(StudyError, match="there are: s"):
        rank(store, "other")


# -- how sure a mean is


async def test_unscored_items_at_worst_and_at_best_by_hand(store: Store) -> None:
    await pin(store)
    await evaluate(store, A, [0.5] * 20)
    # Two of twelve in one category have no score, and one of eight was not even answered.
    values: list[float | None] = [0.8] * 7 + [0.5] * 10 + [None] * 2
    begun = await store.begin("s", "search", "j", "judge j", MIX, "tpe")
    for n, value in zip([*range(7), *range(8, 20)], values, strict=True):
        await store.add(begun.id, item(f"i{n}", STRATA[f"i{n}"]), answer(), scores(value))
    await store.close_evaluation(
        begun.id, "COMPLETE", Estimate(0.65, 0.6, 0.7, 17), items=20, unscored=3, marked=0
    )
    found = row(rank(store, "s"), MIX).to_json()
    worst, best = (7 * 0.8 / 8 + 10 * 0.5 / 12) / 2, (6.6 / 8 + 7 / 12) / 2
    assert found["bounds"] == pytest.approx([10 * worst, 10 * best], abs=1e-4)
    whole = row(rank(store, "s"), A).to_json()
    assert whole["bounds"] == [whole["score"]] * 2 == [5.0, 5.0]


async def test_a_pruned_mean_is_bounded_over_the_items_it_saw(store: Store) -> None:
    await pin(store)
    await evaluate(store, A, [0.5] * 20)
    await evaluate(store, MIX, [0.5] * 9 + [None], state="PRUNED")
    found = row(rank(store, "s"), MIX).to_json()
    assert found["bounds"] == pytest.approx([10 * (0.5 + 0.25) / 2, 10 * (0.5 + 0.75) / 2])


async def test_the_mean_over_items_stands_beside_the_one_that_ranks(store: Store) -> None:
    await pin(store)
    search: list[float | None] = [*([0.2] * 8), *([0.7] * 12)]
    held_out: list[float | None] = [*([0.4] * 8), *([0.9] * 12)]
    await evaluate(store, MIX, search)
    await evaluate(store, MIX, held_out, half="held_out")
    found = row(rank(store, "s"), MIX).to_json()
    assert (found["score"], found["micro"]) == (4.5, 5.0)
    assert (found["held_out"]["score"], found["held_out"]["micro"]) == (6.5, 7.0)


# -- two judges


async def two_judges(store: Store, *, again: bool) -> None:
    """Let the search's judge see 3 of 10 more on held-out items where the other sees 1."""
    await pin(store, report_judge=REPORT)
    for ensemble, search, second, report in ((MIX, 0.9, 0.8, 0.6), (A, 0.5, 0.5, 0.5)):
        await evaluate(store, ensemble, around(search))
        await evaluate(store, ensemble, around(report), half="held_out", judge="r")
        if again:
            await evaluate(store, ensemble, around(second), half="held_out")


async def test_both_gains_and_their_gap_on_the_same_answers(store: Store) -> None:
    await two_judges(store, again=True)
    gain = rank(store, "s").gain
    assert gain is not None
    found = gain.to_json()
    assert (found["digest"], found["single"]) == (MIX.digest, "a")
    assert found["judge"]["half"] == found["report_judge"]["half"] == "held_out"
    assert found["judge"]["difference"] == pytest.approx(3.0)
    assert found["report_judge"]["difference"] == pytest.approx(1.0)
    assert found["gap"]["difference"] == pytest.approx(2.0)
    low, high = found["gap"]["ci"]
    assert 1.5 < low < 2 < high < 2.5


async def test_without_a_second_opinion_the_gap_is_between_the_halves(store: Store) -> None:
    await two_judges(store, again=False)
    gain = rank(store, "s").gain
    assert gain is not None
    assert gain.half == "search"
    assert [gain.search.value, gain.report.value] == pytest.approx([0.4, 0.1])
    assert gain.gap.value == pytest.approx(0.3)
    alone = max(gain.search.high - gain.search.low, gain.report.high - gain.report.low)
    assert gain.gap.high - gain.gap.low > alone


async def test_one_judge_has_no_gap(store: Store) -> None:
    await pin(store)
    for ensemble, value in ((MIX, 0.9), (A, 0.5)):
        await evaluate(store, ensemble, around(value))
        await evaluate(store, ensemble, around(value), half="held_out")
    assert rank(store, "s").gain is None


async def test_a_second_opinion_ranks_nothing(store: Store) -> None:
    await two_judges(store, again=True)
    await evaluate(store, B, around(0.99), half="held_out")
    board = rank(store, "s")
    assert [one.ensemble for one in board.rows] == [MIX, A]
    assert row(board, MIX).to_json()["held_out"]["score"] == pytest.approx(6.0)


# -- one scale


SCALE = {"answers": 48, "judges": {}, "away": [], "digest": "frozen"}


async def test_what_was_scored_before_the_scale_was_frozen_counts_no_more(store: Store) -> None:
    await pin(store, judge=JUDGE | {"kind": "panel"})
    await evaluate(store, A, around(0.9))
    await evaluate(store, B, around(0.8))
    assert len(rank(store, "s").rows) == 2
    assert await store.scale("s", "judge", SCALE) == SCALE
    assert await store.scale("s", "judge", SCALE | {"digest": "later"}) == SCALE
    await evaluate(store, A, around(0.4), judge="frozen")
    await evaluate(store, A, around(0.3), judge="frozen", half="held_out")
    board = rank(store, "s")
    assert [one.ensemble.label for one in board.rows] == ["a"]
    assert board.rows[0].to_json()["score"] == pytest.approx(4.0)
    assert board.rows[0].to_json()["held_out"]["score"] == pytest.approx(3.0)
    assert board.to_json()["scales"] == {"judge": SCALE}


PANEL = {"kind": "panel", "models": ["x", "y", "z"], "digest": "j"}


async def test_what_judges_give_to_their_own_family_by_hand(store: Store) -> None:
    """x gives 0.1 more to its own family, y 0.3 to its; z is of no family that answers."""
    families = {"a": "A", "b": "B", "gpt": "D", "x": "A", "y": "B", "z": "C"}
    await pin(store, judge=PANEL, families=families)
    for ensemble, models, own in ((MIX, {"a", "b"}, 1), (GPT, {"gpt"}, 0)):
        begun = await store.begin("s", "search", "j", "panel", ensemble, "tpe")
        for n in range(20):
            worth = 0.3 + 0.01 * n
            given = replace(answer(), models=frozenset(models))
            marks = {"x": worth + 0.1 * own, "y": worth + 0.3 * own, "z": worth}
            told = (Score("panel", worth), *(Score(name, mark) for name, mark in marks.items()))
            await store.add(begun.id, item(f"i{n}", STRATA[f"i{n}"]), given, told)
        found = Estimate(0.4, 0.3, 0.5, 20)
        await store.close_evaluation(begun.id, "COMPLETE", found, items=20, unscored=0, marked=0)
    board = rank(store, "s")
    judges = [(one.judge, one.family, one.half) for one in board.own_family]
    assert judges == [("x", "A", "search"), ("y", "B", "search")]
    # Neither is the measure of the other where both took part.
    assert [one.difference.value for one in board.own_family] == pytest.approx([0.1, 0.3])
    for one in board.to_json()["own_family"]:
        assert one["ci"][0] <= one["difference"] <= one["ci"][1]
        assert one["items"] == 20


# -- several studies


async def test_studies_of_the_same_suite_and_judge_are_ranked_together(store: Store) -> None:
    for study, ensemble, value in (("s", MIX, 0.6), ("t", DUO, 0.8)):
        await pin(store, study)
        await evaluate(store, A, around(0.5), study=study, origin="baseline")
        await evaluate(store, ensemble, around(value), study=study)
    board = rank(store, "s", "t")
    found = [(one.ensemble.label, one.rank, one.study) for one in board.rows]
    # What both scored alike stands there once.
    assert found == [(DUO.label, 1, "t"), (MIX.label, 2, "s"), ("a", 3, "s + t")]
    assert board.rows[0].vs["a"].value == pytest.approx(0.3)
    assert (board.study, board.mixed) == ("s + t", ())


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"judge": {"kind": "rubric", "models": ["other"], "digest": "k"}}, "`judge.models`"),
    ({"judge": JUDGE | {"digest": "k", "parts": {"parser": "9"}}}, "`judge.parts`"),
    ({"judge": JUDGE | {"digest": "k"}}, "`judge.digest` differs"),
    ({"suite": SUITE | {"digest": "e", "name": "別"}}, '`suite.name` is "日本語" and "別"'),
    ({"suite": SUITE | {"digest": "e", "references": "f"}}, "`suite.references`"),
    ({"suite": SUITE | {"weights": {"数学": 0.9, "文学": 0.1}}}, "`suite.weights"),
    ({"report_judge": REPORT}, "`report_judge`"),
]


@pytest.mark.parametrize(("change", "named"), CHANGES, ids=[named for _, named in CHANGES])
async def test_what_cannot_be_compared_is_refused_by_name_or_marked(
    store: Store, change: dict[str, Any], named: str
) -> None:
    await pin(store)
    await pin(store, "t", **change)
    for study, value, judge in (("s", 0.6, "j"), ("t", 0.8, change.get("judge", JUDGE)["digest"])):
        await evaluate(store, A, around(value), study=study, judge=judge)
    with pytest.raises(StudyError, match=re.escape(named)) as refused:
        rank(store, "s", "t")
    assert "--allow-mixed" in str(refused.value)
    board = rank(store, "s", "t", mixed=True)
    assert board.verdict.startswith("mixed:")
    assert named in board.mixed[0]
    assert [(one.study, one.group) for one in board.rows] == [("t", None), ("s", None)]
    assert all(one.vs == {} for one in board.rows)


async def test_another_scale_is_another_judge(store: Store) -> None:
    for study in ("s", "t"):
        await pin(store, study, judge=JUDGE | {"kind": "panel"})
        await store.scale(study, "judge", SCALE | {"digest": f"frozen in {study}"})
    with pytest.raises(StudyError, match="frozen from other baselines in s and t"):
        rank(store, "s", "t")


async def test_a_study_alone_is_never_mixed(store: Store) -> None:
    await pin(store, report_judge=REPORT)
    await evaluate(store, A, around(0.5))
    assert rank(store, "s", "s").mixed == ()


async def test_the_json_has_the_keys_and_types_of_the_contract(store: Store, shared: Path) -> None:
    await pin(store, baselines=["gpt"], report_judge=REPORT)
    await store.settle(attempt(outcome="ok", prompt_tokens=3, usd=0.5), None)
    for ensemble in (MIX, GPT):
        await evaluate(store, ensemble, around(0.6))
        await evaluate(store, ensemble, around(0.6), half="held_out", judge="r")
    study = open_study(store.url, "s")
    trial = study.ask()
    trial.set_user_attr("digest", MIX.digest)
    text = (shared.parent / "CONTRACT.md").read_text(encoding="utf-8")
    section = re.search(r"## leaderboard --json.*?```json\n(.*?)```", text, re.DOTALL)
    assert section is not None
    example = json.loads(section[1])
    found = json.loads(json.dumps(rank(store, "s").to_json()))
    assert found["report_judge"] == REPORT
    found["report_judge"] = None
    mix = next(row for row in found["rows"] if row["digest"] == MIX.digest)
    del found["pareto"]  # beside the contract: tests/test_db_pareto.py
    del found["chosen"]  # and tests/test_db_inflation.py
    same_shape(example, {**found, "rows": [mix]})


# What was added to the contract's form, by the place it stands in.
BESIDE = {"micro", "bounds", "adjusted"}
ADDED = {
    "": {"gain", "own_family", "scales", "mixed", "length"},
    ".rows[]": {"study", "flagged", "off_language", "defects", "style", *BESIDE},
    ".rows[].held_out": BESIDE,
}
OPEN = {"by_role", "vs", "by_category"}  # whose keys are names, all of one shape


def same_shape(example: Any, found: Any, path: str = "") -> None:
    """Assert that JSON has the keys and types of an example; whole numbers may be floats."""
    if isinstance(example, dict) and path.rpartition(".")[2] != "ensemble":
        assert isinstance(found, dict), path
        if path.rpartition(".")[2] in OPEN:
            assert found, path
            for value in found.values():
                same_shape(next(iter(example.values())), value, f"{path}.*")
            return
        added = ADDED.get(path, set())
        assert found.keys() >= added, path
        assert [key for key in found if key not in added] == list(example), path
        for key, value in example.items():
            same_shape(value, found[key], f"{path}.{key}")
    elif isinstance(example, list):
        assert found, path
        for value in found:
            same_shape(example[0], value, f"{path}[]")
    elif isinstance(example, int | float) and not isinstance(example, bool):
        assert isinstance(found, int | float), path
    else:
        assert type(found) is type(example), path
