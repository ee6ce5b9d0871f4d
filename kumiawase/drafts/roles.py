"""Which of the models found judge, which discover, and what family each belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from data import catalogue

GPT = "gpt-4o"

_JUDGE = re.compile(r"(?<![a-z])judge(?![a-z])")
_DISCOVERER = re.compile(r"(?<![a-z])discoverer(?![a-z])")
_SIZE = re.compile(r"(?<![\d.x])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z])")
# What is no chat model, by a part of its name. `e5` and the like stand alone.
_OTHER_KINDS = re.compile(
    r"(?<![a-z])(?:embed\w*|\w*embedding\w*|bge|e5|gte|ruri|colbert|(?:\w*re)?rank(?:er)?|splade"
    r"|whisper|asr|stt|transcribe|tts|vits\w*|kokoro|speech|voicevox|audio|realtime|image|dall-e|sora|flux|clip"
    r"|siglip|stable-diffusion|sdxl?|moderation|guard|shieldgemma|reward|prm)(?![a-z])"
)
_OTHER_TYPES = frozenset(
    ("embedding", "embeddings", "rerank", "image", "audio", "moderation", "transcribe", "video")
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may be a member or a judge."""

    name: str
    family: str
    params_b: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Who judges and who discovers.

    Attributes:
        judge, report_judge: As in kumiawase.yaml.
        member: A judge that must be a member as well, for there is no other.
        remark: What the user should know of the judge.
    """

    judge: Mapping[str, object]
    report_judge: Mapping[str, object] | None = None
    discoverer: str | None = None
    member: str | None = None
    remark: tuple[str, ...] = field(default=())


def choose(candidates: Sequence[Candidate], *, gpt: bool) -> Choice:
    """Return the best judges at hand: models that are called so, GPT, the pool itself, or one.

    Args:
        candidates: At least one.
        gpt: Whether OpenAI's GPT can be asked.
    """
    names = [c.name for c in candidates]
    discoverer = next((n for n in names if _DISCOVERER.search(n.lower())), None)
    judges = [n for n in names if _JUDGE.search(n.lower())] + [GPT] * (gpt and GPT not in names)
    judges += [GPT] * (GPT in names and GPT not in judges)
    members = [c for c in candidates if c.name not in (*judges, discoverer)]
    if judges and members:
        report = _rubric(judges[1]) if len(judges) > 1 else None
        remark = () if report else _second(members)
        return Choice(_rubric(judges[0]), report, discoverer, remark=remark)
    if len({c.family for c in candidates}) > 1:
        remark = (
            "The pool judges itself, no model its own family; a judge from outside is surer.",
        )
        return Choice({"kind": "self"}, remark=remark)
    largest = max(candidates, key=lambda c: c.params_b or 0.0)
    return Choice(_rubric(largest.name), member=largest.name, remark=_ALONE)


_ALONE = (
    "Only one family answers, so its largest model judges itself and the others: it favours them.",
    "Better is a judge of another family: serve one or set OPENAI_API_KEY, then init --force.",
)


def is_chat_model(name: str, kind: object = None) -> bool:
    """Return False for what is plainly something else: embeddings, rerankers, speech, images.

    Args:
        name: As served.
        kind: What the server says it is, if it does.
    """
    if isinstance(kind, str) and kind.lower() in _OTHER_TYPES:
        return False
    return _OTHER_KINDS.search(name.lower()) is None


def family_of(name: str) -> str:
    """Return the family a served name tells of, rather one too wide than one too narrow.

    The last family of the catalogue that stands in the name, else its first word without digits.
    """
    own = re.sub(r"[^0-9a-z]+", "-", name.rsplit("/", 1)[-1].lower()).strip("-")
    places = {m.start(): family for pattern, family in _families() for m in pattern.finditer(own)}
    if places:
        return places[max(places)]
    word = re.match(r"\d*([^\d-]+)", own)
    return word[1] if word else name


def params_of(name: str) -> float | None:
    """Return the billions of parameters a name tells of (`8x7b` is 56), or None."""
    found = _SIZE.search(name.lower())
    return float(found[1] or 1) * float(found[2]) if found else None


def _rubric(name: str) -> dict[str, object]:
    return {"kind": "rubric", "models": [name]}


def _second(members: Sequence[Candidate]) -> tuple[str, ...]:
    other = ": report_judge: {kind: self}" if len({c.family for c in members}) > 1 else ""
    return (f"A second judge for the confirmation would show how much this one is fitted{other}.",)


@cache
def _families() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the catalogue's families, the longest last: of two at one place it is meant."""
    names = sorted({entry.family for entry in catalogue.load()}, key=len)
    spelled = (re.sub(r"[^0-9a-z]+", "-", name.lower()) for name in names)
    return tuple(
        (re.compile(rf"(?<![a-z]){word}(?![a-z])"), name)
        for word, name in zip(spelled, names, strict=True)
    )
