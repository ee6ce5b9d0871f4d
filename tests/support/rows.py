"""What the tests of `db` put into a store."""

from __future__ import annotations

from data.suites.item import Item
from endpoints.request import Attempt, Completion
from judges.score import Score
from moa.answer import Answer, Lost, Shortened
from moa.ensemble import Agent, Ensemble, single

PROMPT = "sha256:" + "0" * 64
MOA = Ensemble(((Agent("a", 0.7, 2), Agent("b", 0.7)),), Agent("c", 0.0, 1, PROMPT))
ALONE = single("a", 0.0)


def completion(key: str = "k", text: str = "こんにちは") -> Completion:
    """Return a completion under `key`."""
    return Completion(key, text, "stop", 10, 20, False, 1.5, 0.25, "served")


def attempt(name: str = "1", key: str = "k", **changes: object) -> Attempt:
    """Return an attempt at `key`."""
    fields: dict[str, object] = {
        "id": name,
        "key": key,
        "study": "s",
        "role": "proposer",
        "model": "a",
        "endpoint": "local",
        "started": 1.0,
    }
    return Attempt(**{**fields, **changes})  # type: ignore[arg-type]


def item(name: str = "i1", category: str = "数学") -> Item:
    """Return an item of the search half."""
    return Item(name, category, ("問い",), "search")


def answer(text: str = "答え", *, lost: int = 0, seconds: float = 2.0, usd: float = 0.5) -> Answer:
    """Return an answer of three calls and 30 tokens."""
    dropped = tuple(Lost(1, 1, "b", draw, "empty") for draw in range(lost))
    cut = (Shortened(1, 1, "a", 0, "c", 900, 250),)
    models = frozenset({"a", "b", "c"})
    return Answer(
        (text,), "c", models, ("k1", "k2", "k3"), dropped, False, seconds, 3, 10, 20, usd, cut
    )


def scores(value: float | None = 0.7) -> tuple[Score, ...]:
    """Return an item's score and the verdict it was made of."""
    if value is None:
        return (Score.unscored("rubric", "no verdict", "???"),)
    return (Score("rubric", value, "", "良い"), Score("rule", 1.0))
