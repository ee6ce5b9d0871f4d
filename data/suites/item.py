"""A suite and its items, as the rest of the program sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Split = Literal["search", "held_out"]

Scale = Literal["1-10", "1-5", "points"]
"""How a judge rates: 1 to 10, 1 to 5, or by adding up the points its rubric gives, 0 to 10."""


@dataclass(frozen=True, slots=True)
class Document:
    """One of the texts an answer must stay inside."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is asked.

    Attributes:
        id: Unique within its suite.
        category: The stratum it is scored and ordered by.
        turns: What the user says, one text a turn.
        split: The half of the suite it belongs to.
        target: The gold value a rule compares with.
        rule: How the target is checked, `{"kind": …}`; None when only a judge can say.
        rubric: Points a judge looks for.
        reference: Good answers, one a turn.
        documents: Texts the answer must be drawn from.
        tools: OpenAI tool definitions the answer may call.
        language: The language the answer is expected in (ISO 639-1).
        scale: How a judge rates the answer; None is 1 to 10.
    """

    id: str
    category: str
    turns: tuple[str, ...]
    split: Split
    target: Any = None
    rule: Mapping[str, Any] | None = None
    rubric: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    language: str = "ja"
    scale: Scale | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Items under one name, known by the digest of everything in them.

    Attributes:
        weights: Category → its share of the total score; they sum to one.
    """

    name: str
    digest: str
    items: tuple[Item, ...]
    weights: Mapping[str, float] = field(default_factory=dict)

    def half(self, split: Split) -> tuple[Item, ...]:
        """Return the items of one half, in the suite's order."""
        return tuple(item for item in self.items if item.split == split)
