"""What a discoverer is told of each model: facts, and what the study found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean
from typing import Any

from data.catalogue import Entry
from endpoints.specs import ModelSpec
from optimizer.archive import Archive
from optimizer.outcome import Outcome
from optimizer.proposers.discovery import figures
from optimizer.roles import Roles
from optimizer.space import Space

STRONG = 2  # categories named in which a model is furthest above the pool


def cards(
    space: Space,
    models: Mapping[str, ModelSpec],
    known: Mapping[str, Entry],
    archive: Archive,
    strata: Mapping[str, str],
    roles: Roles | None,
) -> list[dict[str, Any]]:
    """Return a line for each model of the space.

    Args:
        space: Who plays which role.
        models: By name.
        known: Model → its catalogue entry, where it has one.
        archive: Scores of the models alone.
        strata: Item → category.
        roles: What each model is worth in each role; None while nothing can be said.
    """
    alone = _alone(archive)
    rows = {name: figures.by_category(o.scores, strata) for name, o in alone.items()}
    level = _level(rows)
    out = []
    for name in dict.fromkeys((*space.proposers, *space.aggregators)):
        card = _facts(models[name], known.get(name), space)
        if name in alone:
            card["alone"] = figures.scored(alone[name])
            card["strong_in"] = _strong(rows[name], level)
        for role, found in _worth(roles):
            if name in found:
                card[role] = figures.effect(found[name])
        out.append(card)
    return out


def _facts(model: ModelSpec, entry: Entry | None, space: Space) -> dict[str, Any]:
    roles = {"proposer": space.proposers, "aggregator": space.aggregators}
    card: dict[str, Any] = {
        "model": model.name,
        "family": model.family,
        "roles": [role for role, names in roles.items() if model.name in names],
        "context": model.context,
    }
    if entry is not None:
        card |= {"parameters_b": entry.params_b, "active_b": entry.active_b}
        card |= {"released": entry.released, "thinks": entry.thinks or None}
        card["mt_bench"] = dict(entry.mt_bench) or None
    if model.input_price or model.output_price:
        prices = model.input_price, model.output_price
        card["usd_per_million_tokens"] = [round(price, 4) for price in prices]
    return {key: value for key, value in card.items() if value is not None}


def _alone(archive: Archive) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for outcome in archive.all():
        if not outcome.ensemble.layers and outcome.estimate is not None:
            found.setdefault(outcome.ensemble.aggregator.model, outcome)
    return found


def _level(rows: Mapping[str, Mapping[str, list[float]]]) -> dict[str, float]:
    """Return the mean of the models in each category."""
    names = {category for row in rows.values() for category in row}
    return {c: mean(mean(row[c]) for row in rows.values() if c in row) for c in names}


def _strong(row: Mapping[str, list[float]], level: Mapping[str, float]) -> list[dict[str, Any]]:
    ahead = {category: mean(values) - level[category] for category, values in row.items()}
    best = sorted(ahead, key=lambda c: (-ahead[c], c))[:STRONG]
    return [figures.averaged(c, row[c]) for c in best if ahead[c] > 0]


def _worth(roles: Roles | None) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    if roles is None or roles.explained <= 0:
        return ()  # a regression that explains nothing tells nothing
    return (("as_proposer", roles.proposers), ("as_aggregator", roles.aggregators))
