"""What each kind of rule may hold in a suite file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from data.lines import NOT_BLANK

Text = Annotated[str, StringConstraints(pattern=NOT_BLANK)]


STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, serialize_by_alias=True)
"""What forms are that know all their fields."""


class _Strict(BaseModel):
    model_config = STRICT


class ExactRule(_Strict):
    """The whole answer is the target, or one of several, normalised unless that is refused."""

    kind: Literal["exact"]
    normalize: bool = True


class ShortAnswerRule(_Strict):
    """What stands behind the answer's marker is the target, or one of several, or near it."""

    kind: Literal["short_answer"]
    partial: bool = False


class NumericRule(_Strict):
    """The answer's number is the target, within the tolerance, or worth less up to the span."""

    kind: Literal["numeric"]
    tolerance: float | None = Field(None, ge=0, allow_inf_nan=False)
    span: float | None = Field(None, gt=0, allow_inf_nan=False)


class ChoiceRule(_Strict):
    """The answer names one of the choices: the target."""

    kind: Literal["choice"]
    choices: list[Text] = Field(min_length=2)


class JsonRule(_Strict):
    """The answer's JSON equals the target, in the given keys only if there are any."""

    kind: Literal["json"]
    keys: list[Text] | None = Field(None, min_length=1)


class JsonSchemaRule(_Strict):
    """The answer's JSON fits a schema (2020-12)."""

    kind: Literal["json_schema"]
    form: dict[str, Any] = Field(alias="schema")  # pydantic keeps the name for itself


class FunctionCallRule(_Strict):
    """The answer calls the target's function with its arguments; null forbids any call."""

    kind: Literal["function_call"]
    free: list[Text] | None = Field(None, min_length=1)


class Bounds(_Strict):
    """How many there may be."""

    min: int | None = Field(None, ge=0)
    max: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Bounds:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is above `max`")
        return self


Script = Literal[
    "hiragana",
    "katakana",
    "kana",
    "latin",
    "no_kanji",
    "no_hiragana",
    "no_katakana",
    "no_latin",
]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


class FormatRule(_Strict):
    """The answer keeps to a form; it is worth the share of the demands it meets."""

    kind: Literal["format"]
    characters: Bounds | None = None
    items: Bounds | None = None
    sentences: Bounds | None = None
    paragraphs: Bounds | None = None
    lines: Bounds | None = None
    script: Annotated[list[Script], BeforeValidator(_several), Field(min_length=1)] | None = None
    keywords: list[Text] | None = Field(None, min_length=1)
    forbidden: list[Text] | None = Field(None, min_length=1)


class GroundedRule(_Strict):
    """The answer cites documents that exist and quotes what stands in them."""

    kind: Literal["grounded"]
    cites: list[Text] | None = Field(None, min_length=1)
    quotes: int | None = Field(None, gt=0, le=100)


class OverlapRule(_Strict):
    """The answer is worth how much it has in common with the target, or one of several."""

    kind: Literal["overlap"]
    unit: Literal["character", "word"] = "character"


Rule = Annotated[
    ExactRule
    | NumericRule
    | ChoiceRule
    | JsonRule
    | FunctionCallRule
    | ShortAnswerRule
    | JsonSchemaRule
    | FormatRule
    | GroundedRule
    | OverlapRule,
    Field(discriminator="kind"),
]
"""A rule by its `kind`; what each is worth is told in docs/design/suite.md."""
