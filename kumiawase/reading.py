"""Opening a database to read it: it must be there, and hold the study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from data.errors import StudyError
from db import engines
from db.leaderboard import rank
from db.pins import judged_by
from db.records import Evaluation
from db.store import Store
from db.studies import study_names, trials
from kumiawase.settings import Settings


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the database of a study that was searched before.

    Raises:
        StudyError: There is no such database or no such study in it.
    """
    file = engines.sqlite_file(settings.storage)
    if file is not None and not file.exists():
        raise StudyError(
            "nothing was searched yet", place=str(file), remedy="run `kumiawase search` first"
        )
    with Store.open(settings.storage) as store:
        names = study_names(store)
        if settings.study not in names:
            known = f"known: {', '.join(names)}" if names else "run `kumiawase search` first"
            raise StudyError(
                f"no study {settings.study!r}",
                place=engines.place(settings.storage),
                remedy=known,
            )
        yield store


def find(store: Store, study: str, name: str) -> Evaluation:
    """Return the search evaluation of an ensemble named by trial number or digest prefix.

    Raises:
        StudyError: No ensemble has the name, or several have.
    """
    kept = sorted(counted(store, study), key=lambda e: e.half == "search")
    known = {e.digest: e for e in kept}  # on the search items where it saw them
    if name.isdecimal():
        digests = {t.digest for t in trials(store, study) if t.number == int(name)}
        found = [known[d] for d in digests if d in known]
        if found:
            return found[0]
    found = [e for digest, e in known.items() if len(name) >= 4 and digest.startswith(name)]
    if len(found) == 1:
        return found[0]
    fault = f"{name!r} fits {len(found)} ensembles" if found else f"no ensemble {name!r}"
    raise StudyError(
        fault,
        place=f"study {study!r}",
        remedy="give a trial number or an id from the leaderboard",
    )


def counted(store: Store, study: str) -> list[Evaluation]:
    """Return the evaluations whose scores count: under the judge of their half, as it is now."""
    judges = judged_by(store.pins(study))
    return [e for e in store.evaluations(study) if e.judge == judges[e.half]]


def second_opinions(store: Store, study: str) -> list[Evaluation]:
    """Return what the search's judge makes of answers that another judge reports on."""
    judges = judged_by(store.pins(study))
    if judges["search"] == judges["held_out"]:
        return []
    return [e for e in store.evaluations(study, "held_out") if e.judge == judges["search"]]


def best(store: Store, study: str) -> str:
    """Return the digest of the ensemble that leads a study.

    Raises:
        StudyError: None is ranked.
    """
    for row in rank(store, study).rows:
        if row.rank == 1:
            return row.digest
    raise StudyError(
        "no ensemble is ranked yet", place=f"study {study!r}", remedy="name one by its ID"
    )
