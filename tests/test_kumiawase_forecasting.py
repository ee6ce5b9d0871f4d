"""The forecast follows whoever the settings let propose, and says so before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kumiawase import settings
from kumiawase.night.forecasting import forecast
from kumiawase.night.shortage import Short, shortages
from kumiawase.rehearsal.config import config
from kumiawase.rehearsal.pool import Pool
from kumiawase.settings import Settings
from optimizer.estimate import Forecast

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
