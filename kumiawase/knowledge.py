"""What a study knows of its models' windows: asked of the servers once, then frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data import catalogue
from db.facts import Served
from db.store import Store
from db.study_facts import StudyFacts
from endpoints.completions import Completions
from endpoints.facts import ModelFacts, survey
from endpoints.ledger import CHARACTERS_PER_TOKEN
from endpoints.tokens import Tokens
from kumiawase.settings import Settings


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a run knows of its models' windows, and learns."""

    facts: StudyFacts
    tokens: Tokens
    completions: Completions

    async def keep(self) -> None:
        """Keep the ratios that this run has learned, for the studies to come.

        What was assumed of a model whose server told nothing at the start, and answered later, is
        frozen as it was: its replies were paid under it.
        """
        await self.facts.learn(self.tokens.learned())
        await self.facts.freeze(filter(self.completions.answered, self.facts.found))


async def facts_of(settings: Settings, store: Store, completions: Completions) -> StudyFacts:
    """Return the study's facts; those of models that have none yet are found out and frozen.

    A server that cannot be reached says nothing that could be frozen: its models' facts are
    those of the settings until it can.
    """
    frozen = store.frozen(settings.study)
    asked = dict.fromkeys((*settings.proposers, *settings.aggregators, *settings.form.baselines))
    missing = {name: settings.models[name] for name in asked if name not in frozen}
    said = await survey(missing, completions.endpoints) if missing else {}
    found = {name: _found(settings, store, name, said.get(name)) for name in missing}
    served = {
        name: Served(settings.endpoints[model.endpoint].identity, model.served_name)
        for name, model in settings.models.items()
    }
    await store.freeze(settings.study, {name: (served[name], found[name]) for name in said})
    return StudyFacts(store, settings.study, served, found)


def _found(settings: Settings, store: Store, name: str, said: ModelFacts | None) -> ModelFacts:
    """Return what the user says of a model; else what its server does, or the catalogue."""
    form, spec = settings.form.models[name], settings.models[name]
    kept: dict[str, Any] = store.facts(settings.endpoints[spec.endpoint].identity)
    known = catalogue.find(form.catalogue or spec.served_name)
    told = said.context if said else None, known.context if known else None
    bounds = [n for n in told if n]
    # What either of the two calls too long is too long.
    context = form.context or (min(bounds) if bounds else None)
    way = said.tokenizer if said else "file" if spec.tokenizer else "ratio"
    ratio = float(kept.get(f"ratio:{spec.served_name}") or CHARACTERS_PER_TOKEN)
    return ModelFacts(context, way, ratio)
