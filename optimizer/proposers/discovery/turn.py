"""A turn: ask, check, have the faulty repaired once, keep everything."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace

from data.catalogue import Entry
from data.errors import RequestError
from db.store import Store
from endpoints.request import Completer, Completion, Message, Request
from endpoints.specs import ModelSpec
from endpoints.tokens import PER_MESSAGE, PER_PROMPT
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.prompts import text
from optimizer.proposers.discovery.checking import Checked, Checker
from optimizer.proposers.discovery.faults import Fault, Gate
from optimizer.proposers.discovery.page import Page
from optimizer.proposers.discovery.reading import LONGEST, UNREADABLE, proposals
from optimizer.space import Space

TEMPERATURE = 0.7
MAX_TOKENS = 4096
FRAME = PER_PROMPT + 2 * PER_MESSAGE
ECHOED = 16_000  # characters of a reply that its author is shown again


class Discovery:
    """Proposes ensembles by asking an LLM.

    Every turn is kept: the replies as completions, each proposal with its fate in `proposals`,
    each prompt that came with one and can be used in `prompts`.

    Args:
        completer: Reaches the discovering model.
        discoverer: Its name in kumiawase.yaml.
        space: What may be proposed.
        models: The pool's models by name, for their facts.
        store: Keeps the proposals.
        study: Name of the study.
        texts: Prompt texts by digest, as the engine reads them; new ones are added.
        known: Model → its entry in the catalogue, where it has one.
        strata, weights: Search item → category, category → share of the score.
        gates: What an ensemble must pass before it is proposed, the cheapest first.
        seed: Of the search.
        priced: Whether cost counts beside the score.
        window: Tokens of prompt and reply that the discoverer takes; None is unknown.
    """

    name = "discovery"

    def __init__(
        self,
        completer: Completer,
        discoverer: str,
        space: Space,
        models: Mapping[str, ModelSpec],
        store: Store,
        study: str,
        *,
        texts: MutableMapping[str, str],
        known: Mapping[str, Entry] | None = None,
        strata: Mapping[str, str] | None = None,
        weights: Mapping[str, float] | None = None,
        gates: Sequence[Gate] = (),
        seed: int = 0,
        priced: bool = False,
        window: int | None = None,
    ) -> None:
        self._completer, self._discoverer = completer, discoverer
        self._space, self._store, self._study = space, store, study
        self._reply = min(MAX_TOKENS, window // 3) if window else MAX_TOKENS
        self._checker = Checker(space, texts, gates, seed)
        self._page = Page(
            space,
            models,
            known or {},
            texts,
            strata or {},
            weights or {},
            seed=seed,
            priced=priced,
            room=window - self._reply - FRAME if window else None,
        )
        self._proposed: set[str] = set()

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Ask for `k` ensembles; have what cannot be used repaired once.

        Raises:
            BudgetSpentError: The turn, or what a gate asked, could not be paid.
        """
        messages = await self.messages(archive, k)
        reply = await self._ask(messages)
        if reply is None:
            return []
        checked = await self._take(reply, archive, k)
        faulty = [one for one in checked if one.fault]
        if faulty:
            wanted = k if faulty[0].fault == UNREADABLE else len(faulty)
            again = await self._ask(self._repair(messages, reply, faulty, wanted))
            if again is not None:
                checked += await self._take(again, archive, wanted)
        return [one.ensemble for one in checked if one.ensemble and not one.fault]

    def pending(self) -> list[Ensemble]:
        """Return what earlier runs proposed and accepted, tried since or not."""
        taken = accepted(self._store, self._study, self._space.ours[0])
        self._proposed.update(ensemble.digest for ensemble in taken)
        return taken

    async def messages(self, archive: Archive, k: int) -> tuple[Message, ...]:
        """Return the prompt for `k` proposals."""
        return await self._page.messages(archive, k, self._store.proposals(self._study))

    async def _ask(self, messages: tuple[Message, ...]) -> Completion | None:
        request = Request(self._discoverer, "discovery", messages, TEMPERATURE, self._reply)
        try:
            return await self._completer.complete(request)
        except RequestError as error:
            await self._keep(Checked.refused(Fault("no_reply", str(error)), ""), "")
            return None

    async def _take(self, reply: Completion, archive: Archive, most: int) -> list[Checked]:
        """Check what a reply proposes, one after the other, and keep each with its fate."""
        written = proposals(reply.said)
        if written is None:
            refused = Checked.refused(UNREADABLE, reply.said[:LONGEST])
            await self._keep(refused, reply.key)
            return [refused]
        found: list[Checked] = []
        for raw in written[:most]:
            one = await self._checker.check(raw, archive, self._proposed)
            await self._keep(one, reply.key)
            found.append(one)
        return found

    async def _keep(self, one: Checked, key: str) -> None:
        """Write a proposal down, its prompt before it: whoever finds the one finds the other."""
        if one.prompt:
            await self._store.add_prompts(one.new_prompt)
        await self._store.propose(self._study, replace(one.proposal, completion_key=key))
        if one.ensemble is not None and one.fault is None:
            self._proposed.add(one.ensemble.digest)

    def _repair(
        self, messages: tuple[Message, ...], reply: Completion, faulty: Sequence[Checked], k: int
    ) -> tuple[Message, ...]:
        lines = [self._page.limits(k), *(one.line(self._space.prompts) for one in faulty)]
        listing = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        return (
            *messages,
            {"role": "assistant", "content": reply.said[:ECHOED]},
            {"role": "user", "content": f"{text('repair_ja')}\n{listing}"},
        )


def accepted(store: Store, study: str, prompt: str) -> list[Ensemble]:
    """Return the ensembles that a study's discovery has proposed and taken, oldest first.

    Args:
        store: Keeps them.
        study: Its name.
        prompt: Digest of the prompt that is left out where it is meant.
    """
    return [
        Ensemble.from_json(proposal.ensemble, prompt=prompt)
        for proposal in store.proposals(study)
        if not proposal.rejected and proposal.digest is not None
    ]
