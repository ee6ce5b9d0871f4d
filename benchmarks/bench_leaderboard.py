"""What the leaderboard of a large study costs, in the time its rows take to be read.

1,000 trials of 100 items, no two answers alike. The program reads them, ranks, groups and
compares each with the best single model by paired bootstraps, and makes the rows that are shown;
the floor is the bare query of the same rows and columns over sqlite3.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.ratio import Ratio
from data.suites.item import Item
from db.leaderboard import rank
from db.store import Store
from judges.score import Score
from judges.statistics import estimate
from moa.answer import Answer
from moa.ensemble import Agent, Ensemble, single

GOAL = 3.0
TRIALS, ITEMS, CATEGORIES, MODELS = 1000, 100, 8, 8
SHOWN = 20  # rows: as many as the verb prints
TURNS = 7
STUDY = "bench"
_TOGETHER = 50
_LINES = ("求める数は", "- まず調べたのは", "結論を**先に**述べると", "その理由の一つは")
_QUERY = """
    SELECT a.evaluation, a.item, a.category, a.value, a.seconds, a.calls,
           a.prompt_tokens + a.completion_tokens, a.usd, a.inspection
    FROM answers AS a JOIN evaluations AS e ON a.evaluation = e.id
    WHERE e.study = ? ORDER BY a.evaluation, a.item
"""


def run() -> list[Ratio]:
    """Fill a study, then read it by both ways in turn."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "k.sqlite"
        with Store.open(f"sqlite:///{file}") as store:
            asyncio.run(_fill(store))
            return [_compare(store, file)]


def _compare(store: Store, file: Path) -> Ratio:
    connection = sqlite3.connect(file)
    ours, raw = [], []
    for turn in range(TURNS + 1):
        spent = (
            _cpu(lambda: [row.to_json() for row in rank(store, STUDY).rows[:SHOWN]]),
            _cpu(lambda: connection.execute(_QUERY, (STUDY,)).fetchall()),
        )
        if turn:  # the first turn fills the caches of both
            ours.append(spent[0])
            raw.append(spent[1])
    connection.close()
    each = [a / b for a, b in zip(ours, raw, strict=True)]
    return Ratio(
        f"leaderboard {1e3 * median(ours):.0f} ms of CPU",
        f"bare query of its {TRIALS * ITEMS:,} rows {1e3 * median(raw):.0f} ms",
        median(each),
        GOAL,
        (f"turns: {', '.join(f'{ratio:.2f}' for ratio in each)}",),
    )


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    found = work()
    seconds = time.process_time() - begun
    del found  # freed outside the clock
    return seconds


async def _fill(store: Store) -> None:
    rng = random.Random(0)
    items = [Item(f"i{n:03}", f"分野{n % CATEGORIES}", ("問い",), "search") for n in range(ITEMS)]
    weights = {f"分野{n}": 1 / CATEGORIES for n in range(CATEGORIES)}
    suite = {"name": STUDY, "digest": STUDY, "search_items": ITEMS, "held_out_items": 0}
    judge = {"kind": "rubric", "models": ["judge"], "digest": "judge"}
    await store.pin(STUDY, {"suite": {**suite, "weights": weights}, "judge": judge})
    level = {item.id: rng.gauss(0.7, 0.15) for item in items}
    strata = {item.id: item.category for item in items}

    async def one(number: int) -> None:
        ensemble, origin = _ensemble(number)
        begun = await store.begin(STUDY, "search", "judge", "rubric", ensemble, origin)
        own = rng.gauss(0, 0.04)
        found = {
            item.id: round(min(max(level[item.id] + own + rng.gauss(0, 0.12), 0.1), 1.0), 1)
            for item in items
        }
        added = (
            store.add(begun.id, item, _answer(rng), (Score("rubric", found[item.id]),))
            for item in items
        )
        await asyncio.gather(*added)
        made = estimate(found, strata, weights)
        await store.close_evaluation(begun.id, "COMPLETE", made, items=ITEMS, unscored=0, marked=0)

    for first in range(0, TRIALS, _TOGETHER):
        await asyncio.gather(*(one(number) for number in range(first, first + _TOGETHER)))


def _ensemble(number: int) -> tuple[Ensemble, str]:
    if number < MODELS:
        return single(f"m{number}", 0.0), "baseline"
    layer = tuple(
        Agent(f"m{(number * step) % MODELS}", round(number / TRIALS, 4)) for step in (1, 3, 5)
    )
    return Ensemble((layer,), Agent(f"m{number % MODELS}", 0.0)), "tpe"


def _answer(rng: random.Random) -> Answer:
    models, seconds = frozenset({"m0"}), rng.expovariate(1)
    lines = rng.randrange(4, 16)
    texts = ("".join(f"{rng.choice(_LINES)}{rng.randrange(10**6)}。\n" for _ in range(lines)),)
    return Answer(texts, "m0", models, ("k",), (), False, seconds, 4, 900, 700, 0.001, ())
