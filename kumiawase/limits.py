"""The limits of the budget as the settings and the study's first start have them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from db.store import Store
from kumiawase.settings import Settings
from kumiawase.settings.until import moment
from optimizer.budget import Limits

UNTIL: Final = "until"  # the note that keeps which moment is meant


def limits_of(settings: Settings, store: Store) -> Limits:
    """Return what the study may take, `until` as the moment that was pinned at its first start."""
    form = settings.form.budget
    kept = store.notes(settings.study).get(UNTIL) or {}
    pinned = form.until is not None and kept.get("text") == form.until
    return Limits(
        calls=form.calls,
        usd=form.usd,
        seconds=None if form.hours is None else 3600 * form.hours,
        until=float(kept["at"]) if pinned else None,
        until_span=max(float(kept["at"] - kept["begun"]), 1.0) if pinned else 0.0,
    )


async def pin_until(text: str | None, study: str, store: Store) -> None:
    """Write down which moment is meant, unless the same words were pinned before.

    A search without `until` forgets it: the same words later mean the next such moment.
    """
    kept = store.notes(study).get(UNTIL) or {}
    if kept.get("text") == text:
        return
    note = None
    if text is not None:
        now = datetime.now().astimezone()
        at = moment(text, now).timestamp()
        note = {"text": text, "begun": now.timestamp(), "at": at}
    await store.note(study, UNTIL, note)
