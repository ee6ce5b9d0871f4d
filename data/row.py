"""The suite format: what one line may hold, and what its rule demands of its target."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from data.rule_forms import (
    STRICT,
    ChoiceRule,
    ExactRule,
    FormatRule,
    FunctionCallRule,
    GroundedRule,
    JsonRule,
    JsonSchemaRule,
    NumericRule,
    OverlapRule,
    Rule,
    ShortAnswerRule,
    Text,
)

_POINTS = re.compile(r"[0-9０-９]\s*点")


class _Strict(BaseModel):
    model_config = STRICT


class DocumentRow(_Strict):
    """A text the answer must stay inside."""

    id: Text
    title: Text
    text: Text


class Function(BaseModel):
    """The part of an OpenAI tool that has a name; servers add keys of their own."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: Text
    description: str = ""
    parameters: dict[str, Any] = {}


class Tool(BaseModel):
    """An OpenAI tool definition."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    type: Literal["function"]
    function: Function


class Row(_Strict):
    """One line of a suite file: an item whose half may still be open.

    Every public format is read into this, so one set of checks serves them all.
    """

    id: Text
    category: Text
    turns: list[Text] = Field(default=[], max_length=100)
    text: Text | None = None
    target: Any = None
    rule: Rule | None = None
    rubric: list[Text] = []
    reference: list[Text] = []
    documents: list[DocumentRow] = []
    tools: list[Tool] = []
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2,3}$")] = "ja"
    scale: Literal["1-10", "1-5", "points"] = "1-10"
    split: Literal["search", "held_out"] | None = None

    @property
    def questions(self) -> tuple[str, ...]:
        """The user's turns, however they were written."""
        return tuple(self.turns) if self.text is None else (self.text,)

    @model_validator(mode="after")
    def _fits(self) -> Row:
        faults = [fault for fault in self._faults() if fault]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        if bool(self.turns) == (self.text is not None):
            yield "give `turns` or `text`, one of them"
        elif self.reference and len(self.reference) != len(self.questions):
            yield "`reference` has not one text for each turn"
        if len({d.id for d in self.documents}) != len(self.documents):
            yield "two documents have the same id"
        if self.scale == "points" and not any(map(_POINTS.search, self.rubric)):
            yield "scale points needs a `rubric` that says what each of its points earns (…: 3点)"
        if isinstance(self.rule, GroundedRule) and not self.documents:
            yield "a rule grounded without `documents`"
        yield self._target_fault()

    def _target_fault(self) -> str:
        """Return what keeps the rule from being applied to the target, or nothing."""
        match self.rule:
            case None:
                return ""
            case FunctionCallRule():
                return self._call_fault()
            case GroundedRule() | JsonSchemaRule() | FormatRule():
                return ""  # they look at the answer alone, or at the documents
            case _ if self.target is None:
                return f"a rule {self.rule.kind} without a `target`"
            case ExactRule() | ShortAnswerRule() | OverlapRule() if not _is_text(self.target):
                return f"the target of a rule {self.rule.kind} must be a text or a list of texts"
            case NumericRule() if not _is_number(self.target):
                return "the target of a rule numeric must be a number"
            case NumericRule(tolerance=float(low), span=float(high)) if high <= low:
                return "the `span` of a rule numeric must be wider than its `tolerance`"
            case ChoiceRule(choices=choices) if self.target not in choices:
                return "the target is none of the choices"
            case JsonRule(keys=list(keys)) if not _has(self.target, keys):
                return "the target lacks one of the rule's keys"
        return ""

    def _call_fault(self) -> str:
        if "target" not in self.model_fields_set:
            return "a rule function_call without a `target` (null: no call must be made)"
        match self.target:
            case None:
                return ""
            case {"name": str(name), "arguments": dict(), **others} if not others:
                known = any(tool.function.name == name for tool in self.tools)
                return "" if known else "the target calls a function that is not in `tools`"
        return "the target of a rule function_call must be {name, arguments} or null"


def _is_text(value: object) -> bool:
    several = value if isinstance(value, list) else [value]
    return bool(several) and all(isinstance(text, str) and text for text in several)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _has(target: object, keys: list[str]) -> bool:
    return isinstance(target, dict) and target.keys() >= set(keys)
