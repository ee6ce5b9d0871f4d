"""A limit starts high, shrinks once a round of refusals, and grows back slot by slot."""

from __future__ import annotations

from endpoints.limit import AdaptiveLimit


def test_a_round_of_refusals_shrinks_it_once() -> None:
    limit = AdaptiveLimit(16)
    assert limit.slots == 16
    for _ in range(8):  # all sent before the first refusal came
        limit.refused(sent=1.0, now=2.0, held=16)
    assert limit.slots == 11
    limit.refused(sent=3.0, now=4.0, held=11)
    assert limit.slots == 7


def test_what_was_not_in_use_is_no_measure() -> None:
    limit = AdaptiveLimit(100)
    limit.refused(sent=1.0, now=2.0, held=10)
    assert limit.slots == 7


def test_a_round_of_replies_gives_one_slot_back_and_never_more_than_there_were() -> None:
    limit = AdaptiveLimit(10)
    limit.refused(sent=1.0, now=2.0, held=10)
    for _ in range(8):
        limit.answered()
    assert limit.slots == 8
    for _ in range(100):
        limit.answered()
    assert limit.slots == 10


def test_one_slot_is_always_left() -> None:
    limit = AdaptiveLimit(2)
    for second in range(9):
        limit.refused(sent=second + 0.5, now=second + 1, held=1)
    assert limit.slots == 1
