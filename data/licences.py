"""What a licence says about commercial use, in one word; the licence itself has the last word."""

from __future__ import annotations

import re
from typing import Literal

CommercialUse = Literal["allowed", "conditions", "forbidden"]

# Parts of names as they stand in the catalogue, in lower case. `conditions`: commercial use is
# granted together with duties or limits, such as a notice, a use policy or a number of users.
_FORBIDDEN = (r"\bcc-by-nc", r"\bnon-?commercial\b", r"\bresearch\b")
_CONDITIONS = (
    r"^llama [234](\.\d)? community license$",
    r"^gemma terms of use$",
    r"^tongyi qianwen license$",
    r"^plamo community license$",
    r"^nvidia nemotron open model license$",
    r"^fugaku-llm terms of use$",
    r"^proprietary$",
)
_ALLOWED = (r"^apache-2\.0$", r"^mit$", r"^cc-by(-sa)?-4\.0$")
_TABLE: tuple[tuple[CommercialUse, tuple[str, ...]], ...] = (
    ("forbidden", _FORBIDDEN),
    ("conditions", _CONDITIONS),
    ("allowed", _ALLOWED),
)
_STRICTNESS: dict[CommercialUse | None, int] = {
    "allowed": 0,
    "conditions": 1,
    None: 2,
    "forbidden": 3,
}


def commercial_use(licence: str) -> CommercialUse | None:
    """Return what a licence says about commercial use, or None where that is unknown.

    Args:
        licence: Its name as in the catalogue; several hold together, with `; ` between them.
    """
    uses = [_one(part.strip().lower()) for part in licence.split(";")]
    return max(uses, key=lambda use: _STRICTNESS[use])


def _one(name: str) -> CommercialUse | None:
    for use, patterns in _TABLE:
        if any(re.search(pattern, name) for pattern in patterns):
            return use
    return None
