"""`python -m tests.soak.ensembles FOLDER NUMBER`: evaluate a fixed list of ensembles.

The folder holds kumiawase.yaml; results go into its database and to stdout as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.suites import load_suite
from db.store import Store
from db.studies import MOST_RETRIES
from endpoints.endpoint import Endpoint
from endpoints.flight import EndpointPaused
from endpoints.reply import Reply
from endpoints.tokens import Tokens
from kumiawase import settings, wiring
from kumiawase.knowledge import facts_of
from kumiawase.rehearsal.faults import SPELL
from moa import prompts
from moa.ensemble import Ensemble
from moa.fitting import Fitter
from optimizer.budget import Budget
from optimizer.evaluation import Evaluator
from optimizer.outcome import Outcome
from optimizer.space import Space

IN_FLIGHT = 8


def listed(space: Space, number: int) -> list[Ensemble]:
    """Return the ensembles, always the same for a space, all different."""
    rng = random.Random(7)
    found: dict[str, Ensemble] = {}
    while len(found) < number:
        ensemble = space.sample(rng)
        found.setdefault(ensemble.digest, ensemble)
    return list(found.values())


@dataclass(slots=True)
class Pauses:
    """Keeps when a rest was asked for, and for how long, and when requests were sent."""

    heard: list[tuple[float, float]] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)

    def notice(self, event: object) -> None:
        """Take note of a pause."""
        if isinstance(event, EndpointPaused):
            self.heard.append((time.monotonic(), event.seconds))

    def watch(self, endpoint: Endpoint) -> None:
        """Take note of its requests as they leave: a busy server sees them later."""
        send = endpoint.send

        async def noted(body: Mapping[str, Any], timeout: float) -> Reply:  # noqa: ASYNC109 - as there
            self.sent.append(time.monotonic())
            return await send(body, timeout)

        endpoint.send = noted  # type: ignore[method-assign]


async def evaluate(folder: Path, number: int, observer: Pauses) -> list[Outcome]:
    """Evaluate the list on the search items, by the program's own rooms."""
    chosen = settings.load(folder / "kumiawase.yaml")
    suite = load_suite(chosen.form.suite, chosen.folder)
    with Store.open(chosen.storage) as store:
        completions = wiring.completions_of(chosen, store, Budget(), observer)
        for endpoint in completions.endpoints.values():
            observer.watch(endpoint)
        try:
            await store.add_prompts(prompts.library())
            facts = await facts_of(chosen, store, completions)
            tokens = Tokens(chosen.models, completions.endpoints, facts, observer)
            fitter = Fitter(tokens, facts, completions.known)
            engine = wiring.engine_of(chosen, completions, fitter, prompts.library())
            evaluator = Evaluator(
                store,
                engine,
                wiring.judge_of(chosen, chosen.form.judge, completions, engine.answer),
                suite,
                "search",
                study=chosen.study,
                seed=0,
                observer=observer,
            )
            ensembles = listed(wiring.space_of(chosen), number)
            slots = asyncio.Semaphore(IN_FLIGHT)

            async def one(ensemble: Ensemble) -> Outcome:
                tried = 0
                while True:  # as often as a search does, when the model that was away is back
                    async with slots:
                        outcome = await evaluator.evaluate(ensemble, "listed")
                    tried += 1
                    if outcome.state != "FAILED" or tried > MOST_RETRIES:
                        return outcome
                    await asyncio.sleep(SPELL)

            return await asyncio.gather(*map(one, ensembles))
        finally:
            await completions.close()


def largest() -> float:
    """Return the most memory this process held, in MB.

    Not `getrusage`: the kernel carries its maximum over exec, from whoever started the process.
    """
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(folder: str, number: str) -> None:
    """Evaluate and print, by digest: state, mean, whether it can be ranked; pauses, memory."""
    pauses = Pauses()
    outcomes = asyncio.run(evaluate(Path(folder), int(number), pauses))
    found = {
        one.ensemble.digest: [one.state, one.value, one.ranked, len(one.scores), one.items]
        for one in outcomes
    }
    written = {"outcomes": found, "pauses": pauses.heard, "sent": pauses.sent}
    json.dump({**written, "megabytes": largest()}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
