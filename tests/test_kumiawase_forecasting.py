"""The forecast follows whoever the settings let propose, and says so before anything is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from db.store import Store
from judges.statistics import Estimate
from kumiawase import settings
from kumiawase.night.forecasting import forecast
from kumiawase.night.shortage import Short, shortages
from kumiawase.rehearsal.config import config
from kumiawase.rehearsal.pool import Pool
from kumiawase.settings import Settings
from moa.ensemble import Agent, Ensemble
from optimizer.estimate import Forecast
from optimizer.simulation import FEWEST

POOL = Pool(0)


def chosen(folder: Path, budget: dict[str, Any] | None = None, **search: Any) -> Settings:
    form = config(POOL, "http://127.0.0.1:1/v1", trials=6) | {"budget": budget or {}}
    form["search"] |= search
    file = folder / "kumiawase.yaml"
    file.write_text(yaml.safe_dump(form, allow_unicode=True), encoding="utf-8")
    return settings.load(file)


def expected(folder: Path, **search: Any) -> Forecast:
    found = chosen(folder, **search)
    return forecast(found, found.suite(), None)


@pytest.fixture(scope="module")
def none(tmp_path_factory: pytest.TempPathFactory) -> Forecast:
    """Return what baselines and their confirmation take."""
    return expected(tmp_path_factory.mktemp("none"), trials=0)


@pytest.mark.parametrize(
    "search",
    [
        {},
        {"objective": "pareto"},
        {"sampler": "evolution"},
        {"sampler": "tpe"},
        {"sampler": "random"},
        {"sampler": "discovery"},
    ],
)
def test_every_sampler_is_imagined(tmp_path: Path, none: Forecast, search: dict[str, Any]) -> None:
    some = expected(tmp_path, **search)
    assert some.calls.value > none.calls.high
    assert ("discovery" in some.by_role) == (
        search.get("sampler", "auto") in ("auto", "discovery")
    )


def test_a_budget_that_is_too_small_is_told_with_what_it_reaches_and_what_is_enough(
    tmp_path: Path, none: Forecast
) -> None:
    whole = expected(tmp_path, sampler="random", trials=40)

    def short(**budget: Any) -> list[Short]:
        found = chosen(tmp_path, budget, sampler="random", trials=40)
        return shortages(found, found.suite(), None, whole)

    (little,) = short(calls=100)
    assert (little.limit, little.trials) == ("calls", 0)
    assert "100 end the search at its baselines, before any trial; all need about" in little.line
    (some,) = short(calls=int(none.calls.value + whole.calls.value) // 2)
    assert 0 < some.trials < 40
    assert some.needed == little.needed >= whole.calls.value
    assert short(calls=int(some.needed) + 2, hours=1000) == []
    assert [one.limit for one in short(hours=0.01, calls=100)] == ["calls", "hours"]
    (past,) = short(until="2020-01-01 00:00")
    assert past.line.startswith("budget.until is too soon: by this estimate 0:00 end the search")


async def tried(found: Settings, gone: str, others: Sequence[str]) -> None:
    """Evaluate some ensembles that a model is in, and nothing of them is kept."""
    with Store.open(found.storage) as store:
        for number in range(FEWEST + 2):
            layer = tuple(Agent(model, 0.0) for model in (gone, *others[: 1 + number % 4]))
            ensemble = Ensemble((layer,), Agent(others[number % len(others)], 0.0, prompt="p"))
            record = await store.begin(found.study, "search", "j", "j", ensemble, "tpe")
            await store.close_evaluation(
                record.id, "COMPLETE", Estimate(0.5, 0.4, 0.6, 64), items=64, unscored=64, marked=0
            )


def test_trials_of_a_model_that_has_left_are_no_part_of_what_comes(tmp_path: Path) -> None:
    found = chosen(tmp_path)
    gone, *others = found.proposers
    asyncio.run(tried(found, gone, others))
    file = tmp_path / "kumiawase.yaml"
    form = yaml.safe_load(file.read_text("utf-8"))
    del form["models"][gone]
    file.write_text(yaml.safe_dump(form, allow_unicode=True), "utf-8")
    left = settings.load(file)
    with Store.open(left.storage) as store:
        calls = forecast(left, left.suite(), store).calls
    assert calls == forecast(left, left.suite(), None).calls
