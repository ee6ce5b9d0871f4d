"""What stands below a leaderboard says what was measured, and nothing where there is nothing."""

from __future__ import annotations

from dataclasses import replace

from db.gains import Gain, Span
from db.own_family import Residual
from db.records import Spent
from db.standings import HeldOut, Latency, Leaderboard, PerAnswer, Standing
from judges.statistics import Difference, Estimate
from kumiawase.views import footnotes
from moa.ensemble import single

SEEN = Difference(0.05, 0.02, 0.08, 20, 12, 4, 4)
REPORTED = Difference(0.02, -0.01, 0.05, 20, 9, 7, 4)
SCALE = {
    "answers": 48,
    "digest": "d",
    "judges": {
        "甲": {"slope": 1.25, "offset": -0.1, "note": ""},
        "乙": {"slope": 1.0, "offset": 0.0, "note": "unscaled"},
    },
    "away": ["丙"],
}


def standing(
    name: str,
    value: float,
    *,
    micro: float | None = None,
    low: float = 0.0,
    confirmed: bool = True,
) -> Standing:
    ensemble = single(name, 0.0)
    found = Estimate(value, value - 0.1, value + 0.1, 20)
    bounds = (value - low, value + low)
    held_out = HeldOut(found, 20, "判", micro or value, bounds)
    return Standing(
        rank=1,
        group=1,
        trial=None,
        ensemble=ensemble,
        digest=ensemble.digest,
        origin="baseline",
        state="COMPLETE",
        estimate=found,
        items=20,
        unscored=0,
        coverage=1.0,
        marked=0,
        held_out=held_out if confirmed else None,
        vs={},
        by_category={},
        per_answer=PerAnswer(1, 1, 0),
        latency=Latency(1, 1),
        pareto=True,
        study="s",
        micro=value,
        bounds=(value, value),
    )


def board(*rows: Standing, **more: object) -> Leaderboard:
    judge = {"kind": "rubric", "models": ["判"], "digest": "j"}
    fields: dict[str, object] = {"gain": None, "own_family": (), "scales": {}, **more}
    return Leaderboard("s", {}, judge, None, "", 0, Spent(), rows, **fields)  # type: ignore[arg-type]


def test_nothing_to_say_is_no_line() -> None:
    rows = standing("a", 0.7), standing("b", 0.6, confirmed=False)
    assert footnotes.lines(board(*rows), rows) == []


def test_both_gains_and_the_gap_are_of_ten_with_their_intervals() -> None:
    gain = Gain("mix", "abcdef0123", "a", "held_out", SEEN, REPORTED, Span(0.03, 0.01, 0.05))
    gains, gap = footnotes.lines(board(gain=gain), ())
    assert gains == (
        "gain of abcdef over a, of 10: +0.50 [+0.20, +0.80] as the search judge sees it"
        " (held-out items), +0.20 [-0.10, +0.50] as the report judge sees it (held-out items)"
    )
    assert gap == "gap between the judges: +0.30 [+0.10, +0.50], 60 % of the gain"


def test_a_gap_that_is_no_share_of_the_gain_is_not_called_one() -> None:
    gain = Gain("mix", "abcdef0123", "a", "search", REPORTED, SEEN, Span(-0.03, -0.05, -0.01))
    first, last = footnotes.lines(board(gain=gain), ())
    assert "(search items)" in first
    assert last == "gap between the judges: -0.30 [-0.50, -0.10]"


def test_bounds_are_told_of_those_that_lack_scores_the_first_five_by_name() -> None:
    rows = [standing(f"m{n}", 0.5 + n / 100, low=0.02) for n in range(7)]
    (line,) = footnotes.lines(board(*rows), rows)
    assert line.startswith("with the unscored items at worst and at best: ")
    assert f"{rows[0].digest[:6]} 4.80 to 5.20" in line
    assert line.endswith(" and 2 more")
    assert rows[5].digest[:6] not in line


def test_the_mean_over_items_is_told_where_it_is_another() -> None:
    rows = standing("a", 0.7, micro=0.72), standing("b", 0.6)
    assert footnotes.has_micro(rows)
    assert not footnotes.has_micro(rows[1:])
    assert [footnotes.micro(row) for row in rows] == [0.72, 0.6]
    assert "mean over categories" in footnotes.lines(board(*rows), rows)[0]


def test_scales_and_own_families_are_told_judge_by_judge() -> None:
    residual = Residual("甲", "鶴", "search", SEEN)
    scale, own = footnotes.lines(board(scales={"judge": SCALE}, own_family=(residual,)), ())
    assert scale == (
        "search judge: one scale, frozen from 48 answers of the baselines:"
        " 甲 × 1.25 -1.00, 乙 × 1.00 +0.00 (unscaled),"
        " 丙 did not answer: it judges nothing in this study"
    )
    assert own == (
        "own family, against other judges, of 10: 甲 (鶴) +0.50 [+0.20, +0.80] on 20 search items"
    )


def test_a_comparing_judge_is_told_with_what_it_compares() -> None:
    judge = {"kind": "pairwise", "models": ["判"], "digest": "j", "baseline": "甲"}
    (line,) = footnotes.lines(replace(board(), report_judge=judge), ())
    assert line.startswith("report judge: compares with 甲, an answer as good is worth 5;")
