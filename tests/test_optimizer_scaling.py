"""A panel's scale is frozen once, before anything is decided by it, whatever ends the search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from data.digest import digest
from data.errors import BudgetSpentError, ServerFailedError
from data.suites.item import Item, Split
from db.leaderboard import rank
from db.pins import JudgeRole, judged_by
from db.store import Store
from db.studies import open_study
from endpoints.request import Request
from judges.combined import CombinedJudge
from judges.common_scale import ENOUGH
from judges.score import Judge
from moa.answer import Answer
from moa.engine import Engine, MaxTokens
from optimizer.archive import Archive
from optimizer.confirmation import StalledError
from optimizer.evaluation import Evaluator
from optimizer.events import EnsembleClosed, ScaleFrozen
from optimizer.outcome import Outcome
from optimizer.scaling import Scaling
from optimizer.search import Plan, Search
from tests.support.completers import Reply
from tests.support.panels import Marks, TableMember, mark, panel
from tests.support.pool import PROMPT, SPACE, STUDY, Models, echo, skilled, suite
from tests.support.stores import Listener

ASKED = suite(2, 8)
TEMPER = {"mild": (1.0, 0.2), "harsh": (0.5, -0.1), "even": (0.8, 0.0)}


def temper(name: str) -> Marks:
    slope, shift = TEMPER[name]

    def marks(item: Item, given: Answer) -> float:
        blur = int(digest([name, item.id, given.texts])[:4], 16) / 0xFFFF - 0.5
        return mark(slope * (skilled(item, given) or 0.0) + shift + 0.2 * blur)

    return marks


def members() -> list[TableMember]:
    return [TableMember(name, name, temper(name)) for name in TEMPER]


class Cancelled(Listener):
    """Cancels the task that is running when an event comes."""

    def __init__(self, at: Callable[[object], bool] | None) -> None:
        super().__init__()
        self.at = at
        self.task: asyncio.Task[str] | None = None

    def notice(self, event: object) -> None:
        super().notice(event)
        if self.at is not None and self.task is not None and self.at(event):
            self.at = None
            self.task.cancel()


class Lab:
    """A study judged by a panel, reported by another; the next lab on a folder is its next run."""

    def __init__(
        self,
        folder: Path,
        *,
        report: bool = True,
        models: Models | None = None,
        at: Callable[[object], bool] | None = None,
        trials: int = 1,
    ) -> None:
        url = f"sqlite:///{folder / 'study.sqlite'}"
        self.store = Store.open(url)
        self.models = models or Models()
        self.heard = Cancelled(at)
        self.members = members()
        self.judge = CombinedJudge(panel(*self.members))
        self.report = CombinedJudge(panel(*self.members[1:])) if report else None
        self.url, self.trials = url, trials

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def evaluator(self, half: Split, judge: Judge) -> Evaluator:
        engine = Engine(self.models, {PROMPT: "まとめてください。"}, MaxTokens())
        return Evaluator(
            self.store, engine, judge, ASKED, half, study=STUDY, seed=0, observer=self.heard
        )

    def scaling(self, judge: CombinedJudge | None, role: JudgeRole) -> Scaling | None:
        if judge is None:
            return None
        assert judge.panel is not None
        return Scaling(self.store, judge, judge.panel, STUDY, role)

    async def run(self) -> str:
        await self.store.pin(STUDY, pins(self.judge, self.report))
        scaling = self.scaling(self.judge, "judge")
        report_scaling = self.scaling(self.report, "report_judge")
        kept = self.store.evaluations(STUDY, "search")
        archive = Archive(
            Outcome.of(e, self.store.results(e.id))
            for e in kept
            if e.state in ("COMPLETE", "PRUNED") and e.judge == self.judge.digest
        )
        search = Search(
            open_study(self.url, STUDY),
            SPACE,
            archive,
            self.evaluator("search", self.judge),
            self.evaluator("held_out", self.report or self.judge),
            self.models.budget,
            Plan(self.trials, 4, 2, False, (), 0),
            sample=None,
            discovery=None,
            observer=self.heard,
            scaling=scaling,
            report_scaling=report_scaling,
            second=self.evaluator("held_out", self.judge) if self.report else None,
        )
        task: asyncio.Task[str] = asyncio.create_task(search.run())
        self.heard.task = task
        return await task

    def told_values(self) -> set[float | None]:
        """Return what Optuna was told."""
        return {trial.value for trial in open_study(self.url, STUDY).get_trials()}

    def board(self) -> dict[str, Any]:
        found = rank(self.store, STUDY).to_json()
        return {key: found[key] for key in ("verdict", "rows", "gain", "scales")}


def pins(judge: Judge, report: Judge | None) -> dict[str, Any]:
    reported = {"kind": "panel", "models": ["harsh", "even"]}
    return {
        "suite": {
            "name": "試験",
            "digest": ASKED.digest,
            "weights": dict(ASKED.weights),
            "search_items": 16,
            "held_out_items": 16,
        },
        "judge": {"kind": "panel", "models": list(TEMPER), "digest": judge.digest},
        "report_judge": {**reported, "digest": report.digest} if report else None,
        "baselines": [],
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a search that nothing interrupts finds."""
    with Lab(tmp_path_factory.mktemp("whole")) as lab:
        asyncio.run(lab.run())
        return lab.board()


async def test_everything_the_search_decides_by_is_on_the_frozen_scale(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        raw = lab.judge.digest
        assert await lab.run() == "done"
        scale = lab.judge.panel.scale if lab.judge.panel else None
        assert scale is not None
        assert scale.answers == 3 * 16
        assert {line.note for line in scale.lines.values()} == {""}
        kept = lab.store.evaluations(STUDY, "search")
        assert [e.judge for e in kept[:3]] == [raw] * 3
        assert {e.judge for e in kept[3:]} == {lab.judge.digest}
        assert {e.digest for e in kept[:3]} < {e.digest for e in kept[3:]}
        for evaluation in kept[3:]:
            for result in lab.store.results(evaluation.id):
                read = [scale.read(s.judge, s.value or 0) for s in result.scores[1:]]
                assert result.value == pytest.approx(sum(read) / 3)
        assert judged_by(lab.store.pins(STUDY))["search"] == lab.judge.digest
        told = lab.told_values()
        for evaluation in kept[3:]:
            if evaluation.origin != "baseline":
                assert evaluation.value in told


async def test_the_report_panel_is_frozen_from_held_out_baselines(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        raw = lab.report.digest if lab.report else ""
        await lab.run()
        assert lab.report is not None
        assert lab.report.panel is not None
        scale = lab.report.panel.scale
        assert scale is not None
        kept = lab.store.evaluations(STUDY, "held_out")
        unread = [e for e in kept if e.judge == raw]
        assert {e.origin for e in unread} == {"baseline"}
        assert scale.answers == 16 * len(unread)
        confirmed = [e for e in kept if e.judge == lab.report.digest]
        assert {e.digest for e in unread} < {e.digest for e in confirmed}
        assert judged_by(lab.store.pins(STUDY))["held_out"] == lab.report.digest
        # The search's judge reads two of them, for the gain that both are asked about.
        again = [e for e in kept if e.judge == lab.judge.digest]
        best = sorted(confirmed, key=lambda e: -(e.value or 0))
        single = [e for e in best if not e.ensemble.layers]
        combined = [e for e in best if e.ensemble.layers]
        assert [e.digest for e in again] == [combined[0].digest, single[0].digest]
        gain = rank(lab.store, STUDY).gain
        assert gain is not None
        assert (gain.half, gain.digest) == ("held_out", combined[0].digest)


async def test_without_a_report_judge_the_search_scale_confirms(tmp_path: Path) -> None:
    with Lab(tmp_path, report=False) as lab:
        await lab.run()
        kept = lab.store.evaluations(STUDY, "held_out")
        assert {e.judge for e in kept} == {lab.judge.digest}
        assert rank(lab.store, STUDY).gain is None


async def test_another_judge_reads_the_same_answers(tmp_path: Path) -> None:
    """Every reply is another: an answer that was asked for again would be one too."""
    said = 0
    models = Models()

    def says(request: Request) -> Reply:
        nonlocal said
        said += 1
        models.kept.clear()
        return f"{request.model}: {said}"

    models.says = says
    texts: dict[tuple[str, str], list[list[tuple[str, ...]]]] = {}
    with Lab(tmp_path, models=models, trials=0) as lab:
        await lab.run()
        for kept in lab.store.evaluations(STUDY):
            answers = [result.answer.texts for result in lab.store.results(kept.id)]
            texts.setdefault((kept.half, kept.digest), []).append(answers)
    seen = [len(answers) for answers in texts.values()]
    assert max(seen) == 3  # as it is, on the scale, and by the search's judge
    assert seen.count(1) > 0
    assert all(answers == given[0] for given in texts.values() for answers in given)


@pytest.mark.parametrize(
    "at",
    [
        lambda e: isinstance(e, EnsembleClosed) and e.phase == "single models",
        lambda e: isinstance(e, ScaleFrozen),
        lambda e: isinstance(e, EnsembleClosed) and e.phase == "common scale",
        lambda e: isinstance(e, EnsembleClosed) and e.phase == "confirmation",
        lambda e: isinstance(e, EnsembleClosed) and e.phase == "second opinion",
    ],
    ids=["raw", "frozen", "rescored", "confirmed", "second"],
)
async def test_wherever_it_ends_the_next_run_finds_the_same_leaderboard(
    whole: dict[str, Any], tmp_path: Path, at: Callable[[object], bool]
) -> None:
    with Lab(tmp_path, at=at) as lab, pytest.raises(asyncio.CancelledError):
        await lab.run()
    with Lab(tmp_path) as lab:
        await lab.run()
        assert lab.board() == whole
    with Lab(tmp_path) as lab:
        assert await lab.run() == "done"
        assert lab.board() == whole
        assert not any(member.seen for member in lab.members)  # nothing is judged again


async def test_a_frozen_scale_stays_whatever_comes_after(tmp_path: Path) -> None:
    with Lab(tmp_path, trials=0) as lab:
        await lab.run()
        wanted = lab.board()["scales"]
    with Lab(tmp_path, trials=3) as lab:
        await lab.run()
        assert lab.board()["scales"] == wanted
        assert [e for e in lab.heard.events if isinstance(e, ScaleFrozen)] == []


async def test_a_budget_that_ends_too_soon_freezes_nothing(tmp_path: Path) -> None:
    left = 20

    def says(request: Request) -> Reply:
        nonlocal left
        left -= 1
        return BudgetSpentError("enough") if left < 0 else echo(request)

    with Lab(tmp_path, models=Models(says)) as lab:
        assert await lab.run() == "budget"
        assert lab.board()["scales"] == {}
    with Lab(tmp_path) as lab:
        assert await lab.run() == "done"
        assert set(lab.board()["scales"]) == {"judge", "report_judge"}


async def test_a_judge_that_is_away_is_waited_for(whole: dict[str, Any], tmp_path: Path) -> None:
    """Frozen without it, it would stay unscaled for good and judge the trials alone."""
    with Lab(tmp_path) as lab:
        lab.members[1].away = True
        with pytest.raises(StalledError):
            await lab.run()
        assert lab.board()["scales"] == {}
    with Lab(tmp_path) as lab:
        assert await lab.run() == "done"
        assert lab.board() == whole


async def test_a_dead_model_of_a_pool_that_judges_itself_ends_no_search(tmp_path: Path) -> None:
    def says(request: Request) -> Reply:
        return ServerFailedError("502") if request.model == "a" else echo(request)

    families = dict(zip("abc", TEMPER, strict=True))
    with Lab(tmp_path, models=Models(says), report=False) as lab:
        lab.members[0].away = True
        lab.judge = CombinedJudge(panel(*lab.members, families=families, own=True))
        await lab.run()
        scale = lab.store.pins(STUDY)["judge_scale"]
        assert (scale["away"], set(scale["judges"])) == (["mild"], {"harsh", "even"})
        rows = lab.board()["rows"]
        confirmed = [row for row in rows if row["held_out"]]
        assert {row["ensemble"]["aggregator"]["model"] for row in confirmed} == {"b", "c"}
        assert any(row["trial"] is not None and row["rank"] for row in rows)


async def test_a_model_that_is_down_is_no_reason_to_wait(tmp_path: Path) -> None:
    """Nor does what it was given before the scale stay in the search."""
    down = {"a"}

    def says(request: Request) -> Reply:
        return ServerFailedError("502") if request.model in down else echo(request)

    with Lab(tmp_path, models=Models(says), trials=0) as lab:
        await lab.run()
        scale = lab.store.pins(STUDY)["judge_scale"]
        assert scale["answers"] == 2 * 16 >= ENOUGH
        rows = {row["ensemble"]["aggregator"]["model"]: row for row in lab.board()["rows"]}
        assert rows["a"]["state"] == "FAILED"
