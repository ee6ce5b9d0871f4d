"""The best worth known of each synthetic instance, pinned in best_synthetic.json.

`python -m benchmarks.search.best` climbs again, without noise, and rewrites the file.
"""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

from benchmarks.search.synthetic import Synthetic
from optimizer.proposers.moves import neighbours, shape_of

STARTS = 10
_FILE = Path(__file__).with_name("best_synthetic.json")


@cache
def pinned() -> dict[str, float]:
    """Return the best worths by instance."""
    found: dict[str, float] = json.loads(_FILE.read_text("utf-8"))
    return found


def climb(seed: int) -> float:
    """Return the best worth found from `STARTS` good random ensembles, to where no move helps."""
    problem, rng = Synthetic(seed), random.Random(seed)
    best = 0.0
    for _ in range(STARTS):
        drawn = [problem.space.sample(rng) for _ in range(40)]
        top = shape_of(max(drawn, key=problem.worth))
        while True:
            near = max(neighbours(top, problem.space), key=lambda s: problem.worth(s.ensemble))
            if problem.worth(near.ensemble) <= problem.worth(top.ensemble):
                break
            top = near
        best = max(best, problem.worth(top.ensemble))
    return best


if __name__ == "__main__":
    worths = {str(seed): round(climb(seed), 4) for seed in range(10)}
    _FILE.write_text(json.dumps(worths, indent=0) + "\n", "utf-8")
