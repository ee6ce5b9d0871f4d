"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run, however slow the machine: what one run finds, each one finds.
settings.register_profile(
    "tests",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop the program runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real questions, answers and verdicts, or a skip."""
    folder = Path(os.environ.get("KUMIAWASE_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data: {folder} has no folder `data` (set KUMIAWASE_SHARED)")
    return folder / "data"
