"""The ledger says why requests failed and answers are unscored."""

from __future__ import annotations

from pathlib import Path

from db.records import Reason
from db.store import Store
from judges.score import Score
from tests.support.rows import ALONE, answer, attempt, item, scores


async def test_reasons_that_differ_in_numbers_only_are_one(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/k.sqlite") as store:
        for number in range(3):
            failed = attempt(str(number), outcome="timeout", detail=f"no reply within {number} s")
            await store.settle(failed, None)
        await store.settle(attempt("4", outcome="ok"), None)
        await store.claim(attempt("5", key="unanswered"))
        assert store.reasons("s") == [Reason(3, "a: timeout: no reply within 0 s")]
        assert store.reasons("another") == []


async def test_unscored_answers_are_counted_by_reason(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/k.sqlite") as store:
        found = await store.begin("s", "search", "j", "judge", ALONE, "baseline")
        unread = (Score.unscored("judge", "no verdict in the reply"),)
        await store.add(found.id, item("i1"), answer(), unread)
        await store.add(found.id, item("i2"), answer(), unread)
        await store.add(found.id, item("i3"), answer(), scores(0.5))
        assert store.reasons("s") == [Reason(2, "unscored: no verdict in the reply")]
