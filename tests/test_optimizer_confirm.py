"""What is compared and confirmed, and what is kept back for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from endpoints.request import Attempt, Role
from moa.ensemble import Agent, Ensemble, single
from optimizer import confirm
from optimizer.archive import Archive
from optimizer.baselines import shapes, singles
from optimizer.budget import Amount, Free
from optimizer.confirm import LEADING, Reserve
from optimizer.space import Space
from tests.support.pool import PROMPT, SPACE, outcome

SELF = Ensemble(((Agent("a", 0.7, 3),),), Agent("a", 0.0, prompt=PROMPT))
LITE = Ensemble(((Agent("a", 0.7), Agent("b", 0.7)),), Agent("a", 0.0, prompt=PROMPT))
FOUND = [Ensemble(((Agent("b", 0.7, n),),), Agent("a", 0.0, prompt=PROMPT)) for n in range(1, 7)]

MEMBERS = ("a", "b", "c")


def archive(**changes: float) -> Archive:
    """Return baselines, worst to best `gpt`, b, a, and trials that are better and better."""
    worth = {"gpt": 0.2, "b": 0.4, "a": 0.5} | changes
    alone = [outcome(single(m, 0.0), v, v, origin="baseline") for m, v in worth.items()]
    combined = [outcome(e, 0.3, 0.3, origin="baseline") for e in (SELF, LITE)]
    return Archive([*alone, *combined, *(outcome(e, 0.6 + i / 50) for i, e in enumerate(FOUND))])


# -- confirm


def candidates(
    known: Archive, k: int, compared: Sequence[str], members: Sequence[str]
) -> list[Ensemble]:
    return confirm.candidates(known, known.best(len(known)), k, compared, members)


def test_the_baselines_are_confirmed_however_bad_they_are() -> None:
    chosen = candidates(archive(), 2, ["gpt"], MEMBERS)
    assert chosen == [single("gpt", 0.0), single("a", 0.0), SELF, FOUND[5], FOUND[4]]


def test_none_is_confirmed_twice_and_k_counts_the_others() -> None:
    chosen = candidates(archive(a=0.99, gpt=0.98), 3, ["gpt"], MEMBERS)
    assert len({e.digest for e in chosen}) == len(chosen) == 6
    assert chosen[3:] == [FOUND[5], FOUND[4], FOUND[3]]


def test_a_compared_model_is_confirmed_even_if_it_cannot_be_ranked() -> None:
    known = archive()
    gpt = known.get(single("gpt", 0.0).digest)
    assert gpt is not None
    known.add(replace(gpt, items=40))  # most of its answers are unscored
    assert gpt.ensemble not in [o.ensemble for o in known.best(len(known))]
    assert single("gpt", 0.0) in candidates(known, 1, ["gpt"], MEMBERS)


def test_a_member_may_be_compared_and_its_self_moa_stays_a_baseline() -> None:
    chosen = candidates(archive(), 1, ["a"], MEMBERS)
    assert chosen[:2] == [single("a", 0.0), SELF]  # it is the best of the pool as well


def test_the_best_hopes_are_confirmed_not_the_best_scores() -> None:
    known = archive()
    hopes = sorted(known.best(len(known)), key=lambda o: o.value or 0.0)
    found = [e for e in confirm.candidates(known, hopes, 2, [], MEMBERS) if e in FOUND]
    assert found == []  # LITE and `b` are hoped for more
    chosen = confirm.candidates(known, hopes, 4, [], MEMBERS)
    assert [e for e in chosen if e in FOUND] == [FOUND[0]]


def test_nothing_is_confirmed_where_nothing_is_to_be() -> None:
    assert candidates(archive(), 0, ["gpt"], MEMBERS) == []
    assert candidates(Archive(), 8, ["gpt"], MEMBERS) == []


def test_pruned_and_unranked_ensembles_are_not_confirmed() -> None:
    pruned = replace(outcome(FOUND[0], 0.99), state="PRUNED")
    marked = outcome(FOUND[1], *[0.99] * 10, marked=1)
    known = Archive([outcome(single("a", 0.0), 0.5, origin="baseline"), pruned, marked])
    assert candidates(known, 8, [], MEMBERS) == [single("a", 0.0)]


WHOLE = Reserve(64, 11, 6, ("a", "b"), ("a",), ("j",))
ASKED = 64 * (2 + 11 * 3) + 64 * 11 + 64 * 11  # proposals, aggregations, verdicts


class Cents:
    """A cent for the judge, nothing for the others."""

    def expected(self, model: str, role: Role) -> float:  # noqa: ARG002 - the Protocol's
        return 0.01 * (model == "j")

    def learn(self, attempt: Attempt) -> None:
        """Learn nothing."""


@pytest.mark.parametrize("calls", [1, 10, 1000, 100_000])
def test_at_most_a_third_is_kept_for_the_confirmation(calls: int) -> None:
    kept = WHOLE.amount(calls, None, Free())
    assert kept == Amount(min(calls // 3, ASKED), 0.0)
    three = replace(WHOLE, judges=("j", "k", "l"))
    assert three.amount(calls, None, Free()).calls >= kept.calls


def test_money_is_kept_for_what_costs_money() -> None:
    assert WHOLE.amount(None, 100.0, Cents()).usd == pytest.approx(64 * 11 * 0.01)
    assert WHOLE.amount(None, 3.0, Cents()).usd == 1.0


def test_the_search_judge_reads_the_leading_answers_again() -> None:
    again = replace(WHOLE, again=("j", "j"))
    more = LEADING * 64 * 2
    kept = again.amount(None, None, Cents())
    assert kept.calls == ASKED + more
    assert kept.usd == pytest.approx((64 * 11 + more) * 0.01)


def test_nothing_is_kept_without_a_confirmation() -> None:
    assert replace(WHOLE, ensembles=0).amount(1000, 1.0, Cents()) == Amount()


# -- baselines


def test_every_model_stands_alone_once_members_first() -> None:
    space = replace(SPACE, proposers=("b", "c"), aggregators=("a", "b"), temperatures=(0.3, 0.7))
    alone = singles(space, ["gpt", "a"])
    assert alone == [single(m, 0.3) for m in ("a", "b", "c", "gpt")]


def test_the_shapes_of_the_papers_as_far_as_the_space_goes() -> None:
    names = tuple("abcdefgh")
    space = Space(names, names, 2, 6, 3, (0.0, 0.7), (PROMPT,))
    found = shapes(space, [outcome(single(m, 0.0), 0.5) for m in "hgfedcba"])
    top = Agent("h", 0.0, prompt=PROMPT)
    six = [m for m in "hgfedc"]
    first = tuple(Agent(m, 0.7) for m in six)
    second = tuple(Agent(m, 0.7, prompt=PROMPT) for m in six)
    assert found == [
        Ensemble(((Agent("h", 0.7, 3),),), top),
        Ensemble((first,), top),
        Ensemble((first, second), top),
    ]
    assert all(space.contains(e) for e in found)
    assert len(shapes(replace(space, layers=1), [outcome(single("h", 0.0), 0.5)])) == 2
    assert shapes(replace(space, layers=0), [outcome(single("h", 0.0), 0.5)]) == []


def test_the_best_model_that_may_aggregate_does() -> None:
    space = replace(SPACE, aggregators=("b",))
    found = shapes(space, [outcome(single(m, 0.0), 0.5) for m in ("gpt", "c", "b", "a")])
    assert {e.aggregator.model for e in found} == {"b"}
    assert not any("gpt" in e.models for e in found)
    assert shapes(space, [outcome(single("c", 0.0), 0.5)]) == []


# -- archive


def test_the_incumbent_is_the_best_of_those_ranked_and_equals_go_by_digest() -> None:
    equal = [outcome(e, 0.7, 0.7) for e in FOUND]
    first = min(equal, key=lambda o: o.ensemble.digest)
    for order in (equal, equal[::-1]):
        known = Archive(order)
        assert known.incumbent is not None
        assert known.incumbent.ensemble == first.ensemble
    assert Archive().incumbent is None


def test_a_failed_outcome_is_forgotten_and_baselines_are_no_trials() -> None:
    known = Archive([replace(outcome(FOUND[0], 0.9), state="FAILED")])
    assert FOUND[0].digest not in known
    assert (len(known), known.tried) == (0, 0)
    assert archive().tried == len(FOUND)


@pytest.mark.parametrize(
    ("seen", "scored", "marked", "is_ranked"),
    [
        (20, 20, 0, True),
        (20, 19, 1, True),
        (20, 18, 0, False),
        (20, 20, 2, False),
        (1, 1, 0, True),
    ],
)
def test_what_may_be_ranked(seen: int, scored: int, marked: int, is_ranked: bool) -> None:
    assert outcome(SELF, *[0.5] * scored, items=seen, marked=marked).ranked is is_ranked
