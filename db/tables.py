"""What is kept, table by table.

Optuna keeps the search path in tables of its own in the same file (`trials`, `studies`,
`trial_*`, `study_*`, `version_info`, `alembic_version`); no name here collides with them. Times
are seconds since the epoch, UTC; scores run from 0 to 1; money is USD.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.types import Json, Verbatim

REVISION = "0001"  # newest Alembic revision; a test compares it with migrations/versions
VERSION_TABLE = "kumiawase_version"

Word = Annotated[str, mapped_column(Text)]  # ours: a digest, an id, a state; never foreign text


class Base(DeclarativeBase):
    """All tables of ours."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Verbatim()}


class CompletionRow(Base):
    """One distinct request with its reply; shared by all studies."""

    __tablename__ = "completions"

    key: Mapped[Word] = mapped_column(primary_key=True)
    model: Mapped[str]
    served: Mapped[str]
    text: Mapped[str]
    finish_reason: Mapped[str]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    estimated: Mapped[bool]
    seconds: Mapped[float]
    usd: Mapped[float]
    stored: Mapped[float]


class AttemptRow(Base):
    """One request sent: the ledger."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_study", "study"), Index("ix_attempts_key", "key"))

    id: Mapped[Word] = mapped_column(primary_key=True)
    key: Mapped[Word]
    study: Mapped[str]
    role: Mapped[Word]
    model: Mapped[str]
    endpoint: Mapped[str]
    started: Mapped[float]
    outcome: Mapped[Word]
    seconds: Mapped[float]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    estimated: Mapped[bool]
    usd: Mapped[float]
    detail: Mapped[str]


class EvaluationRow(Base):
    """An ensemble on one half of the suite under one judge."""

    __tablename__ = "evaluations"
    __table_args__ = (UniqueConstraint("study", "half", "judge", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str]
    half: Mapped[str]
    judge: Mapped[str]
    judge_name: Mapped[str]
    digest: Mapped[str]
    ensemble: Mapped[Any] = mapped_column(Json)
    origin: Mapped[str]
    state: Mapped[str]
    value: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    items: Mapped[int] = mapped_column(default=0)
    unscored: Mapped[int] = mapped_column(default=0)
    marked: Mapped[int] = mapped_column(default=0)
    started: Mapped[float]
    closed: Mapped[float | None]


class AnswerRow(Base):
    """An ensemble's answer to one item; `value` is the item's score, NULL where unscored."""

    __tablename__ = "answers"

    evaluation: Mapped[int] = mapped_column(ForeignKey("evaluations.id"), primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str]
    value: Mapped[float | None]
    texts: Mapped[Any] = mapped_column(Json)
    aggregator: Mapped[str]
    models: Mapped[Any] = mapped_column(Json)
    completion_keys: Mapped[Any] = mapped_column(Json)
    lost: Mapped[Any] = mapped_column(Json)
    cut: Mapped[bool]
    seconds: Mapped[float]
    calls: Mapped[int]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    usd: Mapped[float]
    shortened: Mapped[Any] = mapped_column(Json)
    inspection: Mapped[Any] = mapped_column(Json)


class ScoreRow(Base):
    """One judge's verdict on one answer; position 0 is the item's score."""

    __tablename__ = "scores"
    __table_args__ = (
        ForeignKeyConstraint(["evaluation", "item"], ["answers.evaluation", "answers.item"]),
    )

    evaluation: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    judge: Mapped[str]
    value: Mapped[float | None]
    reason: Mapped[str]
    explanation: Mapped[str]


class ProposalRow(Base):
    """An ensemble somebody proposed; `rejected` says why it was not taken."""

    __tablename__ = "proposals"
    __table_args__ = (Index("ix_proposals_study", "study"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str]
    origin: Mapped[str]
    ensemble: Mapped[Any] = mapped_column(Json)
    digest: Mapped[str | None]
    name: Mapped[str]
    thought: Mapped[str]
    parents: Mapped[Any] = mapped_column(Json)
    expected_score: Mapped[float | None]
    rejected: Mapped[str]
    completion_key: Mapped[str]
    proposed: Mapped[float]


class PromptRow(Base):
    """A prompt text by its digest; written once."""

    __tablename__ = "prompts"

    digest: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]


class EndpointFactRow(Base):
    """One thing learned of a server, known by what stands for it in keys and pins."""

    __tablename__ = "endpoint_facts"

    endpoint: Mapped[str] = mapped_column(primary_key=True)
    fact: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(Json)
    learned: Mapped[float]


class ModelFactsRow(Base):
    """What a study's prompts for a model are fitted by; `corrections` is what overflows taught.

    `server` is what stands for the server in keys and pins, `served` what it calls the model.
    """

    __tablename__ = "model_facts"

    study: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    server: Mapped[str]
    served: Mapped[str]
    context: Mapped[int | None]
    tokenizer: Mapped[Word]
    ratio: Mapped[float]
    corrections: Mapped[Any] = mapped_column(Json)
    frozen: Mapped[float]


class FitRow(Base):
    """How the references of one prompt were cut for one served model; shared by all studies."""

    __tablename__ = "fits"

    model: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[Word] = mapped_column(primary_key=True)
    kept: Mapped[Any] = mapped_column(Json)


class PinRow(Base):
    """One field of what a study is."""

    __tablename__ = "pins"

    study: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(Json)
    pinned: Mapped[float]


class NoteRow(Base):
    """What searches of a study leave for later ones and for those who look."""

    __tablename__ = "notes"

    study: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(Json)
    written: Mapped[float]


class WorkerRow(Base):
    """A process at work on a study; `seconds` is how long, by a clock nobody sets."""

    __tablename__ = "workers"
    __table_args__ = (Index("ix_workers_study", "study"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    study: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    started: Mapped[float]
    seen: Mapped[float]
    finished: Mapped[float | None]
    seconds: Mapped[float]
