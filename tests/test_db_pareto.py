"""Quality against cost: the front, the cheapest that is as good as the best, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.leaderboard import rank
from db.pareto import Point, front
from db.store import Store
from tests.support.discoveries import AS_READ
from tests.test_db_leaderboard import DUO, GPT, MIX, A, B, around, evaluate, pin


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'k.sqlite'}") as opened:
        yield opened


def test_the_front_is_what_nothing_beats_in_both() -> None:
    points = [
        Point(3, 0.9, "best"),
        Point(2, 0.5, "beaten by cheap"),
        Point(1, 0.6, "cheap"),
        Point(3, 0.9, "the same"),
        Point(3, 0.8, "as dear and worse"),
        Point(4, 0.9, "as good and dearer"),
        Point(9, 0.2, "hopeless"),
    ]
    assert [p.digest for p in front(points)] == ["cheap", "best", "the same"]
    assert front([]) == []


async def test_the_cheapest_that_the_best_is_not_proved_to_beat(store: Store) -> None:
    await pin(store, baselines=["gpt"])
    await evaluate(store, MIX, around(0.800), usd=0.8)
    await evaluate(store, DUO, around(0.799, -0.1), usd=0.2)  # not told from the best
    await evaluate(store, A, around(0.5), usd=0.05, origin="baseline")  # surely worse
    await evaluate(store, GPT, around(0.7), usd=2.0, origin="baseline")
    found = rank(store, "s").pareto
    assert found is not None
    assert found.unit == "usd"
    assert [p.digest for p in found.front] == [A.digest, DUO.digest, MIX.digest]
    assert (found.best.digest, found.cheapest.digest) == (MIX.digest, DUO.digest)
    assert found.saving == pytest.approx(4)
    assert found.cheapest.cheaper == pytest.approx({"gpt": 10, "a": 0.25})
    assert found.best.cheaper == pytest.approx({"gpt": 2.5, "a": 0.0625})
    assert found.gap is not None
    assert found.gap.low <= 0 <= found.gap.high
    told = found.to_json()
    assert told["best"] == {
        "digest": MIX.digest,
        "cost": 0.8,
        "times_cheaper": {"gpt": 2.5, "a": 0.062},
    }
    assert told["cheapest"]["times_cheaper_than_best"] == 4.0
    assert told["cheapest"]["difference"] == pytest.approx(-0.01)
    assert told["front"][0] == {"digest": A.digest, "cost": 0.05, "score": 5.0}
    assert rank(store, "s").to_json()["pareto"] == told


async def test_where_the_best_is_the_cheapest_nothing_is_off_it(store: Store) -> None:
    await pin(store)
    await evaluate(store, A, around(0.8), usd=0.1, origin="baseline")
    await evaluate(store, MIX, around(0.5), usd=0.5)
    found = rank(store, "s").pareto
    assert found is not None
    assert found.cheapest == found.best
    assert (found.gap, found.saving) == (None, 1.0)
    assert found.to_json()["cheapest"]["difference"] is None


async def test_where_nothing_is_paid_seconds_count(store: Store) -> None:
    await pin(store)
    await evaluate(store, A, around(0.8), usd=0.0, origin="baseline")
    found = rank(store, "s").pareto
    assert found is not None
    assert (found.unit, found.best.cost) == ("seconds", 10.5)


async def test_what_costs_nothing_among_the_paid_has_no_ratio(store: Store) -> None:
    await pin(store)
    await evaluate(store, MIX, around(0.8), usd=0.0)
    await evaluate(store, B, around(0.5), usd=0.5, origin="baseline")
    found = rank(store, "s").pareto
    assert found is not None
    assert (found.best.cost, found.best.cheaper) == (0.0, {"b": None})


async def test_confirmed_is_compared_with_confirmed_alone(store: Store) -> None:
    await pin(store)
    await evaluate(store, MIX, around(0.8), usd=0.8)
    await evaluate(store, MIX, around(0.8), usd=0.8, half="held_out")
    await evaluate(store, DUO, around(0.8), usd=0.1)  # as good, and never confirmed
    await evaluate(store, AS_READ, around(0.79), usd=0.4)
    await evaluate(store, AS_READ, around(0.79), usd=0.4, half="held_out")
    found = rank(store, "s").pareto
    assert found is not None
    assert found.cheapest.digest == AS_READ.digest


async def test_what_another_study_stopped_early_is_off_the_front(store: Store) -> None:
    for study in ("s", "t"):
        await pin(store, study)
        await evaluate(store, A, around(0.5), usd=0.1, study=study, origin="baseline")
    await evaluate(store, MIX, around(0.8), study="s")
    await evaluate(store, MIX, around(0.4)[:10], study="t", state="PRUNED")
    board = rank(store, "s", "t")
    assert [(row.digest, row.state, row.pareto) for row in board.rows] == [
        (MIX.digest, "COMPLETE", True),
        (A.digest, "COMPLETE", True),
        (MIX.digest, "PRUNED", False),
    ]


async def test_nothing_ranked_offers_nothing(store: Store) -> None:
    await pin(store)
    await evaluate(store, MIX, around(0.8), state="PRUNED")
    board = rank(store, "s")
    assert (board.pareto, board.to_json()["pareto"]) == (None, None)
