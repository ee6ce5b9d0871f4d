"""What the runs say: tables, intervals, bars and a plot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.best import pinned
from benchmarks.search.methods import CLOSE, EVALUATED, LONGEST, PAID, POOLS, SYNTHETIC
from kumiawase.rehearsal.best_known import best_known, pinned_digest

Floats = NDArray[np.float64]
Line = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """A figure with its interval and what it must not pass, or must reach."""

    what: str
    value: float
    low: float
    high: float
    bound: float
    least: bool = False

    @classmethod
    def mean(cls, what: str, values: Floats, bound: float, *, least: bool = False) -> Bar:
        """Return the bar of a mean, within two standard errors."""
        seen = values[np.isfinite(values)]
        value, error = float(seen.mean()) if len(seen) else np.nan, _error(values)
        return cls(what, value, value - 2 * error, value + 2 * error, bound, least)

    @property
    def missed(self) -> bool:
        """Whether the figure itself is on the wrong side, or there is none."""
        return not (self.value >= self.bound if self.least else self.value <= self.bound)

    @property
    def met(self) -> bool:
        """Whether the whole interval is on the right side."""
        return self.low >= self.bound if self.least else self.high <= self.bound

    @property
    def text(self) -> str:
        """One line of the table of bars."""
        sign = ">=" if self.least else "<="
        verdict = "MISSED" if self.missed else "met" if self.met else "met by the figure alone"
        figure = f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"| {self.what} | {figure} | {sign} {self.bound:g} | {verdict} |"


class Runs:
    """Runs of one family of problems by method, in one order of instances and repeats."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._by: defaultdict[str, list[Line]] = defaultdict(list)
        for line in sorted(lines, key=lambda x: (x["repeat"], x["instance"])):
            self._by[line["method"]].append(line)

    def regrets(self, method: str, at: int) -> Floats:
        """Return the regret of each run once so much was spent, NaN before the first."""
        return _floats(line["grid"][str(at)] for line in self._by[method])

    def confirmed(self, method: str, at: int) -> Floats:
        """Return the regret of each run's winner by held-out score, its cost included."""
        return _floats((line.get("confirmed") or {}).get(str(at)) for line in self._by[method])

    def close(self, method: str) -> Floats:
        """Return the calls of each run to come close; what never did counts as the longest."""
        return _floats(line["close"] or LONGEST for line in self._by[method])

    def sums(self, method: str, field: str) -> float:
        """Return the mean of a count over the runs."""
        return float(np.mean([line[field] for line in self._by[method]]))

    def curve(self, method: str, grid: Floats) -> Floats:
        """Return the mean regret over the runs at each point of a grid, NaN where one has none."""
        rows = []
        for line in self._by[method]:
            x, y = _floats(p[0] for p in line["curve"]), _floats(p[1] for p in line["curve"])
            at = np.searchsorted(x, grid, side="right") - 1
            rows.append(np.where(at >= 0, y[np.maximum(at, 0)], np.nan))
        mean: Floats = np.stack(rows).mean(0)
        return mean


def write(lines: Sequence[Line], folder: Path | None) -> int:
    """Print the report, write it with its plot into a folder; return 1 where a bar is missed."""
    pools = Runs([line for line in lines if line["problem"] == "pool"])
    synthetic = Runs([line for line in lines if line["problem"] == "synthetic"])
    instances = sorted({line["instance"] for line in lines})
    bars = [*_pool_bars(pools), *_synthetic_bars(synthetic)]
    text = "\n".join([
        "# What a search finds for how many calls", "",
        ("Written by `make bench-search`. Regret: best known worth less the recommended"
        " ensemble's, of 10 points; mean ± standard error."), "",
        *_pool_table(pools), "", *_ratios(pools), "",
        *_synthetic_table(synthetic), "",
        "| bar | measured [95 %] | goal | |", "| --- | --- | --- | --- |",
        *(bar.text for bar in bars), "",
        "`met`: the whole interval is within the goal; `by the figure alone`: it reaches beyond.",
        "", *_known(instances), "",
    ])  # fmt: skip
    print(text)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "search.md").write_text(text, "utf-8")
        _plot(pools, synthetic, folder / "search.svg")
    return 1 if any(bar.missed for bar in bars) else 0


def ratio(a: Floats, b: Floats, resamples: int = 4000) -> tuple[float, float, float]:
    """Return the ratio of paired means with its 95 % bootstrap interval over the pairs."""
    if len(a) < 2:
        return float(a.mean() / b.mean()), 0.0, np.inf
    rows = np.random.default_rng(0).integers(0, len(a), (resamples, len(a)))
    low, high = np.quantile(a[rows].mean(1) / b[rows].mean(1), (0.025, 0.975))
    return float(a.mean() / b.mean()), float(low), float(high)


def _pool_table(runs: Runs) -> list[str]:
    head = " | ".join(f"{paid:,}" for paid in PAID)
    out = [
        "## Rehearsal pools", "",
        ("64 search items and 64 held out; paid calls, baselines counted, before a confirmation;"
        " in brackets with the confirmation's reserve taken off and its winner."), "",
        (f"| sampler | {head} | within 2 %: mean calls | runs that came so close | ensembles |"
        " pruned | evaluated twice |"),
        "| --- |" + " --- |" * (len(PAID) + 5),
    ]  # fmt: skip
    for method in POOLS:
        cells = [
            _cell(runs.regrets(method, p)) + _bracket(runs.confirmed(method, p)) for p in PAID
        ]
        close = runs.close(method)
        cells += [
            f"{close.mean():,.0f}", f"{(close < LONGEST).sum()} of {len(close)}",
            f"{runs.sums(method, 'evaluated'):.0f}", f"{runs.sums(method, 'pruned'):.0f}",
            f"{runs.sums(method, 'twice'):.0f}",
        ]  # fmt: skip
        out.append(f"| {method} | " + " | ".join(cells) + " |")
    return out


def _ratios(runs: Runs) -> list[str]:
    out = [
        ("Paid calls to come within 2 % of the best known, `auto` over another, paired over"
        f" instances and runs (a run that never came so close counts as {LONGEST:,}):"), "",
        "| auto over | ratio of means [95 %] | fewer | equal | more |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    mine = runs.close("auto")
    for method in POOLS[1:]:
        other = runs.close(method)
        value, low, high = ratio(mine, other)
        counts = [(mine < other).sum(), (mine == other).sum(), (mine > other).sum()]
        cells = " | ".join(str(count) for count in counts)
        out.append(f"| {method} | {value:.2f} [{low:.2f}, {high:.2f}] | {cells} |")
    gaps = [runs.regrets("auto", p) - runs.regrets("auto, discovery", p) for p in PAID]
    told = ", ".join(
        f"{g.mean():+.2f} ± {_error(g):.2f} at {p:,}" for g, p in zip(gaps, PAID, strict=True)
    )
    out += ["", f"What discovery adds to `auto`, less regret at equal calls, paired: {told}."]
    return out


def _synthetic_table(runs: Runs) -> list[str]:
    head = " | ".join(f"{at:,}" for at in EVALUATED)
    out = [
        "## Synthetic problem", "",
        ("Item evaluations, singles counted where they are made; `loop` is the anchor's own loop,"
        " `set-gp alone` sequential without singles, the others as shipped, 8 in flight."), "",
        f"| sampler | {head} | confirmed | ensembles | pruned |",
        "| --- |" + " --- |" * (len(EVALUATED) + 3),
    ]  # fmt: skip
    for method in SYNTHETIC:
        cells = [_cell(runs.regrets(method, at)) for at in EVALUATED]
        cells += [
            _cell(runs.confirmed(method, EVALUATED[-1])),
            f"{runs.sums(method, 'evaluated'):.0f}", f"{runs.sums(method, 'pruned'):.0f}",
        ]  # fmt: skip
        out.append(f"| {method} | " + " | ".join(cells) + " |")
    return out


def _pool_bars(runs: Runs) -> list[Bar]:
    out = []
    for method, bound, name in (
        ("tpe", 0.6, "calls to within 2 %, auto over TPE with store, racing and confirmation"),
        ("optuna", 0.25, "calls to within 2 %, auto over Optuna's default TPE without"),
    ):
        out.append(Bar(name, *ratio(runs.close("auto"), runs.close(method)), bound))
    for paid, bound in ((5_000, 0.35), (20_000, 0.20)):
        name = f"regret of auto at {paid:,} calls, baselines and confirmation included"
        out.append(Bar.mean(name, runs.confirmed("auto", paid), bound))
    return out


def _synthetic_bars(runs: Runs) -> list[Bar]:
    gain = runs.regrets("loop tpe", 3_000) - runs.regrets("set-gp alone", 3_000)
    before, after = runs.regrets("auto", 12_000), runs.confirmed("auto", 12_000)
    name = "synthetic: gain of set-gp alone over TPE at 3,000"
    out = [Bar.mean(name, gain, 0.10, least=True)]
    for at, bound in ((3_000, 0.28), (12_000, 0.12)):
        out.append(Bar.mean(f"synthetic: auto at {at:,}", runs.regrets("auto", at), bound))
    return [*out, Bar.mean("synthetic: change by the confirmation", after - before, 0.0)]


def _known(instances: Sequence[int]) -> list[str]:
    pools = [f"{i}: {best_known(i)[1]:.3f} ({(pinned_digest(i) or '')[:8]})" for i in instances]
    synthetic = [f"{i}: {pinned()[str(i)]:.3f}" for i in instances]
    return [
        f"Best known, pools (digest of the pool): {', '.join(pools)}.",
        f"Best known, synthetic: {', '.join(synthetic)}.",
        f"Within 2 %: a regret of at most {CLOSE:g} of the best known.",
    ]


def _plot(pools: Runs, synthetic: Runs, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "kumiawase"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, runs, methods, most, label in (
        (axes[0], pools, POOLS, PAID[-1], "paid calls (rehearsal pools)"),
        (axes[1], synthetic, SYNTHETIC, EVALUATED[-1], "item evaluations (synthetic problem)"),
    ):
        grid = np.linspace(600, most, 120)
        for method in methods:
            axis.plot(grid, runs.curve(method, grid), label=method, lw=1.2)
        axis.set(xlabel=label, ylabel="mean regret, of 10", ylim=(0, 1))
        axis.legend(fontsize=7, frameon=False)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _cell(values: Floats) -> str:
    if not np.isfinite(values).any():
        return "—"
    return f"{np.nanmean(values):.2f} ± {_error(values):.2f}"


def _bracket(values: Floats) -> str:
    return f" ({np.nanmean(values):.2f})" if np.isfinite(values).any() else ""


def _error(values: Floats) -> float:
    seen = values[np.isfinite(values)]
    return float(seen.std(ddof=1) / np.sqrt(len(seen))) if len(seen) > 1 else np.inf


def _floats(values: Any) -> Floats:  # noqa: ANN401 - numbers and None
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
