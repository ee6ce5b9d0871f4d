"""The discovery turn: an LLM reads the scores so far and proposes the next ensembles.

The loop is DiscoPOP's (Lu et al. 2024, arXiv:2406.08414): an archive with its scores goes in,
reasoned proposals come out, each is checked before anything is spent on it, its score is in
the next prompt. Unlike there the prompt is rebuilt from the archive every time, so it is
bounded and a restart loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from data.digest import canonical_json
from data.errors import ConfigError, RequestError
from db.records import Proposal
from db.store import Store
from endpoints.request import Completer, Message, Request
from endpoints.specs import ModelSpec
from moa.ensemble import Ensemble
from optimizer.archive import Archive
from optimizer.evaluation import Outcome
from optimizer.prompts import text
from optimizer.space import Space

SHOWN = 12  # best ensembles in the prompt; single models come on top
TEMPERATURE = 0.7
MAX_TOKENS = 4096
LONGEST = 4000  # characters kept of what could not be read
READ = 200_000  # characters of a reply that are looked at, from
DEEPEST = 20  # levels of a proposal; an ensemble has five
STARTS = 200  # opening braces at most: a failed try costs as much as a whole reading


class _Form(BaseModel):
    """One proposal, as the model is asked to write it."""

    thought: str = ""
    name: str = Field(default="", max_length=200)
    parents: list[str] = Field(default_factory=list, max_length=8)
    expected_score: float | None = Field(default=None, allow_inf_nan=False)
    ensemble: dict[str, Any]


class Discovery:
    """Proposes ensembles by asking an LLM.

    Every turn is kept: the reply as a completion, each proposal with its fate in `proposals`.

    Args:
        completer: Reaches the discovering model.
        discoverer: Its name in kumiawase.yaml.
        space: What may be proposed.
        models: The pool's models by name, for their facts.
        store: Keeps the proposals.
        study: Name of the study.
    """

    def __init__(
        self,
        completer: Completer,
        discoverer: str,
        space: Space,
        models: Mapping[str, ModelSpec],
        store: Store,
        study: str,
    ) -> None:
        self._completer = completer
        self._discoverer = discoverer
        self._space = space
        self._models = models
        self._store = store
        self._study = study
        self._names = _aliases(space.prompts)
        self._proposed: set[str] = set()

    async def propose(self, archive: Archive, k: int) -> list[Ensemble]:
        """Ask for `k` ensembles; keep what is wrong with each that cannot be used.

        Raises:
            BudgetSpentError: The turn could not be paid.
        """
        request = Request(
            self._discoverer, "discovery", self.messages(archive, k), TEMPERATURE, MAX_TOKENS
        )
        try:
            completion = await self._completer.complete(request)
        except RequestError as error:
            await self._keep(_refused(f"no reply: {error}", ""))
            return []
        written = _proposals(completion.text)
        if written is None:
            fault = "the reply holds no JSON object with `proposals`"
            await self._keep(_refused(fault, completion.text[:LONGEST]), completion.key)
            return []
        found: list[Ensemble] = []
        for raw in written[:k]:
            proposal, ensemble = self._check(raw, archive)
            await self._keep(proposal, completion.key)
            if ensemble is not None:
                self._proposed.add(ensemble.digest)
                found.append(ensemble)
        return found

    def pending(self) -> list[Ensemble]:
        """Return what earlier runs proposed and accepted, tried since or not."""
        taken = [
            Ensemble.from_json(proposal.ensemble, prompt=self._space.prompts[0])
            for proposal in self._store.proposals(self._study)
            if not proposal.rejected and proposal.digest is not None
        ]
        self._proposed.update(ensemble.digest for ensemble in taken)
        return taken

    def messages(self, archive: Archive, k: int) -> tuple[Message, ...]:
        """Return the turn's prompt: limits, models and scored ensembles, a JSON object a line."""
        lines = [self._limits(k), *self._facts(), *self._scored(archive)]
        listing = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        return (
            {"role": "system", "content": text("discovery_ja")},
            {"role": "user", "content": listing},
        )

    def _limits(self, k: int) -> dict[str, Any]:
        space = self._space
        limits: dict[str, Any] = {
            "layers": space.layers,
            "width": space.width,
            "n": space.n,
            "temperatures": list(space.temperatures),
            "proposals": k,
        }
        if len(space.prompts) > 1:
            limits["prompts"] = list(self._names.values())
        return {"limits": limits}

    def _facts(self) -> list[dict[str, Any]]:
        names = dict.fromkeys((*self._space.proposers, *self._space.aggregators))
        return [self._fact(self._models[name]) for name in names]

    def _fact(self, model: ModelSpec) -> dict[str, Any]:
        roles = [
            role
            for role, names in (
                ("proposer", self._space.proposers),
                ("aggregator", self._space.aggregators),
            )
            if model.name in names
        ]
        fact: dict[str, Any] = {"model": model.name, "family": model.family, "roles": roles}
        if model.context is not None:
            fact["context"] = model.context
        return fact

    def _scored(self, archive: Archive) -> list[dict[str, Any]]:
        """Return the single models and the best ensembles, worst first: the best is read last."""
        shown = {o.ensemble.digest: o for o in archive.best(SHOWN)}
        shown |= {o.ensemble.digest: o for o in archive.all() if not o.ensemble.layers}
        ranked = sorted(shown.values(), key=lambda o: (o.value or 0.0, o.ensemble.digest))
        return [self._line(outcome) for outcome in ranked if outcome.estimate]

    def _line(self, outcome: Outcome) -> dict[str, Any]:
        assert outcome.estimate is not None
        error = (outcome.estimate.high - outcome.estimate.low) / (2 * 1.96)
        return {
            "id": outcome.ensemble.digest[:8],
            "ensemble": self._named(outcome.ensemble),
            "score": round(10 * outcome.estimate.value, 2),
            "se": round(10 * error, 2),
            "items": outcome.items,
        }

    def _named(self, ensemble: Ensemble) -> dict[str, Any]:
        """Return the ensemble with prompts by short names, and our default prompt left out."""
        written: dict[str, Any] = json.loads(
            json.dumps(ensemble.to_json()), object_hook=self._shorten
        )
        return written

    def _shorten(self, value: dict[str, Any]) -> dict[str, Any]:
        prompt = value.get("prompt")
        if prompt == self._space.prompts[0]:
            return {key: v for key, v in value.items() if key != "prompt"}
        return {**value, "prompt": self._names[prompt]} if prompt in self._names else value

    def _check(self, raw: object, archive: Archive) -> tuple[Proposal, Ensemble | None]:
        """Read one proposal; return it with its ensemble, or with the reason it has none."""
        if not _shallow(raw, DEEPEST):
            return _refused("nested too deep", ""), None
        try:
            form = _Form.model_validate(raw)
            digests = {name: digest for digest, name in self._names.items()}
            written = json.loads(
                json.dumps(form.ensemble),
                object_hook=lambda v: (
                    {**v, "prompt": digests.get(v["prompt"], v["prompt"])}
                    if isinstance(v.get("prompt"), str)
                    else v
                ),
            )
            ensemble = Ensemble.from_json(written, prompt=self._space.prompts[0])
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            return _refused(f"{where}: {first['msg']}", _brief(raw)), None
        except ConfigError as error:
            return _refused(str(error), _brief(raw)), None
        fault = self._fault(ensemble, archive)
        proposal = Proposal(
            origin="discovery",
            ensemble=ensemble.to_json(),
            digest=ensemble.digest,
            name=form.name,
            thought=form.thought,
            parents=tuple(form.parents),
            expected_score=form.expected_score,
            rejected=fault,
        )
        return proposal, None if fault else ensemble

    def _fault(self, ensemble: Ensemble, archive: Archive) -> str:
        unknown = ensemble.models - set(self._space.proposers) - set(self._space.aggregators)
        if unknown:
            return f"unknown model {min(unknown)!r}"
        if not self._space.contains(ensemble):
            return "outside the limits"
        if ensemble.digest in archive or ensemble.digest in self._proposed:
            return "evaluated or proposed before"
        return ""

    async def _keep(self, proposal: Proposal, key: str = "") -> None:
        await self._store.propose(self._study, replace(proposal, completion_key=key))


def _refused(reason: str, written: str) -> Proposal:
    return Proposal(origin="discovery", ensemble=written, rejected=reason)


def _proposals(reply: str) -> Sequence[object] | None:
    """Return what the reply lists under `proposals`; None where it holds no such object."""
    decoder, text = json.JSONDecoder(), reply[:READ]
    starts = (i for i, char in enumerate(text) if char == "{")
    for start in islice(starts, STARTS):
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        listed = value.get("proposals") if isinstance(value, dict) else None
        if isinstance(listed, list):
            return listed
    return None


def _shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(one, levels - 1) for one in inner)


def _aliases(prompts: Sequence[str]) -> dict[str, str]:
    return {digest: f"p{number}" for number, digest in enumerate(prompts, 1)}


def _brief(raw: object) -> str:
    return canonical_json(raw).decode()[:LONGEST]
