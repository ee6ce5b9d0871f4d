"""The forecast follows whoever the settings let propose, and says so before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from data.suites import load_suite
from kumiawase import settings
from kumiawase.forecasting import forecast
from kumiawase.rehearsal.config import config
from kumiawase.rehearsal.pool import Pool
from optimizer.estimate import Forecast

POOL = Pool(0)


def expected(folder: Path, **search: Any) -> Forecast:
    form = config(POOL, "http://127.0.0.1:1/v1", trials=6)
    form["search"] |= search
    file = folder / "kumiawase.yaml"
    file.write_text(yaml.safe_dump(form, allow_unicode=True), encoding="utf-8")
    chosen = settings.load(file)
    return forecast(chosen, load_suite(chosen.form.suite, chosen.folder), None)


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
