"""The store: reads in the loop, writes acknowledged after COMMIT."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from data.suites.item import Item, Split
from db import (
    beginning,
    completions,
    engines,
    evaluations,
    facts,
    ledger,
    notes,
    pins,
    proposals,
    schema,
)
from db.facts import Frozen, Served
from db.pins import JudgeRole
from db.records import (
    Evaluation,
    Health,
    Proposal,
    Reason,
    Result,
    Spent,
    State,
    Usage,
    Worker,
)
from db.statements import Work
from db.writer import Writer
from endpoints.facts import Kept, ModelFacts, Window
from endpoints.request import Attempt, Completion
from judges.score import Score
from judges.statistics import Estimate
from moa.answer import Answer
from moa.ensemble import Ensemble

T = TypeVar("T")


class Store:
    """All that is kept, in one SQLite file or PostgreSQL database; `Store.open` makes one.

    Reads are plain calls, from any thread. Writes are coroutines that return once the data is
    committed; several in the same instant share a commit. Every method raises StoreError where
    the database fails.

    Attributes:
        url: The database's URL.
    """

    def __init__(self, engine: Engine, url: str) -> None:
        self.url = url
        self._engine = engine
        self._lookup = completions.Lookup(engine, url)
        self._writer = Writer(engine, url)
        self._since: dict[str, float] = {}

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database, created and brought to the newest schema where necessary.

        Args:
            url: `sqlite:///FILE` or `postgresql+psycopg://…`. A new file is the owner's alone.

        Raises:
            ConfigError: It cannot be used: no such folder, not writable, no database, no
                server, or written by a newer kumiawase.
        """
        engine = engines.create(url)
        try:
            schema.migrate(engine, url)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, url)

    def close(self) -> None:
        """Commit what was asked for and let go of the database."""
        self._writer.close()
        self._lookup.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, work: Work[T]) -> T:
        """Return what `work` reads over a connection; for the queries of this package."""
        try:
            with self._engine.connect() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise engines.failure(self.url, error) from error

    # completions and attempts: what endpoints.request.CompletionStore asks

    def get(self, key: str) -> Completion | None:
        """Return the completion under `key`."""
        return self._lookup.get(key)

    async def claim(self, attempt: Attempt) -> Completion | None:
        """Write an attempt down, unless its completion is there: then return that."""
        found = self.get(attempt.key)
        if found is None:
            await self._writer.put(completions.claim(attempt))
        return found

    async def settle(self, attempt: Attempt, completion: Completion | None) -> None:
        """Write down how an attempt ended together with its completion."""
        await self._writer.put(*completions.settle(attempt, completion))

    # evaluations

    async def begin(
        self,
        study: str,
        half: Split,
        judge_digest: str,
        judge_name: str,
        ensemble: Ensemble,
        origin: str,
    ) -> Evaluation:
        """Start an evaluation, or return the one there is; a FAILED one runs again."""
        return await self._writer.run(
            evaluations.begin(study, half, judge_digest, judge_name, ensemble, origin)
        )

    async def add(
        self, evaluation_id: int, item: Item, answer: Answer, scores: tuple[Score, ...]
    ) -> Result:
        """Keep an answer with its scores; the first for an item stays, and is returned."""
        return await self._writer.run(evaluations.add(evaluation_id, item, answer, scores))

    async def close_evaluation(
        self,
        evaluation_id: int,
        state: State,
        estimate: Estimate | None,
        *,
        items: int,
        unscored: int,
        marked: int,
    ) -> None:
        """End an evaluation; one that is COMPLETE or PRUNED already stays as it is.

        Args:
            evaluation_id: From `begin`.
            state: COMPLETE, PRUNED or FAILED.
            estimate: Score 0..1 with its interval; None where no item was scored.
            items: Items seen.
            unscored: Items asked that have no score.
            marked: Answers made of fewer references than the ensemble has.
        """
        await self._writer.run(
            evaluations.close(evaluation_id, state, estimate, items, unscored, marked)
        )

    def evaluation(
        self, study: str, half: Split, judge_digest: str, digest: str
    ) -> Evaluation | None:
        """Return the evaluation of the ensemble with this digest."""
        return self.read(evaluations.find(study, half, judge_digest, digest))

    def evaluations(self, study: str, half: Split | None = None) -> list[Evaluation]:
        """Return the evaluations of a study, oldest first."""
        return self.read(evaluations.all_of(study, half))

    def results(self, evaluation_id: int) -> list[Result]:
        """Return the answers of an evaluation with their scores, ordered by item."""
        return self.read(evaluations.results(evaluation_id))

    def answers(self, study: str, half: Split, digest: str) -> dict[str, Answer]:
        """Return what the ensemble with this digest answered, by item, whoever judged it."""
        return self.read(evaluations.answers(study, half, digest))

    # proposals and prompts

    async def propose(self, study: str, proposal: Proposal) -> None:
        """Keep a proposal, taken or rejected."""
        await self._writer.run(proposals.propose(study, proposal))

    def proposals(self, study: str) -> list[Proposal]:
        """Return the proposals of a study, oldest first."""
        return self.read(proposals.all_of(study))

    async def add_prompts(self, texts: Mapping[str, str]) -> None:
        """Keep prompt texts by digest, each written once."""
        await self._writer.run(proposals.add_prompts(texts))

    def prompts(self) -> dict[str, str]:
        """Return all prompt texts by digest."""
        return self.read(proposals.prompts)

    # what a study and a server are

    async def pin(self, study: str, fields: Mapping[str, Any], *, renew: bool = False) -> None:
        """Write down what a study is; later compare.

        Args:
            study: Whose fields.
            fields: What it is.
            renew: Begin a study anew that is still in vain; for whoever holds its lock.

        Raises:
            StudyError: A field differs from what the study's first search pinned.
        """
        await self._writer.run(pins.pin(study, fields, renew=renew))

    def vain(self, study: str) -> bool:
        """Tell whether a study holds no answer and no trial."""
        return self.read(beginning.vain(study))

    def pins(self, study: str) -> dict[str, Any]:
        """Return a study's pins; empty for one never searched."""
        return self.read(pins.read(study))

    async def scale(self, study: str, role: JudgeRole, value: Mapping[str, Any]) -> dict[str, Any]:
        """Write down the scale a panel's members are read on; the first stays, and is returned."""
        return await self._writer.run(pins.scale(study, role, value))

    async def learn(self, endpoint: str, found: Mapping[str, Any]) -> None:
        """Keep what was learned of a server, named by its identity; the latest counts."""
        await self._writer.run(pins.learn(endpoint, found))

    def facts(self, endpoint: str) -> dict[str, Any]:
        """Return what is known of a server, named by its identity."""
        return self.read(pins.facts(endpoint))

    async def freeze(self, study: str, found: Mapping[str, tuple[Served, ModelFacts]]) -> None:
        """Write down what a study's prompts are fitted by; a model's first facts stay."""
        await self._writer.run(facts.freeze(study, found))

    def frozen(self, study: str) -> dict[str, Frozen]:
        """Return by model what a study's prompts are fitted by."""
        return self.read(facts.frozen(study))

    def inherited(self, served: Served, found: ModelFacts) -> tuple[Window, ...]:
        """Return the corrections that a study would begin with which freezes these facts."""
        return self.read(facts.inherited(served, found))

    async def correct(self, study: str, model: str, window: Window) -> tuple[Window, ...]:
        """Add a window that an overflow taught; returns all of the model's, oldest first."""
        return await self._writer.run(facts.correct(study, model, window))

    def fit(self, served: str, key: str) -> tuple[Kept, ...] | None:
        """Return how a prompt for a served model was fitted."""
        return self.read(facts.fit(served, key))

    async def keep_fit(self, served: str, key: str, kept: tuple[Kept, ...]) -> None:
        """Keep how a prompt for a served model was fitted; the first fit of a key stays."""
        await self._writer.put(facts.keep(served, key, kept))

    # what was spent, and who is at work

    def usage(self, study: str | None = None) -> list[Usage]:
        """Return what each model took in each role, in one study or all."""
        return self.read(ledger.usage(study))

    def running(self) -> float:
        """Return for how many seconds searches have been running, of all studies."""
        return self.read(ledger.running)

    def unknown(self, study: str) -> list[Usage]:
        """Return how many requests of each kind were sent whose end nobody saw."""
        return self.read(ledger.unknown(study))

    def health(self, study: str) -> list[Health]:
        """Return how each endpoint fared in a study."""
        return self.read(ledger.health(study))

    async def note(self, study: str, name: str, value: object) -> None:
        """Keep a note on a study, as JSON; the latest under a name counts."""
        await self._writer.run(notes.write(study, name, value))

    def notes(self, study: str) -> dict[str, Any]:
        """Return the notes on a study by name."""
        return self.read(notes.read(study))

    def spent(self, study: str) -> Spent:
        """Return what a study has spent."""
        return self.read(ledger.spent(study))

    def reasons(self, study: str) -> list[Reason]:
        """Return why requests failed and answers are unscored, the most frequent first."""
        return self.read(ledger.failures(study)) + self.read(ledger.unscored(study))

    async def register(self, study: str) -> str:
        """Write down that this process works on a study; returns the worker's id."""
        worker = uuid.uuid4().hex
        self._since[worker] = time.monotonic()
        await self._writer.run(ledger.register(worker, study))
        return worker

    async def heartbeat(self, worker: str, *, finished: bool = False) -> None:
        """Write down that a worker of this process lives, or has finished."""
        seconds = time.monotonic() - self._since[worker]
        await self._writer.run(ledger.beat(worker, seconds, finished=finished))

    async def dismiss(self, worker: str) -> None:
        """Forget a worker that has done nothing: a look at what is finished is no work."""
        await self._writer.run(ledger.dismiss(worker))

    def workers(self, study: str) -> list[Worker]:
        """Return the processes that have worked on a study, oldest first."""
        return self.read(ledger.workers(study))
