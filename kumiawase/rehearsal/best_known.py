"""The best ensemble known of a pool instance: a search without noise, pinned beside this file.

`python -m kumiawase.rehearsal.best_known` searches every pinned instance again and rewrites
best_known.json; do so after any change of the pool.
"""

from __future__ import annotations

import json
import random
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from kumiawase.rehearsal.moves import Limits, Shape, neighbours, sample
from kumiawase.rehearsal.pool import Pool
from moa import prompts
from moa.ensemble import Ensemble

SEEDS = range(12)
STARTS = 32
_FILE = "best_known.json"


def limits_of(pool: Pool) -> Limits:
    """Return the space best_known.json is pinned for: what `rehearse` searches by default."""
    prompt = prompts.digest("aggregate_ja")
    return Limits(pool.members, pool.members, 2, 6, 3, (0.0, 0.7), prompt)


def best_known(seed: int, limits: Limits | None = None) -> tuple[Ensemble, float]:
    """Return the best ensemble known of an instance, and its noiseless worth.

    Args:
        seed: The instance.
        limits: The space; None is that of `limits_of`. What is not pinned is searched, which
            takes the better part of a minute.
    """
    pool = Pool(seed)
    pinned = _pinned().get(str(seed))
    if pinned is None or limits not in {None, limits_of(pool)}:
        return search(pool, limits or limits_of(pool))
    prompt = limits_of(pool).prompt
    return Ensemble.from_json(pinned["ensemble"], prompt=prompt), pinned["worth"]


def search(pool: Pool, limits: Limits, starts: int = STARTS) -> tuple[Ensemble, float]:
    """Climb from every single model and from `starts` random ensembles; return the best."""

    @cache
    def worth(shape: Shape) -> float:
        return pool.quality(shape.ensemble(limits.prompt))

    rng = random.Random(pool.seed)
    first = [Shape((), m, t) for m in limits.aggregators for t in limits.temperatures]
    first += [sample(limits, rng) for _ in range(starts)]
    tops = []
    for shape in first:
        top, value = shape, worth(shape)
        while True:
            near = max(neighbours(top, limits), key=worth)
            if worth(near) <= value:
                break
            top, value = near, worth(near)
        tops.append(top)
    best = max(tops, key=worth)
    return best.ensemble(limits.prompt), worth(best)


def pinned_digest(seed: int) -> str | None:
    """Return the digest of the pool an instance was searched with, None if it never was."""
    found = _pinned().get(str(seed))
    return None if found is None else str(found["pool"])


def entry(seed: int) -> dict[str, Any]:
    """Search an instance and return what best_known.json keeps of it."""
    pool = Pool(seed)
    ensemble, worth = search(pool, limits_of(pool))
    return {"pool": pool.digest, "worth": round(worth, 6), "ensemble": _plain(ensemble)}


def _plain(ensemble: Ensemble) -> Any:  # noqa: ANN401 - JSON
    """Return the ensemble as JSON without prompts: no prompt changes its worth."""
    text = json.dumps(ensemble.to_json())
    return json.loads(text, object_hook=lambda v: {k: x for k, x in v.items() if k != "prompt"})


@cache
def _pinned() -> dict[str, Any]:
    pinned: dict[str, Any] = json.loads((files(__package__) / _FILE).read_text("utf-8"))
    return pinned


def _main() -> None:
    lines = [f'"{seed}": {json.dumps(entry(seed))}' for seed in SEEDS]
    Path(__file__).with_name(_FILE).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    _main()
