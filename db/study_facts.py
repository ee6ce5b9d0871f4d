"""What one study knows of its models, kept in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from db.facts import Frozen, Served
from db.store import Store
from endpoints.facts import Kept, ModelFacts, Window


@dataclass(slots=True)
class StudyFacts:
    """`endpoints.facts.PromptFacts` of one study.

    Attributes:
        served: The models by name.
        found: Facts of models that may not be frozen yet, because their server was not reached:
            they are taken as they would be frozen.
    """

    store: Store
    study: str
    served: Mapping[str, Served]
    found: Mapping[str, ModelFacts]
    _known: dict[str, Frozen] = field(init=False)

    def __post_init__(self) -> None:
        frozen = self.store.frozen(self.study)
        assumed = {
            model: Frozen(facts, self.store.inherited(self.served[model], facts))
            for model, facts in self.found.items()
            if model not in frozen
        }
        self._known = assumed | frozen

    def facts(self, model: str) -> ModelFacts:
        """Return the facts of a model; those of one that nobody asked after say nothing."""
        known = self._known.get(model)
        return known.facts if known else ModelFacts()

    async def freeze(self, models: Iterable[str]) -> None:
        """Write down for ever what was assumed of models; first facts stay."""
        found = {model: (self.served[model], self.found[model]) for model in models}
        if found:
            await self.store.freeze(self.study, found)

    def corrections(self, model: str) -> tuple[Window, ...]:
        """Return the windows that overflows taught, oldest first."""
        known = self._known.get(model)
        return known.corrections if known else ()

    async def correct(self, model: str, window: Window) -> None:
        """Keep a window that an overflow taught."""
        facts = self.facts(model)
        await self.store.freeze(self.study, {model: (self.served[model], facts)})
        windows = await self.store.correct(self.study, model, window)
        self._known[model] = Frozen(facts, windows)

    def fit(self, model: str, key: str) -> tuple[Kept, ...] | None:
        """Return how a prompt for a model was fitted, reference by reference."""
        return self.store.fit(self.served[model].name, key)

    async def keep(self, model: str, key: str, fit: tuple[Kept, ...]) -> None:
        """Keep how a prompt for a model was fitted; the first fit of a key stays."""
        await self.store.keep_fit(self.served[model].name, key, fit)

    async def learn(self, ratios: Mapping[str, float]) -> None:
        """Keep the characters a token that models have shown, for the studies to come."""
        for model, ratio in ratios.items():
            served = self.served[model]
            await self.store.learn(served.server, {f"ratio:{served.name}": ratio})
