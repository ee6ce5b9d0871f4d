"""Random numbers that are a function of what they belong to, so that nothing is remembered."""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist

_STANDARD = NormalDist()
_RANGE = 2.0**64


def whole(*parts: object) -> int:
    """Return a number below 2**64 that depends on nothing but the text of `parts`."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def unit(*parts: object) -> float:
    """Return a uniform draw from the open interval (0, 1)."""
    return min((whole(*parts) + 0.5) / _RANGE, 1 - 2**-53)


def normal(*parts: object) -> float:
    """Return a draw from the standard normal distribution."""
    return _STANDARD.inv_cdf(unit(*parts))
