"""Models by the mean of their marks: as published, and with every fault taken out.

Shaberi: the mean over its suites, ELYZA's five counted twice. Japanese-RP-Bench: over dialogues,
criteria and judges. MT-Bench: over the means of its categories where these are known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

from data.verdicts import Verdict, VerdictFormat
from data.verdicts.load import Repeated
from judges.statistics import COVERAGE, Estimate, difference, estimate
from kumiawase.ranking.marks import Frame, Item, Marks


@dataclass(frozen=True, slots=True)
class Takes:
    """What several runs of one judge on the same answers say of its steadiness.

    Attributes:
        means: Run → its mean mark.
        pairs: Shares of marks equal in two runs, one for each two of them.
        all_equal: Share of the answers that got the same mark in every run.
    """

    means: Mapping[str, float]
    pairs: tuple[float, ...]
    all_equal: float


@dataclass(frozen=True, slots=True)
class MeanRow:
    """A model and its mean.

    Attributes:
        rank, group: None for one that is not ranked, for the `reason`; equals share a group.
        estimate: 0 to 1; None without a single sound mark.
        published, micro: 0 to 1: every mark that is a number as it stands, and items alike.
        bounds: 0 to 1: were every missing mark the worst, or the best.
        by: Suite, criterion, turn or category → mean mark, on its own scale.
        items: Items with a mark.
        unscored: Verdicts that are missing or do not count.
        coverage: Share of the verdicts that are there, in the suite where it is lowest.
        faults: Kind → how many.
    """

    model: str
    estimate: Estimate | None
    published: float | None
    micro: float | None
    bounds: tuple[float, float]
    by: Mapping[str, float]
    items: int
    unscored: int
    coverage: float
    faults: Mapping[str, int]
    takes: Takes | None
    reason: str = ""
    rank: int | None = None
    group: int | None = None


def mean_rows(
    form: VerdictFormat,
    verdicts: Sequence[Verdict],
    settled: Sequence[Verdict],
    repeated: Sequence[Repeated],
    categories: Mapping[str, str],
    *,
    ranked: bool,
    pooled: bool = False,
) -> list[MeanRow]:
    """Return the models, best first; last those that cannot be ranked.

    Args:
        form: Whose verdicts they are.
        verdicts: As they stand.
        settled: One for each judge and answer.
        repeated: Of which there were several.
        categories: Item → category, where means over categories are meant.
        ranked: Whether the verdicts compare at all.
        pooled: Whether any judge's mark will do.
    """
    frame = Frame.of(form, settled, categories, pooled=pooled)
    own, raw = _by_model(settled), _by_model(verdicts)
    again = Counter(one.rulings[0].models[0] for one in repeated for _ in one.rulings[1:])
    rows, scores = [], {}
    for model, marks in own.items():
        found = Marks(frame, marks)
        scores[model] = {item.key: value for item, value in found.scores().items()}
        rows.append(_row(model, frame, found, marks, raw[model], again[model]))
    return _ranked(rows, scores, frame) if ranked else sorted(rows, key=_order)


def _by_model(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        found[one.model].append(one)
    return found


def _row(
    model: str,
    frame: Frame,
    marks: Marks,
    settled: Sequence[Verdict],
    verdicts: Sequence[Verdict],
    again: int,
) -> MeanRow:
    scores = marks.scores()
    by_key = {item.key: value for item, value in scores.items()}
    counts = marks.coverage()
    shares = {suite: there / asked for suite, (there, asked) in counts.items()}
    lowest = min(shares, key=lambda suite: shares[suite])
    faults = Counter(str(one.fault) for one in verdicts if one.fault is not None)
    return MeanRow(
        model=model,
        estimate=estimate(by_key, frame.strata, {}) if by_key else None,
        published=_published(frame.form, verdicts),
        micro=fmean(by_key.values()) if by_key else None,
        bounds=(marks.filled(best=False), marks.filled(best=True)),
        by=_broken_down(frame, scores, settled),
        items=len(scores),
        unscored=sum(asked - there for there, asked in counts.values()),
        coverage=shares[lowest],
        faults={**faults, **({"repeated": again} if again else {})},
        takes=_takes(settled),
        reason=_too_few(lowest, *counts[lowest]),
    )


def _too_few(suite: str, there: int, asked: int) -> str:
    if there >= COVERAGE * asked:
        return ""
    where = f" in {suite}" if suite else ""
    return f"{there} of {asked} verdicts{where} count, under {COVERAGE:.0%}"


def _published(form: VerdictFormat, verdicts: Sequence[Verdict]) -> float | None:
    """Return the mean over suites of every number that stands in the files."""
    suites: dict[str, list[float]] = defaultdict(list)
    for one in verdicts:
        if one.value is not None:
            suites[one.task.suite].append(one.value / form.scales[one.task.suite].high)
    return fmean(map(fmean, suites.values())) if suites else None


def _broken_down(
    frame: Frame, scores: Mapping[Item, float], settled: Sequence[Verdict]
) -> dict[str, float]:
    """Return mean marks on their own scale, by what the format or its categories offer."""
    groups: dict[str, list[float]] = defaultdict(list)
    strata = {frame.strata[item.key] for item in frame.cells}
    if strata == {""}:
        for one in settled:
            if one.task.part and one.sound and one.value is not None:
                groups[one.task.part].append(one.value)
    else:
        for item, value in scores.items():
            groups[frame.strata[item.key]].append(value * frame.scale(item).high)
    return {name: fmean(values) for name, values in groups.items()}


def _takes(settled: Sequence[Verdict]) -> Takes | None:
    runs: dict[str, dict[object, float]] = defaultdict(dict)
    for one in settled:
        if one.sound and one.value is not None:
            runs[one.take][one.task, one.terms.judge] = one.value
    if len(runs) < 2:
        return None
    shared = set.intersection(*(set(run) for run in runs.values()))
    if not shared:
        return None
    pairs = tuple(
        fmean(a[key] == b[key] for key in shared) for a, b in combinations(runs.values(), 2)
    )
    equal = fmean(len({run[key] for run in runs.values()}) == 1 for key in shared)
    return Takes({take: fmean(run.values()) for take, run in runs.items()}, pairs, equal)


def _order(row: MeanRow) -> tuple[bool, float, str]:
    return bool(row.reason), -(row.estimate.value if row.estimate else -1.0), row.model


def _ranked(
    rows: Iterable[MeanRow], scores: Mapping[str, Mapping[str, float]], frame: Frame
) -> list[MeanRow]:
    """Return the rows in their order, with ranks and groups.

    A group's models are not told apart from its first by the paired difference.
    """
    found: list[MeanRow] = []
    head, group = "", 0
    for rank, row in enumerate(sorted(rows, key=_order), start=1):
        if row.reason:
            found.append(row)
            continue
        if not head or difference(scores[head], scores[row.model], frame.strata, {}).low > 0:
            head, group = row.model, group + 1
        found.append(replace(row, rank=rank, group=group))
    return found
