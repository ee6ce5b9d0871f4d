"""Audits a judge of the settings: on what its study holds, or on answers made for it."""

from __future__ import annotations

from collections.abc import Mapping

from data.observer import Observer
from data.verdicts.load import Loaded
from db.pins import JudgeRole
from db.store import Store
from judges import rules
from judges.audit import Audit
from kumiawase.auditing.auditor import Auditor, Say
from kumiawase.settings import Settings
from kumiawase.wiring import budget_of, completions_of

ROLES: Mapping[str, JudgeRole] = {"search": "judge", "report": "report_judge"}
"""Which judge, as the command line names it."""


async def run(
    settings: Settings,
    role: JudgeRole,
    items: int,
    reference: Loaded | None,
    observer: Observer,
    say: Say,
) -> Audit:
    """Audit a judge; what was asked before, by a search or by an audit, is not paid again.

    Args:
        settings: The user's.
        role: Which of the two judges.
        items: Most items whose answers get twins, or are made where there is no study.
        reference: Marks to compare with, if there are any.
        observer: Hears of every call.
        say: Takes a line for people: what is about to be asked.

    Raises:
        RequestError: An endpoint failed; run again, and only the rest is asked.
        BudgetSpentError: The budget is spent: its money by all, its calls by audits.
        UserError: Suite, study, reference or an endpoint cannot be used.
    """
    suite = settings.suite()
    rules.validate(suite.items)
    with Store.open(settings.storage) as store:
        budget = budget_of(settings, store, audit=True)
        completions = completions_of(settings, store, budget, observer)
        try:
            found = Auditor(settings, suite, store, completions, role, observer, say)
            return await found.run(items, reference)
        finally:
            await completions.close()
