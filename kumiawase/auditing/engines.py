"""Ensembles that answer during an audit, where one has to."""

from __future__ import annotations

import asyncio

from data.observer import Observer
from db.store import Store
from endpoints.completions import Completions
from endpoints.request import Completer
from endpoints.tokens import Tokens
from kumiawase.auditing.forecast import Forecast
from kumiawase.knowledge import Knowledge, facts_of
from kumiawase.settings import Settings
from kumiawase.wiring import engine_of
from moa.answer import Answer
from moa.conversation import Conversation
from moa.engine import Engine
from moa.ensemble import Ensemble
from moa.fitting import Fitter


class Engines:
    """Lets ensembles answer; servers are asked for their windows only when one is to."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        completions: Completions,
        forecast: Forecast,
        observer: Observer,
    ) -> None:
        self._settings, self._store, self._observer = settings, store, observer
        self._completions, self._forecast = completions, forecast
        self._opening = asyncio.Lock()
        self._engines: dict[bool, Engine] = {}
        self._knowledge: Knowledge | None = None

    async def answer(
        self, completer: Completer, ensemble: Ensemble, conversation: Conversation
    ) -> Answer:
        """Return an ensemble's answer, through the completer that pays or the one that counts."""
        async with self._opening:
            if self._knowledge is None:
                self._knowledge = await self._open()
        return await self._engines[completer is self._forecast].answer(ensemble, conversation)

    async def keep(self) -> None:
        """Keep what was learned of the models' windows."""
        if self._knowledge is not None:
            await self._knowledge.keep()

    async def _open(self) -> Knowledge:
        facts = await facts_of(self._settings, self._store, self._completions)
        models, completions = self._settings.models, self._completions
        tokens = Tokens(models, completions.endpoints, facts, self._observer)
        fitter = Fitter(tokens, facts, completions.known)
        for counts, completer in ((False, completions), (True, self._forecast)):
            self._engines[counts] = engine_of(
                self._settings, completer, fitter, self._store.prompts()
            )
        return Knowledge(facts, tokens, completions)
