"""The prompt of a turn: a JSON object a line, rebuilt each time from what the store holds.

Its length does not grow with the study. What it shows of scores is of the search items, and of
items nothing but their categories.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from data.catalogue import Entry
from db.records import Proposal
from endpoints.ledger import CHARACTERS_PER_TOKEN
from endpoints.request import Message
from endpoints.specs import ModelSpec
from endpoints.tokens import units
from optimizer.archive import Archive
from optimizer.outcome import Outcome
from optimizer.prompts import text
from optimizer.proposers.discovery import figures
from optimizer.proposers.discovery.cards import cards
from optimizer.proposers.discovery.checking import MOST_PROMPTS
from optimizer.proposers.discovery.names import Names
from optimizer.proposers.discovery.winners import drawn, undominated, wins
from optimizer.roles import Roles, Tried, roles
from optimizer.seeds import seed_of
from optimizer.space import Space

BEST, WINNERS = 5, 3  # ensembles shown
WEAK, REJECTED, ANSWERED = 3, 3, 4  # categories, rejections, earlier proposals shown
SENTENCE = 300  # characters of a reason
TERSE = 3  # levels of leaving things out for a small window
_BRIEF = ("model", "roles", "alone")  # of a card, to a reader with a small window


class Page:
    """Writes the prompt.

    Args:
        space: What may be proposed.
        models: The pool's models by name.
        known: Model → its entry in the catalogue, where it has one.
        texts: Prompt texts by digest.
        strata, weights: Search item → category, category → share of the score.
        seed: Decides which winners of items are shown.
        priced: Whether cost counts; then it is shown.
        room: Tokens that the prompt may have; None for as many as it takes.
    """

    def __init__(
        self,
        space: Space,
        models: Mapping[str, ModelSpec],
        known: Mapping[str, Entry],
        texts: Mapping[str, str],
        strata: Mapping[str, str],
        weights: Mapping[str, float],
        *,
        seed: int,
        priced: bool,
        room: int | None,
    ) -> None:
        self._space, self._models, self._known, self._texts = space, models, known, texts
        self._strata, self._weights = strata, weights
        self._seed, self._priced, self._room = seed, priced, room

    async def messages(
        self, archive: Archive, k: int, history: Sequence[Proposal]
    ) -> tuple[Message, ...]:
        """Return the prompt for `k` proposals.

        Args:
            archive: What was evaluated.
            k: Proposals wanted.
            history: The study's proposals so far, oldest first.
        """
        seen = archive.snapshot()
        effects = await asyncio.to_thread(self._effects, seen)
        told = cards(self._space, self._models, self._known, seen, self._strata, effects)
        listing = ""
        for terse in range(TERSE + 1):
            lines = self._lines(k, seen, history, told, terse)
            listing = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
            if self._fits(listing):
                break
        return (
            {"role": "system", "content": text("discovery_ja")},
            {"role": "user", "content": listing},
        )

    def _fits(self, listing: str) -> bool:
        tokens = units(text("discovery_ja") + listing) / CHARACTERS_PER_TOKEN
        return self._room is None or tokens <= self._room

    def _lines(
        self,
        k: int,
        archive: Archive,
        history: Sequence[Proposal],
        told: Sequence[Mapping[str, Any]],
        terse: int,
    ) -> list[Mapping[str, Any]]:
        """Return the page's lines; the terser, the fewer and shorter."""
        scored = self._scored(archive)
        if terse >= 2:
            told = [{key: card[key] for key in _BRIEF if key in card} for card in told]
            scored = scored[-BEST if terse == 2 else -2 :]
        past = (*_rejected(history), *_answered(history, archive))
        return [
            self.limits(k),
            *(self._prompts() if not terse else self._prompts()[:1]),
            *told,
            *(self._weak(archive) if terse < 2 else ()),
            *(() if terse else past),
            *scored,
        ]

    def limits(self, k: int) -> dict[str, Any]:
        """Return the line that says what may be proposed."""
        space = self._space
        return {
            "limits": {
                "layers": space.layers,
                "width": space.width,
                "n": space.n,
                "temperatures": list(space.temperatures),
                "prompts": list(Names(space.prompts).short.values()),
                "new_prompts": MOST_PROMPTS - (len(space.prompts) - len(space.ours)),
                "proposals": k,
                "objective": "score and cost" if self._priced else "score",
            }
        }

    def _prompts(self) -> list[dict[str, str]]:
        names = Names(self._space.prompts).short
        return [{"prompt": n, "text": self._texts[d]} for d, n in names.items()]

    def _effects(self, archive: Archive) -> Roles | None:
        tried = [Tried(o.ensemble, o.scores) for o in archive.all()]
        if not all(item in self._strata for one in tried for item in one.scores):
            return None
        return roles(tried, self._strata, self._weights, seed=self._seed)

    def _weak(self, archive: Archive) -> list[dict[str, Any]]:
        """Return the categories in which the incumbent is weakest, the worst first."""
        best = archive.incumbent
        found = figures.by_category(best.scores, self._strata) if best else {}
        worst = sorted(found, key=lambda c: (mean(found[c]), c))[:WEAK]
        return [{"weak_category": figures.averaged(c, found[c])} for c in worst]

    def _scored(self, archive: Archive) -> list[dict[str, Any]]:
        """Return the best and those that win items, worst first: the best is read last."""
        best = {o.ensemble.digest: o for o in archive.best(BEST)}
        full = {o.ensemble.digest: o for o in archive.best(len(archive))}
        scores = {digest: o.scores for digest, o in full.items()}
        won, rng = wins(scores), random.Random(seed_of(self._seed, archive.asked))
        shown = best | {d: full[d] for d in drawn(undominated(scores), WINNERS, best, rng)}
        ranked = sorted(shown.values(), key=lambda o: (o.value or 0.0, o.ensemble.digest))
        return [self._line(o, won[o.ensemble.digest]) for o in ranked if o.estimate]

    def _line(self, outcome: Outcome, won: int) -> dict[str, Any]:
        ensemble = outcome.ensemble
        line = {
            "id": ensemble.digest[:8],
            "ensemble": Names(self._space.prompts).shown(ensemble),
            **figures.scored(outcome),
            "wins": won,
        }
        if self._priced:
            line["cost"] = {"usd": round(outcome.usd, 6), "seconds": round(outcome.seconds, 2)}
        return line


def _rejected(history: Sequence[Proposal]) -> list[dict[str, Any]]:
    refused = [p for p in history if p.rejected][-REJECTED:]
    return [{"rejected": p.name, "reason": p.rejected[:SENTENCE]} for p in refused]


def _answered(history: Sequence[Proposal], archive: Archive) -> list[dict[str, Any]]:
    """Return what earlier proposals were expected to score, and did."""
    found = []
    for proposal in history:
        known = archive.get(proposal.digest or "")
        if not proposal.rejected and known is not None and known.estimate is not None:
            found.append(
                {
                    "proposed": proposal.name,
                    "id": known.ensemble.digest[:8],
                    "expected_score": proposal.expected_score,
                    **figures.scored(known),
                }
            )
    return found[-ANSWERED:]
