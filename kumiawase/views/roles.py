"""What each model is worth in each role, read from a study and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from db.of_ten import OF
from db.pins import judged_by
from db.seen import Seen, seen
from db.store import Store
from db.studies import begun, importance
from judges.statistics import Estimate
from kumiawase import tables
from kumiawase.settings import Settings
from optimizer.roles import FEWEST, Pair, Roles, Tried, Worth, roles

PAIRS = 5  # shown to a person
PARAMETERS = 8


@dataclass(frozen=True, slots=True)
class RoleReport:
    """What a study tells of its models.

    Attributes:
        alone: Model → its score as a single model.
        roles: None where too few ensembles were tried.
        importance: Optuna parameter → share, largest first.
    """

    study: str
    alone: dict[str, Estimate]
    roles: Roles | None
    importance: dict[str, float]

    @property
    def models(self) -> list[str]:
        """All models seen, the best aggregator first, those that never aggregated last."""
        last = self.roles.aggregators if self.roles else {}
        names = {*self.alone, *last, *(self.roles.proposers if self.roles else ())}
        return sorted(names, key=lambda m: (m not in last, -last[m].value if m in last else 0, m))

    def to_json(self) -> dict[str, Any]:
        """Return scores and differences 0-10, intervals 95 %."""
        found = self.roles
        return {
            "study": self.study,
            "ensembles": found.ensembles if found else 0,
            "explained": round(found.explained, 4) if found else None,
            "models": [self._model(name) for name in self.models],
            "pairs": [_pair(pair) for pair in found.pairs] if found else [],
            "importance": {name: round(share, 4) for name, share in self.importance.items()},
        }

    def _model(self, name: str) -> dict[str, Any]:
        alone = self.alone.get(name)
        return {
            "model": name,
            "alone": None if alone is None else _shown(alone),
            "proposer": self._worth(self.roles.proposers.get(name) if self.roles else None),
            "aggregator": self._worth(self.roles.aggregators.get(name) if self.roles else None),
        }

    @staticmethod
    def _worth(worth: Worth | None) -> dict[str, Any] | None:
        return None if worth is None else {**_shown(worth), "ensembles": worth.ensembles}


def read(store: Store, settings: Settings) -> RoleReport:
    """Return what the study's evaluations on the search items tell of its models.

    Raises:
        StudyError: No search has begun.
    """
    pins = begun(store, settings.study)
    weights = pins["suite"]["weights"]
    counted = [
        one
        for one in store.read(seen(settings.study))
        if one.evaluation.half == "search"
        and one.evaluation.judge == judged_by(pins)["search"]
        and one.evaluation.state in {"COMPLETE", "PRUNED"}
        and one.scores
    ]
    return RoleReport(
        study=settings.study,
        alone=dict(_alone(counted, weights)),
        roles=roles(
            [Tried(one.evaluation.ensemble, one.scores) for one in counted],
            {item: category for one in counted for item, category in one.strata.items()},
            weights,
        ),
        importance=importance(settings.storage, settings.study),
    )


def show(report: RoleReport) -> None:
    """Print the report on stdout."""
    out = tables.console()
    found = report.roles
    if found is None:
        out.print(
            f"fewer than {FEWEST} ensembles with proposers: nothing can be said of roles yet"
        )
    else:
        out.print(
            f"study {report.study}: {found.ensembles} ensembles with proposers;"
            f" roles explain {max(found.explained, 0):.0%} of their differences"
        )
    columns = ("model", "alone", "as proposer", "in", "as aggregator", "of")
    out.print(tables.table(columns, (_row(report, name) for name in report.models), "in of"))
    if found is not None:
        _show_pairs(found, out)
    shares = list(report.importance.items())[:PARAMETERS]
    if shares:
        told = ", ".join(f"{name} {share:.0%}" for name, share in shares)
        out.print(tables.plain(f"what decides whether a trial is among the best tenth: {told}"))


def _show_pairs(found: Roles, out: Console) -> None:
    proved = [pair for pair in found.pairs if pair.worth.proved]
    if not proved:
        out.print("no two proposers proved worth more or less together than each by itself")
        return
    best = sorted(proved, key=lambda pair: -abs(pair.worth.value))[:PAIRS]
    rows = [
        (" + ".join(pair.models), _told(pair.worth), str(pair.worth.ensembles)) for pair in best
    ]
    out.print(tables.table(("proposing together", "beyond the sum of both", "in"), rows, "in"))


def _row(report: RoleReport, name: str) -> tuple[str, ...]:
    alone = report.alone.get(name)
    out = [name, tables.score(alone) if alone else "—"]
    for role in (report.roles.proposers, report.roles.aggregators) if report.roles else ({}, {}):
        worth = role.get(name)
        out += [_told(worth), str(worth.ensembles)] if worth else ["—", "0"]
    return tuple(out)


def _alone(counted: list[Seen], weights: dict[str, float]) -> Iterator[tuple[str, Estimate]]:
    for one in counted:
        ensemble, found = one.evaluation.ensemble, one.estimate(weights)
        if not ensemble.layers and found is not None and one.evaluation.origin == "baseline":
            yield ensemble.aggregator.model, found


def _told(worth: Worth) -> str:
    return f"{OF * worth.value:+.2f} [{OF * worth.low:+.2f}, {OF * worth.high:+.2f}]"


def _shown(found: Estimate | Worth) -> dict[str, Any]:
    return {
        "score" if isinstance(found, Estimate) else "difference": round(OF * found.value, 4),
        "ci": [round(OF * found.low, 4), round(OF * found.high, 4)],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "models": list(pair.models),
        **_shown(pair.worth),
        "ensembles": pair.worth.ensembles,
        "proved": pair.worth.proved,
    }
