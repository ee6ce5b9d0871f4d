"""A bar is met where the figure's whole interval is within it, and the report says which is so."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.search.report import Bar, ratio


@pytest.mark.parametrize(
    ("low", "value", "high", "least", "verdict"),
    [
        (0.1, 0.2, 0.3, False, "met"),
        (0.1, 0.2, 0.4, False, "met by the figure alone"),
        (0.2, 0.31, 0.4, False, "MISSED"),
        (0.31, 0.4, 0.5, False, "MISSED"),
        (0.3, 0.4, 0.5, True, "met"),
        (0.2, 0.4, 0.6, True, "met by the figure alone"),
        (0.1, 0.2, 0.5, True, "MISSED"),
    ],
)
def test_a_bar_says_how_far_it_is_met(
    low: float, value: float, high: float, least: bool, verdict: str
) -> None:
    bar = Bar("calls", value, low, high, 0.3, least)
    assert bar.text.endswith(
        f"[{low:.3f}, {high:.3f}] | {'>=' if least else '<='} 0.3 | {verdict} |"
    )
    assert (bar.met, bar.missed) == (verdict == "met", verdict == "MISSED")


def test_a_mean_has_two_standard_errors_either_way() -> None:
    bar = Bar.mean("regret", np.array([0.1, 0.2, 0.3, np.nan]), 0.25)
    assert (bar.value, bar.high - bar.value) == pytest.approx((0.2, 2 * 0.1 / 3**0.5))
    assert bar.value - bar.low == pytest.approx(bar.high - bar.value)
    assert not bar.met


def test_a_single_run_meets_no_bar_for_sure() -> None:
    one = np.array([0.1])
    for bar in (Bar.mean("regret", one, 0.25), Bar("calls", *ratio(one, 2 * one), 0.6)):
        assert (bar.met, bar.missed) == (False, False)


def test_a_figure_that_no_run_has_misses_its_bar() -> None:
    bar = Bar.mean("regret", np.array([np.nan, np.nan]), 0.25)
    assert (bar.met, bar.missed) == (False, True)
