"""A simulated discoverer: it proposes ensembles from nothing but the scores in its prompt.

The user messages hold a JSON object a line: the limits, one per model, one per scored ensemble.
Without scores there is nothing to learn, and it proposes at random. Asked to, it writes nonsense,
or prompts as well.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data.errors import ConfigError
from kumiawase.rehearsal import draws
from kumiawase.rehearsal.moves import Limits, Shape, crossed, mutated, sample
from moa.ensemble import Ensemble

_PARENTS = 4
_TRIES = 50
Manner = Literal["sound", "nonsense", "prompts"]

_PROMPT = "default"  # stands for the prompt that is left out of a proposal
_PROMPTS = (
    "次に示すのは、同じ質問への複数の回答です。まず{0}通りの見方でそれぞれの長所と短所を見きわめ、"
    "正しいところだけを生かして、利用者に渡せる一つの回答を自然な日本語で書いてください。\n\n"
    "モデルの回答:"
)


@dataclass(frozen=True, slots=True)
class _Scored:
    """An ensemble of the prompt with its score, less half its standard error."""

    id: str
    shape: Shape
    score: float


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a prompt holds."""

    limits: Limits
    proposals: int
    prompts: int
    scored: tuple[_Scored, ...]
    seen: frozenset[str]


def asked(message: str) -> bool:
    """Tell whether user messages ask for proposals."""
    return any(_limits(line) for line in _lines(message))


def proposals(message: str, body: object, manner: Manner = "sound") -> str:
    """Return a reply in a ```json fence: `{"proposals": [...]}`.

    Args:
        message: The user messages.
        body: What the choices depend on besides.
        manner: `nonsense` is what no search can use; `prompts` adds aggregation prompts.
    """
    lines = list(_lines(message))
    reading = _read(lines)
    rng = random.Random(draws.whole("discovery", body))
    if not reading.limits.aggregators:
        return _fenced([])
    if manner == "nonsense":
        return _nonsense(lines, reading, rng)
    out: list[dict[str, Any]] = []
    seen = set(reading.seen)
    for number in range(reading.proposals):
        shape, parents = _new(reading, number, seen, rng)
        seen.add(_key(shape))
        out.append(_proposal(shape, parents, number))
        if manner == "prompts" and shape.layers and reading.prompts > number:
            out[-1]["aggregation_prompt"] = _PROMPTS.format(rng.randrange(100))
    return _fenced(out)


def _fenced(written: Sequence[object]) -> str:
    text = json.dumps({"proposals": written}, ensure_ascii=False)
    return f"```json\n{text}\n```"


def _nonsense(lines: Sequence[Mapping[str, Any]], reading: _Reading, rng: random.Random) -> str:
    """Return one of the things models say when they do not understand."""
    known = [{"ensemble": line["ensemble"]} for line in lines if "ensemble" in line]
    unknown = {"ensemble": {"layers": [], "aggregator": {"model": "gpt-17", "temperature": 0.7}}}
    code = {"ensemble": {"layers": "__import__('os').system('ls')", "aggregator": "{0.__class__}"}}
    many = {"model": reading.limits.aggregators[0], "temperature": 0.7, "n": 99}
    wide = {"ensemble": {"layers": [[many] * 40] * 9, "aggregator": many}}
    return rng.choice(
        (
            "すべてのモデルを組み合わせるとよいでしょう。",
            "```python\nimport os\nos.system('rm -rf /')\n```",
            '{"proposals": [{"thought": "途中で' + "[" * 500,
            _fenced(known[-4:]),
            _fenced([unknown, code, wide, 7, None, [[]]]),
            _fenced([wide, {**wide, "aggregation_prompt": "[[10]]"}]),
        )
    )


def _new(
    reading: _Reading, number: int, seen: set[str], rng: random.Random
) -> tuple[Shape, Sequence[_Scored]]:
    """Return a shape that is neither shown nor proposed yet, and where it comes from."""
    shape, parents = _bred(reading, number, rng)
    for _ in range(_TRIES):
        if _key(shape) not in seen:
            break
        shape, parents = _bred(reading, number, rng)
    return shape, parents


def _bred(reading: _Reading, number: int, rng: random.Random) -> tuple[Shape, Sequence[_Scored]]:
    ranked = sorted(reading.scored, key=lambda one: one.score, reverse=True)[:_PARENTS]
    if not ranked:
        return sample(reading.limits, rng), ()
    one = ranked[min(rng.randrange(len(ranked)) for _ in range(2))]
    if number % 2 and len(ranked) > 1:
        other = rng.choice([parent for parent in ranked if parent is not one])
        return crossed(one.shape, other.shape, reading.limits, rng), (one, other)
    return mutated(one.shape, reading.limits, rng), (one,)


def _proposal(shape: Shape, parents: Sequence[_Scored], number: int) -> dict[str, Any]:
    last = sorted(shape.layers[-1].models) if shape.layers else []
    how = f"{'と'.join(last)}の回答を{shape.aggregator}にまとめさせます。"
    if not last:
        how = f"{shape.aggregator}だけに答えさせます。"
    why = "得点の高い組み合わせを手がかりに、" if parents else "手がかりがないので、試しに"
    score = max((parent.score for parent in parents), default=None)
    return {
        "thought": f"{why}{how}(模擬の提案です。)",
        "name": f"案{number + 1}",
        "parents": [parent.id for parent in parents if parent.id],
        "expected_score": None if score is None else round(score, 2),
        "ensemble": _written(shape),
    }


def _read(lines: Sequence[Mapping[str, Any]]) -> _Reading:
    given: dict[str, Any] = {}
    for line in lines:
        given |= _limits(line)  # those of a repair stand behind the first
    members = [line for line in lines if "model" in line]
    limits = Limits(
        proposers=_able(members, "proposer"),
        aggregators=_able(members, "aggregator"),
        layers=int(given.get("layers", 1)),
        width=int(given.get("width", 4)),
        n=int(given.get("n", 1)),
        temperatures=tuple(given.get("temperatures", (0.7,))),
        prompt=_PROMPT,
    )
    shown = [(line, shape) for line in lines if (shape := _shape(line)) is not None]
    scored = [
        _Scored(str(line.get("id", "")), shape, line["score"] - (line.get("se") or 0.0) / 2)
        for line, shape in shown
        if isinstance(line.get("score"), int | float)
    ]
    seen = frozenset(_key(shape) for _, shape in shown)
    proposals, prompts = int(given.get("proposals", 1)), int(given.get("new_prompts", 0))
    return _Reading(limits, proposals, prompts, tuple(scored), seen)


def _limits(line: Mapping[str, Any]) -> dict[str, Any]:
    given = line.get("limits")
    return given if isinstance(given, dict) else {}


def _able(members: Sequence[Mapping[str, Any]], role: str) -> tuple[str, ...]:
    return tuple(str(m["model"]) for m in members if role in m.get("roles", [role]))


def _shape(line: Mapping[str, Any]) -> Shape | None:
    try:
        return Shape.of(Ensemble.from_json(line["ensemble"], prompt=_PROMPT))
    except (KeyError, TypeError, AttributeError, ConfigError):
        return None


def _written(shape: Shape) -> dict[str, Any]:
    text = json.dumps(shape.ensemble(_PROMPT).to_json())
    written: dict[str, Any] = json.loads(
        text, object_hook=lambda v: {key: x for key, x in v.items() if key != "prompt"}
    )
    return written


def _key(shape: Shape) -> str:
    return shape.ensemble(_PROMPT).digest


def _lines(message: str) -> Iterator[dict[str, Any]]:
    for line in message.splitlines():
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value
