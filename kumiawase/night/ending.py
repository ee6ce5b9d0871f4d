"""How a search ended, in the same words for whoever sits there, for `notify` and for `status`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from data.errors import UserError
from db.records import Worker
from kumiawase.reading import counted
from kumiawase.settings import Settings
from kumiawase.tables import duration as clock
from optimizer.budget import Budget

if TYPE_CHECKING:  # a second's worth of imports, and `status` runs nothing
    from kumiawase.wiring import Session
    from optimizer.search import End

NOTE: Final = "end"  # the note that keeps it
LONGEST: Final = 500  # characters of an error: what a server says may hold anything
INTERRUPTED: Final = 130
INCOMPLETE: Final = 1
_NOTHING: Final = 0.01  # of a limit: what is left beside the last request that would pass it
CODES: Final[Mapping[str, int]] = {"done": 0, "exhausted": 0, "budget": 3}


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a search.

    Attributes:
        code: The exit code.
        text: What happened, in one line.
        whole: Whether all was done that there was to do.
    """

    code: int
    text: str
    whole: bool = False

    def note(self, at: float) -> dict[str, Any]:
        """Return what the database keeps; `at` is in seconds since the epoch."""
        return {"at": at, "code": self.code, "text": self.text, "whole": self.whole}

    def told_by(self, note: Mapping[str, Any] | None) -> bool:
        """Return whether a note tells of an end like this: a look at it is no other end."""
        return note is not None and (note["code"], note["text"]) == (self.code, self.text)


def of_search(settings: Settings, session: Session, end: End) -> Ended:
    """Return how a search ended that nothing broke off."""
    code, parts = CODES[end], []
    if end == "budget":
        parts.append(f"{_spent(session.budget)}, and {again(settings)} goes on")
    if end == "exhausted":
        text, failed = _exhausted(settings, session)
        parts.append(text)
        code = INCOMPLETE if failed else code
    if lacking := sorted(ensemble.label for ensemble in session.search.lacking):
        code = code or INCOMPLETE
        parts.append(
            f"baselines that could not be evaluated: {', '.join(lacking)} (`kumiawase status`"
            f" says why); {again(settings)} tries them again"
        )
    return Ended(code, "; ".join(parts) or "done", whole=end != "budget")


def of_error(error: Exception, redact: Callable[[str], str]) -> Ended:
    """Return how a search ended that an error broke off."""
    code = 2 if isinstance(error, UserError) else 1
    return Ended(code, f"stopped by an error: {fault(error, redact)}")


def fault(error: Exception, redact: Callable[[str], str]) -> str:
    """Return in one bounded line what an error says, or its kind where it says nothing."""
    said = " ".join(redact(str(error)).split())  # masked first: half a key is none to a mask
    return said[:LONGEST] or type(error).__name__


def of_stop(settings: Settings, cause: str) -> Ended:
    """Return how a search ended that somebody stopped."""
    text = f"stopped by {cause}; everything so far is kept: {again(settings)} goes on"
    return Ended(INTERRUPTED, text)


def told(note: Mapping[str, Any] | None, workers: Sequence[Worker]) -> str:
    """Return how the last search ended, for whoever looks; empty while one is at work.

    Args:
        note: What the last end that was told left behind.
        workers: Of the study, oldest first.
    """
    last = workers[-1] if workers else None
    if any(worker.at_work for worker in workers):
        return ""
    if note is not None and _of_last(note, workers):
        return f"ended {_moment(note['at'])} with exit code {note['code']}: {note['text']}"
    if last is None:
        return ""
    if last.finished is not None:
        return f"ended {_moment(last.finished)}"
    return (
        "ended without a word (killed, or the power failed);"
        f" it was last seen at work {_moment(last.seen)}"
    )


def finished(note: Mapping[str, Any] | None, workers: Sequence[Worker]) -> bool:
    """Return whether the last search did all there was to do; arguments as of `told`."""
    at_work = any(worker.at_work for worker in workers)
    return (
        note is not None and not at_work and note.get("whole", False) and _of_last(note, workers)
    )


def _of_last(note: Mapping[str, Any], workers: Sequence[Worker]) -> bool:
    return not workers or note["at"] >= workers[-1].started


def again(settings: Settings) -> str:
    """Return what a user does to go on."""
    return f"the same command (study {settings.study!r})"


def _exhausted(settings: Settings, session: Session) -> tuple[str, int]:
    """Return what to say of a space that is tried out, and how many ensembles of it failed."""
    mine = [e for e in counted(session.store, settings.study) if e.half == "search"]
    tried = [e for e in mine if e.origin != "baseline"]
    failed = sum(e.state in ("FAILED", "RUNNING") for e in tried)
    wanted = settings.form.search.trials
    text = f"no ensemble is left to try after {len(tried) - failed} of {wanted} trials"
    if failed:
        return f"{text}; {failed} could not be evaluated (`kumiawase status` says why)", failed
    return f"done: {text}", 0


def _spent(budget: Budget) -> str:
    """Return which limit ended the search, and what to change."""
    limits, hit = budget.limits, budget.hit
    if hit == "until" and limits.until is not None:
        return f"{_moment(limits.until)} has come (budget.until); write a later date and time"
    left, limit = {
        "calls": (float(budget.calls_left or 0), limits.calls or 0),  # in flight are not left
        "usd": ((limits.usd or 0) - budget.usd, limits.usd or 0),
        "hours": ((limits.seconds or 0) - budget.seconds, limits.seconds or 0),
    }[hit]
    whole = {"calls": f"{limit} calls", "usd": f"{limit} USD", "hours": f"{limit / 3600:g} hours"}
    rest = ""
    if left > _NOTHING * limit:
        form = {"calls": "{:.0f}".format, "usd": "{:.2f}".format, "hours": clock}[hit]
        rest = f" but for {form(left)} kept for the confirmation, which needed no more"
    return f"the budget of {whole[hit]} is spent{rest}; raise budget.{hit}"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"
