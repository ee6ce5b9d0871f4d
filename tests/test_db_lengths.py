"""Scores freed of length: beside the others where length goes with them, and silent elsewhere."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from data.suites.item import Split
from db import lengths
from db.leaderboard import rank
from db.standings import Leaderboard, Standing
from db.store import Store
from judges import statistics
from judges.score import Score
from kumiawase import tables
from kumiawase.views import footnotes, leaderboard
from moa.ensemble import Ensemble, single
from tests.support.rows import answer, item

ITEMS = 24
STRATA = {f"i{n}": "数学" if n < 6 else "文学" for n in range(ITEMS)}
WEIGHTS = {"数学": 0.5, "文学": 0.5}
PINS = {
    "suite": {
        "name": "日本語",
        "digest": "d",
        "search_items": ITEMS,
        "held_out_items": ITEMS,
        "weights": WEIGHTS,
    },
    "judge": {"kind": "rubric", "models": ["judge"], "digest": "j"},
    "report_judge": None,
}
PLAIN, WORDY, OTHER = (single(name, 0.0) for name in ("plain", "wordy", "other"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'k.sqlite'}") as opened:
        yield opened


async def study(store: Store, taste: float, half: Split = "search") -> None:
    """Score answers of equal worth, the wordy model's four times as long, by a judge's taste."""
    rng = np.random.default_rng(5)
    for model, doublings in ((PLAIN, 0), (WORDY, 2), (OTHER, 0)):
        begun = await store.begin("s", half, "j", "judge", model, "baseline")
        scores = {}
        for n, name in enumerate(STRATA):
            chars = round(50 * 2 ** (doublings + rng.normal(0, 1)))
            value = 0.4 + 0.01 * (n % 5) + taste * np.log2(chars / 50) + rng.normal(0, 0.01)
            scores[name] = float(np.clip(value, 0, 1))
            given = answer("字" * chars)
            await store.add(
                begun.id, item(name, STRATA[name]), given, (Score("judge", scores[name]),)
            )
        made = statistics.estimate(scores, STRATA, WEIGHTS)
        await store.close_evaluation(begun.id, "COMPLETE", made, items=ITEMS, unscored=0, marked=0)


def row(board: Leaderboard, ensemble: Ensemble) -> Standing:
    return next(row for row in board.rows if row.digest == ensemble.digest)


def shown(board: Leaderboard, monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    monkeypatch.setattr(tables, "console", lambda: Console(file=out, width=200))
    leaderboard.show(board, 20)
    return out.getvalue()


async def test_a_judge_that_pays_for_length_gives_the_lead_and_takes_it_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.pin("s", PINS)
    await study(store, 0.05)
    board = rank(store, "s")
    told = board.to_json()["length"]
    assert told.keys() == {"search"}
    assert told["search"]["per_doubling"] == pytest.approx(0.5, abs=0.05)
    assert told["search"]["ci"][0] > 0
    plain, wordy = row(board, PLAIN), row(board, WORDY)
    assert wordy.estimate is not None
    assert plain.estimate is not None
    assert wordy.estimate.value - plain.estimate.value > 0.08
    assert wordy.adjusted == pytest.approx(plain.adjusted, abs=0.02)
    text = shown(board, monkeypatch)
    assert " adj. " in text
    assert f"{10 * (wordy.adjusted or 0):.2f}" in text
    assert "length: twice as long goes with +0.4" in text


async def test_without_such_a_taste_there_is_no_column(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.pin("s", PINS)
    await study(store, 0.0)
    board = rank(store, "s")
    assert not board.lengths["search"].slope.significant
    assert row(board, WORDY).to_json()["adjusted"] is not None  # for whoever wants it
    text = shown(board, monkeypatch)
    assert "adj." not in text
    assert "length:" not in text


async def test_each_half_has_a_slope_of_its_own_and_ranks_by_it(store: Store) -> None:
    await store.pin("s", PINS)
    await study(store, 0.0)
    await study(store, 0.05, "held_out")
    board = rank(store, "s")
    assert footnotes.lengthy(board) == ["held_out"]
    wordy = row(board, WORDY)
    assert wordy.held_out is not None
    assert footnotes.adjusted(wordy, ["held_out"]) == wordy.held_out.adjusted
    assert footnotes.adjusted(wordy, ["search"]) is None
    assert wordy.held_out.adjusted == pytest.approx(
        wordy.held_out.estimate.value - 0.066, abs=0.03
    )


async def test_the_adjustment_weighs_categories_as_the_score_does(store: Store) -> None:
    """Long answers to the few items of one category count as much as that category."""
    await store.pin("s", PINS)
    rng = np.random.default_rng(7)
    for model in (PLAIN, WORDY, OTHER):
        begun = await store.begin("s", "search", "j", "judge", model, "baseline")
        scores = {}
        for name, category in STRATA.items():
            long = model is WORDY and category == "数学"
            chars = round(50 * 2 ** (3 * long + rng.normal(0, 0.5)))
            scores[name] = 0.3 + 0.05 * float(np.log2(chars / 50))
            given = answer("字" * chars)
            await store.add(begun.id, item(name, category), given, (Score("j", scores[name]),))
        made = statistics.estimate(scores, STRATA, WEIGHTS)
        await store.close_evaluation(begun.id, "COMPLETE", made, items=ITEMS, unscored=0, marked=0)
    board = rank(store, "s")
    values = [row(board, model).adjusted for model in (PLAIN, WORDY, OTHER)]
    assert values == pytest.approx([values[0]] * 3, abs=1e-3)


async def test_of_many_ensembles_it_says_by_how_many_it_is_measured(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lengths, "MOST", 2)
    await store.pin("s", PINS)
    await study(store, 0.05)
    board = rank(store, "s")
    assert board.to_json()["length"]["search"]["ensembles"] == 2
    assert [row.adjusted is None for row in board.rows] == [False, False, True]
    assert "by the answers of the first 2 ensembles" in shown(board, monkeypatch)


async def test_empty_answers_alone_say_nothing(store: Store) -> None:
    await store.pin("s", PINS)
    begun = await store.begin("s", "search", "j", "judge", PLAIN, "baseline")
    await store.add(begun.id, item("i0"), answer(""), (Score("judge", 0.0),))
    made = statistics.estimate({"i0": 0.0}, STRATA, WEIGHTS)
    await store.close_evaluation(begun.id, "COMPLETE", made, items=1, unscored=0, marked=0)
    board = rank(store, "s")
    assert board.lengths == {}
    assert row(board, PLAIN).adjusted is None
