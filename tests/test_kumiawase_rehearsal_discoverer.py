"""The discoverer learns from the scores in its prompt, and from nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from data.errors import ConfigError
from kumiawase.rehearsal.best_known import limits_of
from kumiawase.rehearsal.discoverer import asked, proposals
from kumiawase.rehearsal.moves import sample
from kumiawase.rehearsal.pool import Pool
from kumiawase.rehearsal.reply import Body, Message, Talker
from kumiawase.rehearsal.world import World
from moa.ensemble import Ensemble
from optimizer.proposers.discovery import wording
from optimizer.proposers.discovery.reading import Form, form
from optimizer.proposers.discovery.reading import proposals as listed

PROMPT = "sha256:any"
LIMITS: dict[str, Any] = {
    "layers": 2,
    "width": 6,
    "n": 3,
    "temperatures": [0.0, 0.7],
    "proposals": 4,
}


def archive(pool: Pool, rng: random.Random, size: int = 24) -> list[tuple[Ensemble, float]]:
    shapes = [sample(limits_of(pool), rng) for _ in range(size)]
    return [(e, pool.quality(e)) for e in (shape.ensemble(PROMPT) for shape in shapes)]


def prompt(pool: Pool, known: Sequence[tuple[Ensemble, float | None]]) -> str:
    lines: list[dict[str, Any]] = [{"limits": LIMITS}, *({"model": m} for m in pool.members)]
    for number, (ensemble, score) in enumerate(known):
        line: dict[str, Any] = {"id": f"e{number}", "ensemble": ensemble.to_json()}
        if score is not None:
            line |= {"score": round(score, 2), "se": 0.2, "items": 12}
        lines.append(line)
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


def read(reply: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        reply.removeprefix("```json\n").removesuffix("\n```")
    )["proposals"]
    return found


def ensembles(reply: str) -> list[Ensemble]:
    return [Ensemble.from_json(one["ensemble"], prompt=PROMPT) for one in read(reply)]


def test_scores_are_what_it_learns_from() -> None:
    with_scores: list[float] = []
    without: list[float] = []
    shuffled: list[float] = []
    chance: list[float] = []
    for seed in range(40):
        pool, rng = Pool(seed % 4), random.Random(seed)
        known = archive(pool, rng)
        scores = [score for _, score in known]
        mixed = rng.sample(scores, len(scores))
        swapped = [(e, score) for (e, _), score in zip(known, mixed, strict=True)]
        silent = [(e, None) for e, _ in known]
        for given, out in ((known, with_scores), (silent, without), (swapped, shuffled)):
            found = ensembles(proposals(prompt(pool, given), seed))
            out.append(float(np.mean([pool.quality(e) for e in found])))
        chance.append(float(np.mean(scores)))
    base = np.array(chance)
    gain = np.array(with_scores) - base
    assert gain.mean() > 0.4
    for blind in (without, shuffled):
        difference = np.array(blind) - base
        error = difference.std(ddof=1) / len(base) ** 0.5
        assert difference.mean() < 2.5 * error
        assert (np.array(with_scores) - np.array(blind)).mean() > 0.4


def test_the_order_of_the_lines_says_nothing() -> None:
    pool = Pool(0)
    known = sorted(archive(pool, random.Random(0)), key=lambda one: one[1])
    one, other = (proposals(prompt(pool, order), 1) for order in (known, known[::-1]))
    assert [p["ensemble"] for p in read(one)] == [p["ensemble"] for p in read(other)]


def test_proposals_are_new_within_the_limits_and_explained() -> None:
    pool = Pool(0)
    known = archive(pool, random.Random(3))
    seen = {ensemble.digest for ensemble, _ in known}
    for body in range(20):
        reply = proposals(prompt(pool, known), body)
        found = ensembles(reply)
        assert len({e.digest for e in found} - seen) == len(found) == 4
        assert all(len(e.layers) <= 2 for e in found)
        assert all(len(row) <= 6 and row[0].n <= 3 for e in found for row in e.layers)
        for one in read(reply):
            assert list(one) == ["thought", "name", "parents", "expected_score", "ensemble"]
            assert one["thought"]
            assert {parent[0] for parent in one["parents"]} == {"e"}


def test_roles_are_kept() -> None:
    lines = [{"limits": LIMITS}, {"model": "sim/dango-14b", "roles": ["aggregator"]}]
    lines += [{"model": m, "roles": ["proposer"]} for m in ("sim/yokan-8b", "sim/monaka-3b")]
    found = ensembles(proposals("\n".join(map(json.dumps, lines)), 0))
    assert {e.aggregator.model for e in found} == {"sim/dango-14b"}
    assert all("sim/dango-14b" != agent.model for e in found for agent in e.agents)


@pytest.mark.parametrize(
    ("roles", "layers", "found"),
    [({"a": ["aggregator"]}, 2, 4), ({"a": ["proposer"]}, 2, 0), ({}, 2, 0), ({"a": []}, 0, 0)],
)
def test_a_space_of_one_or_nothing_is_no_fault(
    roles: dict[str, list[str]], layers: int, found: int
) -> None:
    limits = {**LIMITS, "layers": layers, "temperatures": [0.7]}
    lines = [{"limits": limits}, *({"model": m, "roles": held} for m, held in roles.items())]
    known = {"ensemble": {"layers": [], "aggregator": {"model": "a"}}, "score": 7.0, "id": "e0"}
    for told in (lines, [*lines, known]):
        reply = proposals("\n".join(map(json.dumps, told)), 0)
        assert {one.label for one in ensembles(reply)} <= {"a@0.7"}
        assert len(ensembles(reply)) == found
        proposals("\n".join(map(json.dumps, told)), 0, "nonsense")


def test_it_repairs_what_is_named_and_repeats_nothing() -> None:
    pool = Pool(0)
    told = prompt(pool, archive(pool, random.Random(0)))
    (first, *_) = read(proposals(told, 0))
    fault = {"fault": {"code": "duplicate"}, "ensemble": first["ensemble"]}
    repair = [{"limits": {**LIMITS, "proposals": 1}}, fault]
    again = "\n".join([told, *(json.dumps(line, ensure_ascii=False) for line in repair)])
    for body in range(10):
        (one,) = read(proposals(again, body))
        assert one["ensemble"] != first["ensemble"]


def test_asked_for_nonsense_it_says_nothing_a_search_can_use() -> None:
    pool = Pool(0)
    told = prompt(pool, archive(pool, random.Random(0)))
    said = {proposals(told, body, "nonsense") for body in range(40)}
    assert len(said) > 4
    known = [
        Ensemble.from_json(e.to_json(), prompt=PROMPT) for e, _ in archive(pool, random.Random(0))
    ]
    for reply in said:
        for raw in listed(reply) or ():
            found = form(raw)
            if isinstance(found, Form):
                try:
                    ensemble = Ensemble.from_json(found.ensemble, prompt=PROMPT)
                except ConfigError:
                    continue
                new = ensemble not in known and ensemble.models <= set(pool.members)
                assert not new or max(a.n for a in ensemble.agents) > LIMITS["n"]


def test_asked_for_prompts_it_writes_such_as_are_taken() -> None:
    pool = Pool(0)
    limits = {"limits": {**LIMITS, "new_prompts": 2}}
    told = "\n".join([prompt(pool, archive(pool, random.Random(0))), json.dumps(limits)])
    texts = [
        one["aggregation_prompt"]
        for body in range(10)
        for one in read(proposals(told, body, "prompts"))
        if "aggregation_prompt" in one
    ]
    assert len(set(texts)) > 5
    assert all(wording.fault(text) is None for text in texts)
    assert "aggregation_prompt" not in proposals(told, 0)


def test_the_server_asks_it_by_content_alone() -> None:
    pool = Pool(0)
    text = prompt(pool, archive(pool, random.Random(0)))
    assert asked(text)
    assert not asked('{"limits": 3}\n上限について教えてください。')
    talker = Talker(pool, World())
    replies = [
        talker.reply(
            Body(
                model="sim/discoverer",
                messages=(Message(role="user", content=text),),
                temperature=0.7,
                seed=seed,
                max_tokens=4096,
            )
        )
        for seed in (0, 0, 1)
    ]
    assert replies[0] == replies[1] != replies[2]
    assert replies[0].finish_reason == "stop"
