"""Proposals as a person reads them: why, what was hoped for, what was found, what was refused."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.digest import text_digest
from db.records import Proposal
from kumiawase.views.discovery import prompt_names
from moa import prompts
from moa.ensemble import Agent, Ensemble
from tests.support.completers import saying
from tests.support.discoveries import (
    AS_READ,
    UNKNOWN,
    WORDED,
    WORDS,
    discovery,
    proposal,
    real,
    reply,
)
from tests.support.pool import STUDY, Lab
from tests.test_kumiawase_cli import invoke

OURS = prompts.digest("aggregate_ja")


def taken(ensemble: Ensemble, name: str) -> Proposal:
    return Proposal("discovery", ensemble.to_json(), ensemble.digest, name=name)


def test_prompts_are_called_by_who_brought_them_first() -> None:
    plain = replace(AS_READ, aggregator=Agent("b", 0.0, prompt=OURS))
    again = replace(WORDED, aggregator=replace(WORDED.aggregator, model="c"))
    refused = replace(taken(WORDED, "断られた案"), rejected="smoke_empty: nothing")
    unread = Proposal("discovery", "text", rejected="unreadable: …")
    names = prompt_names(
        [refused, unread, taken(plain, "いつもの"), taken(WORDED, "比べる"), taken(again, "後の")]
    )
    assert names[text_digest(WORDS)] == "discovered: 比べる"
    assert names[OURS] == "aggregate_ja"


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a study in which discovery brought a prompt and some nonsense."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(_discovered(tmp_path))
    Path("kumiawase.yaml").write_text(
        "study: s\nstorage: sqlite:///study.sqlite\n"
        "endpoints: {e: {base_url: 'http://127.0.0.1:9/v1'}}\n"
        "models: {a: {endpoint: e}, b: {endpoint: e}, judge: {endpoint: e}}\n"
        "judge: {models: [judge]}\n",
        encoding="utf-8",
    )


async def _discovered(folder: Path) -> None:
    with Lab(folder) as lab:
        await lab.store.pin(STUDY, {"judge": {"digest": "judge"}})
        asked = saying(reply(proposal(aggregation_prompt=WORDS), UNKNOWN), reply())
        await discovery(lab, asked).propose(lab.archive, 4)
        begun = await lab.store.begin(STUDY, "search", "judge", "table", WORDED, "discovery")
        found = real(lab, WORDED, 0.5).estimate
        await lab.store.close_evaluation(
            begun.id, "COMPLETE", found, items=8, unscored=0, marked=0
        )


@pytest.mark.usefixtures("there")
def test_show_tells_why_what_was_hoped_and_what_was_found() -> None:
    said = invoke("show", WORDED.digest[:8]).stdout
    for text in ("名前: 案", "from 12345678", "expected 7.50, found 5.50", "discovered: 名前"):
        assert text in said
    assert WORDS.split("。", maxsplit=1)[0] in said
    value: Any = json.loads(invoke("show", WORDED.digest[:8], "--json").stdout)
    (one,) = value["proposals"]
    assert (one["expected_score"], one["score"], one["parents"]) == (7.5, 5.5, ["12345678"])


@pytest.mark.usefixtures("there")
def test_all_proposals_are_listed_with_their_fate() -> None:
    said = invoke("show", "--proposals").stdout
    assert "unknown_model: unknown model 'gpt-9'" in said
    assert "2 proposals, 1 taken" in said
    value: Any = json.loads(invoke("show", "--proposals", "--json").stdout)
    assert [one["rejected"] == "" for one in value] == [True, False]
    refused = invoke("show", "--proposals", WORDED.digest[:8])
    assert refused.exit_code == 2
