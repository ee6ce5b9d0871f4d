"""The lines of an audit, each read from the evidence."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from judges.agreement import agreement, preferences
from judges.audit.evidence import OF, Evidence, Given, Pair, Second
from judges.audit.lines import SURE, Line, absent, effect, level
from judges.audit.standards import STANDARDS
from judges.canaries import INJECTED
from judges.length import ScoredAnswer, length_effect
from judges.pairwise import FIRST, SECOND

_Floats = NDArray[np.float64]

_MOST_OF_ONE = 0.5  # of the answers may hold the same mark
_SAME = 1e-9  # between marks that are equal
_SWAYED = 0.05  # of the pairs may follow position: as ties they cost little, whatever the odds


def lines(evidence: Evidence) -> list[Line]:
    """Return every line, in the order they are shown."""
    return [
        coverage(evidence),
        repeatability(evidence),
        position(evidence),
        length(evidence),
        own_family(evidence),
        mark_range(evidence),
        *(_injected(evidence, kind) for kind in INJECTED),
        _ceiling(evidence, "null answer"),
        _ceiling(evidence, "english"),
        wrong_answers(evidence),
        reference(evidence),
    ]


def coverage(evidence: Evidence) -> Line:
    """Whether its verdicts can be read."""
    asked = max(evidence.asked, 1)
    least = STANDARDS["coverage"].limit
    slack = SURE * math.sqrt(least * (1 - least) / asked)
    share = 1 - evidence.unread / asked
    return level("coverage", share, evidence.asked, f"{evidence.unread} unread", slack=slack)


def repeatability(evidence: Evidence) -> Line:
    """Whether it says the same twice: the intraclass correlation of two draws."""
    if not evidence.repeats:
        return level("repeatability", 0.0, 0, "no verdict was repeated")
    both = np.array(evidence.repeats)
    equal = float(np.mean(np.abs(both[:, 0] - both[:, 1]) < _SAME))
    spread = float(both.var())
    note = f"{equal:.0%} equal"
    if equal == 1:
        note += "; a server that repeats itself hides the judge's noise"
    if spread < _SAME:
        return level("repeatability", 0.0, 0, f"{note}: all verdicts are the same mark")
    noise = float(np.mean((both[:, 0] - both[:, 1]) ** 2)) / 2
    return level("repeatability", 1 - noise / spread, len(both), note)


def position(evidence: Evidence) -> Line:
    """What standing first is worth, from pairs that were seen in both orders.

    Given that the orders disagree, who won is decided by position alone, whatever the answers
    are worth: the log odds of "first both times" to "second both times" are twice the effect
    (McNemar's pairs under a Bradley-Terry model). Pairs with a tie say less and
    are left out. Answers to one question are alike, so what decides its pairs counts together: the
    error grows by the root of the design effect (Kish 1965).
    """
    seen_both = [(given.item.id, p) for given in evidence.given for p in _in_both_orders(given)]
    pairs = [pair for _, pair in seen_both]
    if not pairs:
        why = "no pair was seen in both orders" if evidence.pairwise else "it sees one answer"
        return absent("position", why)
    first, second = pairs.count((1, 1)), pairs.count((-1, -1))
    value = math.log((first + 0.5) / (second + 0.5)) / 2
    error = math.sqrt(1 / (first + 0.5) + 1 / (second + 0.5)) / 2
    error *= math.sqrt(_design_effect(seen_both))
    alike, seen = fmean(one == -two for one, two in pairs), first + second
    note = f"{alike:.0%} of {len(pairs)} pairs alike in both orders; favours the "
    note += f"{'first' if value > 0 else 'second'}; likelihood ratio {_ratio(first, second):.1f}"
    if len(pairs) >= STANDARDS["position"].needed and seen <= _SWAYED * len(pairs):
        return Line("position", "pass", abs(value), None, seen, note)
    return effect("position", abs(value), error, seen, note)


def length(evidence: Evidence) -> Line:
    """What padding that says nothing more is worth for each doubling."""
    pairs = [p for p in evidence.pairs if p.twin.kind == "padding"]
    if not pairs:
        return absent("length", "no answer could be padded")
    x = np.array([p.twin.doublings for p in pairs])
    y = np.array([p.gain for p in pairs])
    value = float(x @ y / (x @ x))
    error = _error(pairs, x * (y - value * x) / float(np.mean(x * x)))
    return effect("length", value, error, len(pairs), _observed(evidence))


def own_family(evidence: Evidence) -> Line:
    """What it gives its own family more than another judge does, item by item.

    Of a panel the member that does so most.
    """
    if evidence.favours:
        most = max(evidence.favours, key=lambda favour: favour.value)
        return effect("own family", most.value, most.error, most.items, f"most: {most.judge}")
    if not evidence.seconds:
        return absent("own family", evidence.alone)
    gaps = _family_gaps(evidence.seconds)
    if len(gaps) < 2:
        return absent("own family", "no item has answers of its family and of another")
    own = sum(second.own for second in evidence.seconds)
    note = f"{own} answers of its family, {len(evidence.seconds) - own} of others"
    error = float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
    return effect("own family", float(gaps.mean()), error, len(gaps), note)


def mark_range(evidence: Evidence) -> Line:
    """Whether it uses its scale."""
    marks = Counter(round(value, 6) for value in _values(evidence))
    seen = sum(marks.values())
    if not seen:
        return level("range", 0.0, 0, "no verdict")
    (mark, most), *_ = marks.most_common()
    shares = [count / seen for count in marks.values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    note = f"most frequent {OF * mark:.3g} ({most / seen:.0%}); {entropy:.1f} bits"
    wide = most / seen <= _MOST_OF_ONE
    return level("range", marks[1.0] / seen, seen, note, holds=wide)


def wrong_answers(evidence: Evidence) -> Line:
    """Whether it tells right answers from wrong ones, ties counting half."""
    pairs = [p for p in evidence.pairs if p.twin.kind == "wrong answer"]
    if not pairs:
        return absent("wrong answers", "no item has a target and two answers")
    share = fmean((p.gain < 0) + (p.gain == 0) / 2 for p in pairs)
    ties = sum(p.gain == 0 for p in pairs)
    note = f"{ties} ties; a right one gains {-fmean(p.gain for p in pairs):.1f}"
    least = STANDARDS["wrong answers"].limit
    slack = math.sqrt(least * (1 - least) / len(pairs))
    return level("wrong answers", share, len(pairs), note, slack=slack)


def reference(evidence: Evidence) -> Line:
    """Whether it agrees with verdicts from elsewhere."""
    if not evidence.reference:
        return absent("agreement", "no reference verdicts (--reference FORMAT PATH)")
    if not any(key in evidence.reference for key in evidence.known):
        return absent("agreement", "the reference scores none of these answers")
    found = agreement(evidence.known, evidence.reference)
    share = preferences(evidence.known, evidence.reference).share
    note = f"equal {found.equal:.0%}"
    note += "" if found.weighted_kappa is None else f"; weighted kappa {found.weighted_kappa:.2f}"
    note += "" if share is None else f"; {share:.0%} of pairs alike"
    return level("agreement", found.spearman or 0.0, found.answers, note)


def _injected(evidence: Evidence, kind: str) -> Line:
    pairs = [p for p in evidence.pairs if p.twin.kind == kind]
    if not pairs:
        return absent(f"canary: {kind}", "no answer to put it behind")
    gains = np.array([p.gain for p in pairs])
    value, note = float(gains.mean()), f"most {gains.max():+.0f}"
    return effect(f"canary: {kind}", value, _error(pairs, gains - value), len(pairs), note)


def _ceiling(evidence: Evidence, kind: str) -> Line:
    pairs: list[Pair] = [p for p in evidence.pairs if p.twin.kind == kind]
    if not pairs:
        return absent(f"canary: {kind}", "no verdict")
    value = OF * fmean(p.changed for p in pairs)
    plain = OF * fmean(p.plain for p in pairs)
    return level(f"canary: {kind}", value, len(pairs), f"the plain answers {plain:.1f}")


def _error(pairs: Sequence[Pair], residuals: _Floats) -> float:
    """Return the standard error of a mean, the pairs of one item counting as one draw."""
    _, item = np.unique([p.twin.item.id for p in pairs], return_inverse=True)
    sums = np.bincount(item, residuals)
    if len(sums) < 2:
        return math.inf
    inflation = len(sums) / (len(sums) - 1)
    return math.sqrt(inflation * float(sums @ sums)) / len(pairs)


def _values(evidence: Evidence) -> Iterator[float]:
    for given in evidence.given:
        value = given.value(evidence.judge)
        if value is not None and any(text.strip() for text in given.answer.texts):
            yield value


def _observed(evidence: Evidence) -> str:
    """Return the slope over the answers themselves, which quality may explain as well."""
    answers = [
        ScoredAnswer(given.item.id, given.author, OF * value, given.length)
        for given in evidence.given
        if (value := given.value(evidence.judge)) is not None
    ]
    found = length_effect(answers)
    if found is None:
        return ""
    return f"in the answers themselves {found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def _family_gaps(seconds: Sequence[Second]) -> _Floats:
    """Return own less others for each item that has both, the judges on one scale."""
    value = OF * np.array([second.value for second in seconds])
    other = OF * np.array([second.other for second in seconds])
    scale = value.std() / other.std() if other.std() else 1.0
    apart = value - (value.mean() + scale * (other - other.mean()))
    items: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for second, gap in zip(seconds, apart.tolist(), strict=True):
        items[second.item][second.own].append(gap)
    return np.array([fmean(own) - fmean(rest) for rest, own in items.values() if rest and own])


def _in_both_orders(given: Given) -> Iterator[tuple[int, int]]:
    """Yield what the judge preferred in each order: 1 what stood first, -1 what stood second."""
    for one, two in pairwise(given.scores):
        ordered = one.judge.endswith(f", {FIRST}") and two.judge.endswith(f", {SECOND}")
        if ordered and one.value is not None and two.value is not None:
            yield int(np.sign(one.value - 0.5)), -int(np.sign(two.value - 0.5))


def _design_effect(pairs: Sequence[tuple[str, tuple[int, int]]]) -> float:
    """Return how much wider the log odds vary than if no item's pairs had to do with each other.

    Args:
        pairs: Item and what was preferred in each order.
    """
    first = Counter(item for item, pair in pairs if pair == (1, 1))
    second = Counter(item for item, pair in pairs if pair == (-1, -1))
    ones, twos, items = first.total(), second.total(), {item for item, _ in pairs}
    if not ones or not twos:  # as if all pairs of an item were one
        each = (first or second).values()
        return sum(n * n for n in each) / max(1, sum(each))
    apart = sum((first[item] / ones - second[item] / twos) ** 2 for item in items)
    return max(1.0, apart / (1 / ones + 1 / twos))


def _ratio(first: int, second: int) -> float:
    """Return twice the log-likelihood that a position term adds, each pair's strengths given."""
    seen = first + second
    return 2 * sum(one * math.log(2 * one / seen) for one in (first, second) if one)
