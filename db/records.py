"""What callers get; no row of a table leaves this package."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from data.suites.item import Split
from endpoints.request import Role
from judges.inspection import Inspection
from judges.score import Score
from moa.answer import Answer
from moa.ensemble import Ensemble

State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAILED"]

MARKED = 0.05  # of the answers at most may miss references, for an ensemble to be ranked
STALE = 90.0  # seconds without a heartbeat after which a process counts as gone


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An ensemble on one half of the suite under one judge.

    Attributes:
        judge: Digest of the judge; `judge_name` is what tables call it.
        value, low, high: Score 0..1 with its 95 % interval; None until closed, or unscored.
        items: Items seen, `unscored` those that lack a score, `marked` the answers that were
            made of fewer references than the ensemble has.
    """

    id: int
    study: str
    half: Split
    judge: str
    judge_name: str
    digest: str
    ensemble: Ensemble
    origin: str
    state: State
    value: float | None = None
    low: float | None = None
    high: float | None = None
    items: int = 0
    unscored: int = 0
    marked: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """An answer to one item with its scores, the first of them the item's, and what it shows."""

    item_id: str
    category: str
    answer: Answer
    scores: tuple[Score, ...]
    inspection: Inspection

    @property
    def value(self) -> float | None:
        """The item's score 0..1; None means unscored."""
        return self.scores[0].value if self.scores else None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An ensemble somebody proposed.

    Attributes:
        ensemble: Its JSON, or the raw text where it could not be read.
        digest: The ensemble's; None where it could not be read.
        parents: Digests, or what the proposer called them.
        expected_score: What the proposer hoped for, on its own scale.
        rejected: Why it was not taken; empty for one that was.
        completion_key: Of the reply it came from; empty where no model was asked.
    """

    origin: str
    ensemble: Any
    digest: str | None = None
    name: str = ""
    thought: str = ""
    parents: tuple[str, ...] = ()
    expected_score: float | None = None
    rejected: str = ""
    completion_key: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """What a part of the requests took; tokens are those of prompt and reply."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Share) -> Share:
        """Return both together."""
        return Share(self.calls + other.calls, self.tokens + other.tokens, self.usd + other.usd)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a study has spent, every request sent counted.

    Attributes:
        seconds: Running time, summed over restarts.
        by_outcome: Requests by how they ended; "sent" are those whose end is unknown.
    """

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    by_role: Mapping[str, Share] = field(default_factory=dict)
    by_model: Mapping[str, Share] = field(default_factory=dict)
    by_outcome: Mapping[str, int] = field(default_factory=dict)

    @property
    def audited(self) -> Share:
        """What audits of its judges took, which is no part of any search."""
        return self.by_role.get("audit", Share())

    @property
    def searched(self) -> Share:
        """What its searches took."""
        less = self.audited
        return Share(self.calls - less.calls, self.tokens - less.tokens, self.usd - less.usd)

    def __add__(self, other: Spent) -> Spent:
        """Return both together."""
        return Spent(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.usd + other.usd,
            self.seconds + other.seconds,
            _sums(self.by_role, other.by_role, Share()),
            _sums(self.by_model, other.by_model, Share()),
            _sums(self.by_outcome, other.by_outcome, 0),
        )


_N = TypeVar("_N", int, Share)


def _sums(a: Mapping[str, _N], b: Mapping[str, _N], nothing: _N) -> dict[str, _N]:
    return {key: a.get(key, nothing) + b.get(key, nothing) for key in {**a, **b}}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one model took in one role.

    Attributes:
        calls: Attempts, those that failed included.
        prompt_tokens, completion_tokens, usd: Sums.
        seconds: Sum, from sending to the end.
        characters: Of the replies that were kept.
        replies: How many were kept.
    """

    model: str
    role: Role
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    usd: float = 0.0
    characters: int = 0
    replies: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint fared in a study, by its ledger.

    Attributes:
        failed: Requests that brought no completion, by how they ended.
        lost: Seconds that those took.
        slowest: Seconds of the slowest completion.
    """

    endpoint: str
    calls: int
    failed: Mapping[str, int]
    lost: float
    slowest: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is missing, and how often."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One of Optuna's trials; `digest` points to its evaluation once it is known.

    Attributes:
        retries: How often it was asked again because the process that was at it had died.
    """

    number: int
    state: str
    digest: str | None
    origin: str | None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Worker:
    """A process at work on a study; times in seconds since the epoch.

    Attributes:
        seconds: How long it has been running.
    """

    id: str
    study: str
    host: str
    pid: int
    started: float
    seen: float
    finished: float | None
    seconds: float

    @property
    def at_work(self) -> bool:
        """Whether it has neither finished nor fallen silent, nor died on this machine."""
        silent = self.finished is not None or time.time() - self.seen >= STALE
        return not silent and (self.host != socket.gethostname() or _lives(self.pid))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing, and is refused where there is no such process
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
