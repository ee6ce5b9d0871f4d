"""What a test needs beyond Python packages, and what its absence means."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Return whether the run is one whose result others rely on (variable CI)."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test on a developer's machine, fail it in CI.

    For llama.cpp, PostgreSQL and the browser: `.ci/run` installs all three, so in CI one that
    does not start is a fault. Exempt is the real data (fixture `shared`), which lies outside the
    repository and is skipped everywhere.
    """
    if in_ci():
        pytest.fail(f"needed in CI: {reason}")
    pytest.skip(reason)
