"""Overlap is the F1 of characters or words, the best over the targets."""

from __future__ import annotations

import pytest

from data.errors import SuiteError
from judges.rules import check


def worth(target: object, answer: str, **options: str) -> float | None:
    return check({"kind": "overlap", **options}, target, answer).value


def test_characters() -> None:
    assert worth("東京都", "東京") == pytest.approx(2 * 2 / 5)  # 2 · common / (2 + 3)
    assert worth("東京都", "「東京都」。") == 1
    assert worth("ああい", "あいい") == pytest.approx(2 * 2 / 6)  # each as often as it stands
    assert worth("ABC", "東京") == 0


def test_words() -> None:
    # 猫 が 魚 を 食べ た / 犬 が 魚 を 食べ た: five of six and six
    assert worth("猫が魚を食べた。", "犬が魚を食べた", unit="word") == pytest.approx(5 / 6)
    assert worth("図書館", "図書", unit="word") == 0


def test_the_best_of_several_targets_counts_and_is_told() -> None:
    found = check({"kind": "overlap"}, ["大阪", "東京都"], "東京")
    assert found.value == pytest.approx(0.8)
    assert found.explanation == "F1 0.80 with 東京都"


@pytest.mark.parametrize("options", [{"unit": "sentence"}, {"unit": None}, {"n": 2}])
def test_another_unit_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(SuiteError):
        worth("東京", "東京", **options)
