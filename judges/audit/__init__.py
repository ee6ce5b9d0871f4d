"""Is this judge fit to steer a search? What is asked of it, what is measured, and the limits."""

from judges.audit.evidence import Evidence, Favour, Given
from judges.audit.examination import Judges, Redrawn, examine
from judges.audit.lines import Line, State
from judges.audit.plan import ITEMS, Plan, plan
from judges.audit.report import Audit, audit

__all__ = [
    "ITEMS",
    "Audit",
    "Evidence",
    "Favour",
    "Given",
    "Judges",
    "Line",
    "Plan",
    "Redrawn",
    "State",
    "audit",
    "examine",
    "plan",
]
