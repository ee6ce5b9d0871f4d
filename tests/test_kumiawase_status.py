"""`status` compares like with like, and tells whoever pipes `--watch` what changes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from db.store import Store
from kumiawase import tables
from kumiawase.cli import cli, status
from kumiawase.night import ending, expected
from kumiawase.night.ending import Ended
from kumiawase.settings import Settings, load
from kumiawase.views.overview import overview, rendered
from moa.ensemble import single
from tests.support.program import prepare, settings
from tests.support.rows import attempt

FORECAST = {"calls": {"value": 200}, "usd": {"value": 4.0}, "hours": {"value": 2.0}}


@pytest.fixture
def found(tmp_path: Path) -> Settings:
    return load(prepare(tmp_path, settings("http://127.0.0.1:9/v1", budget={"calls": 40})))


@pytest.fixture
def store(found: Settings) -> Iterator[Store]:
    with Store.open(found.storage) as opened:
        asyncio.run(opened.pin(found.study, {"judge": {"digest": "j"}, "report_judge": None}))
        yield opened


def spend(store: Store, study: str, calls: int) -> None:
    async def all_of_them() -> None:
        for number in range(calls):
            one = attempt(id=f"{number}", key=f"{number}", study=study, usd=0.1)
            await store.claim(one)
            await store.settle(one, None)

    asyncio.run(all_of_them())


def shown(found: Settings, store: Store) -> str:
    out = tables.console()
    with out.capture() as text:
        out.print(rendered(overview(found, store), out.width))
    return text.get()


def test_a_part_is_not_compared_with_the_whole(found: Settings, store: Store) -> None:
    note = {**expected.kept(found, _Forecast()), "forecast": FORECAST}  # type: ignore[arg-type]
    asyncio.run(store.note(found.study, expected.NOTE, note))
    spend(store, found.study, 20)

    def compared(end: Ended) -> Any:
        asyncio.run(store.note(found.study, ending.NOTE, end.note(1.0)))
        return overview(found, store).to_json()["estimate"]["calls"]

    part = {"expected": 200, "took": 20.0}
    assert compared(Ended(3, "the budget")) == compared(Ended(130, "stopped")) == part
    assert "estimate so far: 20 calls of 200 calls, $2.00 of $4.00\n" in shown(found, store)
    assert compared(Ended(0, "done", whole=True)) == {**part, "off": 9.0}
    assert "estimate against reality: 200 calls for 20 calls (10 times)" in shown(found, store)


def test_a_budget_that_was_lowered_is_passed_and_by_no_percentage(
    found: Settings, store: Store
) -> None:
    spend(store, found.study, 41)
    assert "calls 41 of 40 (over the budget)" in shown(found, store)


def test_a_watch_without_a_terminal_prints_a_line_a_change_and_the_end(
    found: Settings,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    worker = asyncio.run(store.register(found.study))
    ensemble = single("sim/dango-14b", 0.0)

    def begin() -> None:
        asyncio.run(store.begin(found.study, "search", "j", "judge", ensemble, "random"))

    def end() -> None:
        asyncio.run(store.heartbeat(worker, finished=True))

    steps: Iterator[Callable[[], object]] = iter((list, begin, list, end))

    def step(interrupted: Event) -> None:
        assert not interrupted.is_set()
        next(steps)()

    monkeypatch.setattr(status, "_wait", step)
    config = str(found.folder / "kumiawase.yaml")
    assert cli.main(["status", "--watch", "-c", config], standalone_mode=False) is None
    first, second, *whole = capsys.readouterr().out.splitlines()
    assert first == "0:00 0 calls; trials 0 of 4, 0 begun; confirmed 0"
    assert second == "0:00 0 calls; trials 0 of 4, 1 begun; confirmed 0"
    assert whole[0].startswith("study default: nobody searches it")


class _Forecast:
    def to_json(self) -> dict[str, Any]:
        return {}


def test_ctrl_c_is_not_lost_while_something_is_deleted() -> None:
    class Deleted:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with status.interruptible() as interrupted:
        Deleted()
        assert interrupted.wait(60)
        assert signal.getsignal(signal.SIGINT) is before  # for whoever cannot wait
