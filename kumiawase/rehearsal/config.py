"""kumiawase.yaml of a rehearsal: the simulated pool as an ordinary endpoint."""

from __future__ import annotations

from typing import Any

from kumiawase.rehearsal.pool import DISCOVERER, JUDGES, Pool

STUDY = "rehearsal-"  # what the studies of all rehearsals begin with
CONCURRENCY = 64
DEADLINE = 3  # seconds; the slowest simulated reply takes a hundredth of it


def config(pool: Pool, base_url: str, *, trials: int, patient: bool = True) -> dict[str, Any]:
    """Return the settings, as they would be written by hand.

    Args:
        pool: Who answers.
        base_url: Where it is served.
        trials: New ensembles to evaluate.
        patient: Whether hours may pass before a reply; a pool that hangs is given seconds.
    """
    judge, report_judge = JUDGES
    return {
        "study": f"{STUDY}{pool.seed}",
        "storage": "sqlite:///kumiawase.sqlite",
        "endpoints": {
            "simulated": {
                "base_url": base_url,
                "max_concurrency": CONCURRENCY,
                **({} if patient else {"timeout": DEADLINE}),
                # The port changes from run to run, the models behind it do not.
                "identity": f"rehearsal pool {pool.seed} {pool.digest[:12]}",
            }
        },
        "models": {
            model.name: {
                "endpoint": "simulated",
                "family": model.family,
                "context": model.context,
                "price": {"input": model.input_price, "output": model.output_price},
            }
            for model in pool.models.values()
        },
        "judge": {"kind": "rubric", "models": [judge]},
        "report_judge": {"kind": "rubric", "models": [report_judge]},
        "suite": "kumiawase-ja",
        "search": {"trials": trials, "discoverer": DISCOVERER, "seed": pool.seed},
    }
