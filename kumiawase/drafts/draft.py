"""A kumiawase.yaml as a person would write it: sections, comments, what is left out and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from kumiawase.drafts import roles
from kumiawase.drafts.roles import Candidate, Choice

STARTED = "http://127.0.0.1:8000/v1"
OPENAI = "https://api.openai.com/v1"
OPENAI_PRICE = {"input": 2.5, "output": 10}
_WIDTH, _LONG = 99, 1_000_000
# Most tokens of a reply; those that think first spend most of it on that.
MAX_TOKENS = {"proposer": 1024, "aggregator": 2048, "judge": 1024}
THINKING_MAX_TOKENS = {"proposer": 4096, "aggregator": 6144, "judge": 4096}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of `endpoints` or `models`.

    Attributes:
        value: As in kumiawase.yaml.
        notes: Comments above it.
        active: False writes the entry as a comment, in one line.
    """

    name: str
    value: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    active: bool = True


@dataclass(frozen=True, slots=True)
class Model(Line):
    """An entry of `models` with what is known of it.

    Attributes:
        family: Of `Candidate`.
        params_b: Of `Candidate`.
        context: Tokens, if known.
        thinks: Whether it reasons before its answer.
    """

    family: str = ""
    params_b: float | None = None
    context: int | None = None
    thinks: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What goes into the file.

    Attributes:
        head: The first comments.
        models: At least one is active.
        max_tokens: By role; None chooses.
    """

    head: tuple[str, ...]
    endpoints: tuple[Line, ...]
    models: tuple[Model, ...]
    max_tokens: Mapping[str, int] | None = None


def write(draft: Draft, *, openai: str = "") -> str:
    """Return the text of a kumiawase.yaml that runs as it is.

    Args:
        draft: Servers and models.
        openai: Base URL of OpenAI where a key for it is at hand; then GPT may judge.
    """
    active = [m for m in draft.models if m.active]
    choice = roles.choose(
        [Candidate(m.name, m.family, m.params_b) for m in active], gpt=bool(openai)
    )
    endpoints, models = draft.endpoints, tuple(_roles(m, choice) for m in draft.models)
    if openai and roles.GPT not in {m.name for m in active}:
        endpoints += (Line("openai", {"base_url": openai, "api_key_env": "OPENAI_API_KEY"}),)
        models += (Model(roles.GPT, {"endpoint": "openai", "price": OPENAI_PRICE}),)
    return "\n".join(
        (
            comment(*draft.head) + _yaml(study="default", storage="sqlite:///kumiawase.sqlite"),
            comment("Keys stay outside: api_key_env is the NAME of a variable.")
            + _entries("endpoints", endpoints),
            comment("The pool: every model not named only as judge, baseline or discoverer.")
            + _entries("models", models),
            _judges(choice),
            comment("A suite of ours, a file, {path: F, format: rakuda}, or a list of these.")
            + _yaml(suite="kumiawase-ja"),
            comment("Most tokens of one reply.")
            + _yaml(max_tokens=_max_tokens(active, choice, draft.max_tokens)),
            _search(choice),
            comment("The search ends here; enough is kept to confirm the best.")
            + _yaml(budget={"calls": 20000}),
        )
    )


def comment(*lines: str) -> str:
    """Return lines as comments, whatever characters they hold."""
    return "".join(f"# {_printable(line)}\n" for line in lines)


def _roles(model: Model, choice: Choice) -> Model:
    if not model.active or model.name != choice.member or "roles" in model.value:
        return model
    value = {**model.value, "roles": ["proposer", "aggregator"]}
    notes = (*model.notes, "Judge and member: so its roles are named.")
    return replace(model, value=value, notes=notes)


def _judges(choice: Choice) -> str:
    kinds = "rubric: one model judges. panel: several. self: the pool, none its own family."
    text = comment(kinds, *choice.remark) + _yaml(judge=choice.judge)
    if choice.report_judge is None:
        return text
    scores = comment("Scores the best once more, so that nothing is won by pleasing the judge.")
    return f"{text}{scores}{_yaml(report_judge=choice.report_judge)}"


def _search(choice: Choice) -> str:
    form: dict[str, Any] = {"trials": 60, "layers": 2, "width": 6, "n": 3, "seed": 0}
    explained = "trials: new ensembles to evaluate; layers, width, n: how large they may be."
    if choice.discoverer is not None:
        form["discoverer"] = choice.discoverer
        return comment(explained) + _yaml(search=form)
    idea = "discoverer: a model that proposes ensembles from what was found; a strong one helps."
    return comment(explained, idea) + _yaml(search=form)


def _max_tokens(
    models: Sequence[Model], choice: Choice, wanted: Mapping[str, int] | None
) -> dict[str, int]:
    """Return limits that leave room for a prompt in the smallest context of each role."""
    if wanted is None:
        wanted = THINKING_MAX_TOKENS if any(m.thinks for m in models) else MAX_TOKENS
    outside = {choice.discoverer, *_named(choice.judge), *_named(choice.report_judge)}
    outside -= {choice.member}
    members = [m for m in models if m.name not in outside]
    proposers = [m for m in members if "proposer" in m.value.get("roles", ["proposer"])]
    aggregators = [m for m in members if "aggregator" in m.value.get("roles", ["aggregator"])]
    judging = [m for m in models if m.name in _named(choice.judge)] or aggregators
    return {
        "proposer": _room(proposers, wanted["proposer"], 2),
        "aggregator": _room(aggregators, wanted["aggregator"], 4),
        "judge": _room(judging, wanted["judge"], 4),
    }


def _named(judge: Mapping[str, Any] | None) -> set[str]:
    return set(judge.get("models", ())) if judge else set()


def _room(models: Sequence[Model], wanted: int, share: int) -> int:
    return min([wanted, *(m.context // share for m in models if m.context)])


def _entries(section: str, lines: Sequence[Line]) -> str:
    return f"{section}:\n" + "".join(text for line in lines for text in _entry(section, line))


def _entry(section: str, line: Line) -> Iterator[str]:
    for note in line.notes:
        yield f"  # {_printable(note)}\n"
    if not line.active:
        yield f"  # {_line({line.name: dict(line.value)})}"
        return
    for text in _block({section: {line.name: dict(line.value)}}).split("\n")[1:-1]:
        yield f"{text}\n"


def _yaml(**sections: object) -> str:
    """Return sections, each on a line of its own."""
    return "".join(
        f"{name}: {_line(value)}" if isinstance(value, Mapping) else _block({name: value})
        for name, value in sections.items()
    )


def _line(value: Mapping[str, object]) -> str:
    return _dumped(value, flow=True, width=_LONG)


def _block(value: Mapping[str, object]) -> str:
    return _dumped(value, flow=False, width=_WIDTH)


def _dumped(value: Mapping[str, object], *, flow: bool, width: int) -> str:
    return yaml.dump(
        dict(value),
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=width,
        default_flow_style=flow,
    )


class _Dumper(yaml.SafeDumper):
    """Writes lists in one line, and in escapes what cannot be seen."""

    def of_list(self, value: list[object]) -> yaml.Node:
        return self.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)

    def of_text(self, value: str) -> yaml.Node:
        # Of its own accord PyYAML writes U+0085 and the like as they are, and reads blanks.
        style = None if value.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(list, _Dumper.of_list)
_Dumper.add_representer(str, _Dumper.of_text)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
