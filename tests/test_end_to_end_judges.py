"""Several judges from outside: one scale, both gains, own families, studies ranked together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from kumiawase.cli import cli
from tests.support.program import (
    JUDGE,
    MEMBERS,
    REPORT_JUDGE,
    Pool,
    pool,
    prepare,
    query,
    run,
    settings,
)

FAMILIES = {name: name.partition("-")[0] for name in MEMBERS}
SEARCH = {"trials": 2, "layers": 1, "width": 3, "n": 2, "confirm": 1, "sampler": "random"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with pool(tmp_path_factory.mktemp("pool") / "log.jsonl") as found:
        yield found


@pytest.fixture(scope="module")
def folder(served: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings for a pool that judges itself, and a panel that reports."""
    found = tmp_path_factory.mktemp("judged")
    names = {**FAMILIES, JUDGE: "judge one", REPORT_JUDGE: "judge two"}
    changes = {
        "models": {name: {"endpoint": "pool", "family": own} for name, own in names.items()},
        "judge": {"kind": "self"},
        "report_judge": {"kind": "panel", "models": [JUDGE, REPORT_JUDGE]},
        "search": SEARCH,
    }
    prepare(found, settings(served.url, **changes), items=36)
    return found


def look(folder: Path, verb: str, *arguments: str) -> Result:
    """Run a verb that only reads, in this process."""
    config = ("-c", str(folder / "kumiawase.yaml"))
    return CliRunner().invoke(cli, [verb, *arguments, *config])


def test_a_panel_is_put_on_one_scale_and_all_of_it_is_shown(folder: Path, served: Pool) -> None:
    done = run(folder, "search")
    assert done.code == 0, done.err
    assert done.err.count("judges put on one scale") == 2
    board = json.loads(look(folder, "leaderboard", "--json").stdout)
    assert set(board["scales"]) == {"judge", "report_judge"}
    assert set(board["scales"]["judge"]["judges"]) == set(MEMBERS)
    assert all(not line["note"] for line in board["scales"]["judge"]["judges"].values())
    assert board["gain"]["judge"]["half"] == "held_out"
    assert {one["judge"] for one in board["own_family"]} <= set(MEMBERS)
    for shown in ("gain of", "gap between the judges", "one scale, frozen from", "own family"):
        assert shown in done.out
    # What was scored by marks as they are is kept, and counted nowhere.
    raw, frozen = board["judge"]["digest"], board["scales"]["judge"]["digest"]
    kept = query(
        folder, "SELECT judge, count(*) FROM evaluations WHERE half = 'search' GROUP BY 1"
    )
    assert dict(kept) == {raw: 3, frozen: len(board["rows"])}
    status = json.loads(look(folder, "status", "--json").stdout)
    assert sum(status["evaluations"].values()) == len(board["rows"]) + sum(
        row["held_out"] is not None for row in board["rows"]
    )
    best = json.loads(look(folder, "show", board["rows"][0]["digest"][:8], "--json").stdout)
    assert [one["half"] for one in best["evaluations"]] == ["search", "held_out"]
    before = served.replies
    again = run(folder, "search")
    assert (again.code, served.replies) == (0, before)
    assert again.out.partition("spent:")[0] == done.out.partition("spent:")[0]


def test_studies_that_others_judged_are_not_ranked_together_unasked(folder: Path) -> None:
    file = folder / "kumiawase.yaml"
    changed = yaml.safe_load(file.read_text("utf-8")) | {"max_tokens": {"judge": 900}}
    changed["search"] = {**SEARCH, "trials": 0, "confirm": 0}
    file.write_text(yaml.safe_dump(changed), "utf-8")
    other = run(folder, "search", "--study", "other")
    assert other.code == 0, other.err
    both = ("leaderboard", "--study", "other", "--study", "default")
    refused = run(folder, *both)
    assert (refused.code, refused.out) == (2, "")
    named = "`judge.parts.max_tokens` is 900 and 1024 in other and default"
    assert f"cannot be compared: {named}" in refused.err
    assert "--allow-mixed" in refused.err
    mixed = look(folder, *both, "--allow-mixed")
    assert mixed.exit_code == 0
    assert mixed.stdout.startswith("mixed:")
    assert f"not comparable: {named}" in mixed.stdout
