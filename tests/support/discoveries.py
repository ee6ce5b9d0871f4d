"""Proposals as a discoverer writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from data.digest import text_digest
from endpoints.specs import ModelSpec
from judges.statistics import Estimate
from moa.ensemble import Agent, Ensemble
from optimizer.outcome import Outcome
from optimizer.proposers.discovery import Discovery
from optimizer.proposers.discovery.faults import Gate
from tests.support.completers import ScriptedCompleter
from tests.support.pool import PROMPT, STUDY, Lab, Models

MODELS = {
    name: ModelSpec(name, "e", name, f"family-{name}", context=4096 if name == "a" else None)
    for name in ("a", "b", "c")
}
GOOD: dict[str, Any] = {
    "layers": [[{"model": "a", "temperature": 0.7, "n": 2}]],
    "aggregator": {"model": "b", "temperature": 0.0},
}
AS_READ = Ensemble(((Agent("a", 0.7, 2),),), Agent("b", 0.0, prompt=PROMPT))
WORDS = (
    "以下の回答を読み比べ、食い違うところは自分で確かめてから、もっとも正確な一つの回答を"
    "利用者のために書いてください。\n\nモデルの回答:"
)
ENGLISH = (
    "Compare the answers below, settle every contradiction yourself and write the single best"
    " reply for the user.\n\nResponses from models:"
)
UNREADABLE: dict[str, str] = {
    "nothing": "わかりません。",
    "no json": "{proposals: [a, b]}",
    "another shape": '{"ensembles": []}',
    "no list": '{"proposals": {"a": 1}}',
    "code": "```python\nimport os\nos.system('rm -rf /')\n```",
    "deep objects": '{"proposals":' * 30_000,
    "deep lists": '{"proposals": [' + "[" * 100_000,
    "braces": "{" * 300_000,
    "a number too long": '{"proposals": [' + "9" * 5000 + "]}",
    "gigantic": '{"a": "' + "あ" * 1_000_000 + '", "proposals": []}',
}


def proposal(ensemble: object = None, **changes: object) -> dict[str, object]:
    """Return a proposal as the model is asked to write it."""
    form = {"thought": "案", "name": "名前", "parents": ["12345678"], "expected_score": 7.5}
    return {**form, "ensemble": GOOD if ensemble is None else ensemble, **changes}


def changed(**changes: object) -> dict[str, object]:
    """Return a proposal whose ensemble differs."""
    return proposal({**GOOD, **changes})


def reply(*proposals: object) -> str:
    """Return what a model says that makes these proposals."""
    return json.dumps({"proposals": proposals}, ensure_ascii=False)


WORDED = replace(AS_READ, aggregator=replace(AS_READ.aggregator, prompt=text_digest(WORDS)))
UNKNOWN = changed(aggregator={"model": "gpt-9"})
OTHER = changed(aggregator={"model": "c", "temperature": 0.0})


def discovery(
    lab: Lab, completer: ScriptedCompleter | Models, gates: Sequence[Gate] = (), **more: Any
) -> Discovery:
    """Return a discovery of a lab's study."""
    strata = {item.id: item.category for item in lab.suite.half("search")}
    return Discovery(
        completer,
        "d",
        lab.space,
        MODELS,
        lab.store,
        STUDY,
        texts=lab.texts,
        strata=strata,
        weights=lab.suite.weights,
        gates=gates,
        **more,
    )


def real(lab: Lab, ensemble: Ensemble, level: float, *, origin: str = "tpe") -> Outcome:
    """Return an outcome on the lab's search items, every other item a little better."""
    items = [item.id for item in lab.suite.half("search")]
    scores = {item: level + 0.1 * (n % 2) for n, item in enumerate(items)}
    mean = sum(scores.values()) / len(scores)
    found = Estimate(mean, mean - 0.0392, mean + 0.0392, len(scores))
    return Outcome(ensemble, origin, "COMPLETE", found, scores, len(scores), 0, mean, 0.002, 1.5)
