"""Chance that depends on a study's seed and a trial's number alone."""

from __future__ import annotations

from data.digest import digest


def seed_of(seed: int, number: int) -> int:
    """Return the seed of everything drawn for one trial (32 bits)."""
    return int(digest([seed, number])[:8], 16)
