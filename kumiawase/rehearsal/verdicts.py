"""What a simulated judge reads besides the answers: criteria with their points, a review."""

from __future__ import annotations

import re

_CRITERIA = "【採点項目】\n"
_POINTS = re.compile(r"[:：]\s*([0-9]+)\s*点")
# A review is shown in a fence, which parts 点 and doubled brackets.
_WRITTEN_RATING = re.compile(r"([0-9]+)\s*〔?点|\[\s*\[\s*([0-9]+)\s*\]\s*\]")
_WRITTEN_PREFERENCE = re.compile(r"[AB]\s*(?:>>|>|=)\s*[AB]")


def points_earned(prompt: str, goal: int) -> list[int] | None:
    """Return the points of the criteria met, so that they come as near to a goal as they can.

    Args:
        prompt: What is asked, without the answers.
        goal: Points that the answer is worth; the sum is never above it.

    Returns:
        The points in the order of the criteria; None where the prompt names no criteria.
    """
    _, found, criteria = prompt.partition(_CRITERIA)
    if not found:
        return None
    earned: list[int] = []
    for points in map(int, _POINTS.findall(criteria.split("\n\n【", 1)[0])):
        if sum(earned) + points <= goal:
            earned.append(points)
    return earned


def copied(review: str, prompt: str) -> str:
    """Return the verdict that a review states last, in the form the prompt asks for."""
    if "[[判定]]" in prompt:
        stated = _WRITTEN_PREFERENCE.findall(review)
        verdict = "".join(stated[-1].split()) if stated else "なし"
    else:
        ratings = [first or second for first, second in _WRITTEN_RATING.findall(review)]
        verdict = ratings[-1] if ratings else "なし"
    return f"[[{verdict}]]"
