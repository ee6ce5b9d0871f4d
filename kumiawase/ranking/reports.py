"""A leaderboard from verdict files as JSON: nothing rounded, so that it can be reckoned with."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from judges.bradley_terry import elo
from kumiawase.ranking.board import Board
from kumiawase.ranking.duels import SIGNIFICANT, DuelRow, DuelTable
from kumiawase.ranking.means import MeanRow, Takes


def as_json(found: Board) -> dict[str, Any]:
    """Return a leaderboard as JSON; scores are not rounded."""
    return {
        "format": found.form.name,
        "kind": "comparisons" if found.duels else "marks",
        "files": len(found.loaded.files),
        "verdicts": len(found.rulings),
        "judges": list(found.judges),
        "mixed": bool(found.differences),
        "differences": list(found.differences),
        "unranked": list(found.unranked),
        "of": None if found.duels else found.form.of,
        "faults": _fault_json(found),
        "notes": list(found.notes),
        **(_duels_json(found.duels) if found.duels else {}),
        "rows": [
            _mean_json(row, found) if isinstance(row, MeanRow) else _duel_json(row)
            for row in found.rows
        ],
    }


def _fault_json(found: Board) -> dict[str, Any]:
    counts = Counter(str(one.fault) for one in found.rulings if one.fault is not None)
    repeated = sum(len(one.rulings) - 1 for one in found.repeated)
    return {
        **counts,
        "repeated": repeated,
        "misfits": [str(fault) for fault in found.loaded.misfits],
        "contradictions": [str(fault) for fault in found.loaded.remarks],
    }


def _duels_json(found: DuelTable) -> dict[str, Any]:
    position, own = found.position, found.consistency
    return {
        "disconnected": found.fault or None,
        "position": position
        and {
            "alpha": _finite(position.value),
            "ci": [_finite(position.low), _finite(position.high)],
            "elo": _finite(elo(position.value) - 1000),
            "favours": "first" if position.value > 0 else "second",
            "likelihood_ratio": position.ratio,
            "p": position.p,
            "significant": position.p < SIGNIFICANT,
        },
        "orders": {
            "pairs": own.same + own.first + own.second + own.half,
            "same": own.same,
            "first_twice": own.first,
            "second_twice": own.second,
            "share": own.share,
        },
    }


def _mean_json(row: MeanRow, found: Board) -> dict[str, Any]:
    of, value = found.form.of, row.estimate
    return {
        "rank": row.rank,
        "group": row.group,
        "model": row.model,
        "score": None if value is None else of * value.value,
        "ci": None if value is None else [of * value.low, of * value.high],
        "published": None if row.published is None else of * row.published,
        "micro": None if row.micro is None else of * row.micro,
        "bounds": [of * end for end in row.bounds],
        "items": row.items,
        "unscored": row.unscored,
        "coverage": row.coverage,
        "faults": dict(row.faults),
        **({f"by_{found.by}": dict(row.by)} if row.by else {}),
        **({"takes": _takes_json(row.takes)} if row.takes else {}),
        "reason": row.reason or None,
    }


def _takes_json(own: Takes) -> dict[str, Any]:
    return {"means": dict(own.means), "pairs_equal": list(own.pairs), "all_equal": own.all_equal}


def _duel_json(row: DuelRow) -> dict[str, Any]:
    own = row.strength
    ends = [own.low, own.high] if own else []
    return {
        "rank": row.rank,
        "group": row.group,
        "model": row.model,
        "strength": own.value if own else None,
        "ci": [_finite(end) for end in ends] or None,
        "elo": elo(own.value) if own else None,
        "elo_ci": [_finite(elo(end)) for end in ends] or None,
        "wins": row.wins,
        "losses": row.losses,
        "ties": row.ties,
        "items": row.items,
        "unscored": row.unscored,
        "coverage": row.coverage,
        "faults": dict(row.faults),
        "reason": row.reason or None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
