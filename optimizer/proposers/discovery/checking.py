"""Is a proposal an ensemble that may be evaluated? Whatever costs nothing is asked first."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data.digest import text_digest
from data.errors import ConfigError
from db.records import Proposal
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.proposers.discovery import wording
from optimizer.proposers.discovery.faults import Fault, Gate
from optimizer.proposers.discovery.limits import outside
from optimizer.proposers.discovery.names import Names
from optimizer.proposers.discovery.reading import Form, brief, form
from optimizer.proposers.random import nearest
from optimizer.space import Space

MOST_PROMPTS = 8  # discovered ones in a study: every one more is a dimension to search


@dataclass(frozen=True, slots=True)
class Checked:
    """A proposal with what became of it.

    Attributes:
        ensemble: None where it could not be read.
        prompt: Text of the prompt that came with it, if that one can be used.
    """

    proposal: Proposal
    ensemble: Ensemble | None = None
    fault: Fault | None = None
    prompt: str = ""

    @classmethod
    def refused(cls, fault: Fault, written: str, read: Form | None = None) -> Checked:
        """Return what is no ensemble, kept as it was written."""
        kept = Proposal(origin="discovery", ensemble=written, rejected=str(fault))
        if read is not None:
            kept = replace(kept, **_said(read))
        return cls(kept, fault=fault)

    @property
    def new_prompt(self) -> dict[str, str]:
        """The prompt that came with it, digest → text."""
        return {text_digest(self.prompt): self.prompt}

    def line(self, prompts: Sequence[str]) -> dict[str, object]:
        """Return what the author of a faulty proposal is told of it, prompts by short names."""
        fault = {} if self.fault is None else self.fault.to_json()
        shown = {} if self.ensemble is None else {"ensemble": Names(prompts).shown(self.ensemble)}
        return {"fault": fault, "name": self.proposal.name, **shown}


class Checker:
    """Checks what a model proposed.

    Args:
        space: What may be proposed.
        texts: Prompt texts by digest, as the engine reads them; usable new ones are added.
        gates: Asked in turn for what is sound so far.
        seed: Decides which neighbour a duplicate is answered with.
    """

    def __init__(
        self, space: Space, texts: MutableMapping[str, str], gates: Sequence[Gate], seed: int
    ) -> None:
        self._space, self._texts, self._gates, self._seed = space, texts, gates, seed

    async def check(self, raw: object, archive: Archive, before: Collection[str]) -> Checked:
        """Check one proposal.

        Args:
            raw: As the model wrote it.
            archive: What was evaluated or is in flight.
            before: Digests of what was proposed before.

        Raises:
            BudgetSpentError: A gate could not pay what it asks.
        """
        read = form(raw)
        if isinstance(read, Fault):
            return Checked.refused(read, brief(raw))
        prompt = wording.tidied(read.aggregation_prompt or "")
        found = self._ensemble(read, prompt)
        if isinstance(found, Fault):
            return Checked.refused(found, brief(raw), read)
        new = text_digest(prompt) if prompt else None
        if new is not None:
            self._texts[new] = prompt
        fault = self._static(found, new, archive, before)
        for gate in () if fault else self._gates:
            fault = await gate.fault(found, archive)
            if fault:
                break
        kept = Proposal(
            origin="discovery",
            ensemble=found.to_json(),
            digest=found.digest,
            rejected=str(fault) if fault else "",
            **_said(read),
        )
        return Checked(kept, found, fault, prompt)

    def _ensemble(self, read: Form, prompt: str) -> Ensemble | Fault:
        space = self._space
        new = text_digest(prompt) if prompt else None
        if new is not None and new not in space.prompts:
            if len(space.prompts) - len(space.ours) >= MOST_PROMPTS:
                legal = list(Names(space.prompts).short.values())
                return Fault("prompt_menu", "no more prompts are taken; use one there is", legal)
            fault = wording.fault(prompt)
            if fault:
                return fault
        written = Names(space.prompts).read(read.ensemble, new)
        try:
            found = Ensemble.from_json(written, prompt=space.prompts[0])
        except ConfigError as error:
            return Fault("schema", str(error))
        if new is not None and new not in {a.prompt for a in (*found.agents, found.aggregator)}:
            return Fault("prompt_unused", "no agent of the ensemble reads under the new prompt")
        return found

    def _static(
        self, ensemble: Ensemble, new: str | None, archive: Archive, before: Collection[str]
    ) -> Fault | None:
        known = sorted({*self._space.proposers, *self._space.aggregators})
        unknown = ensemble.models - set(known)
        if unknown:
            return Fault("unknown_model", f"unknown model {min(unknown)!r}", known)
        # Its new prompt is no part of the space before it is taken.
        more = () if new is None or new in self._space.prompts else (new,)
        fault = outside(ensemble, replace(self._space, prompts=(*self._space.prompts, *more)))
        if fault:
            return fault
        if archive.taken(ensemble.digest) or ensemble.digest in before:
            near = nearest(ensemble, archive, self._space, self._seed)
            legal = None if near is None else Names(self._space.prompts).shown(near)
            return Fault("duplicate", "evaluated or proposed before", legal)
        return None


def _said(read: Form) -> dict[str, Any]:
    return {
        "name": read.name,
        "thought": read.thought,
        "parents": tuple(read.parents),
        "expected_score": read.expected_score,
    }
