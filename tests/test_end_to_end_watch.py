"""`status --watch` as a person sees it: on a narrow terminal, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

from tests.support.program import pool, prepare, run, settings, started
from tests.support.terminal import on_terminal

COLUMNS, ROWS = 40, 24


def ended(screen: list[str]) -> bool:
    """Tell whether the last paragraph is there whole, however many calls it counts."""
    return " ".join(screen[-4:]).rstrip().endswith("ok") and any(
        "pool: " in line for line in screen[-4:]
    )


def test_a_search_is_watched_in_forty_columns_until_ctrl_c(tmp_path: Path) -> None:
    with pool(tmp_path / "log.jsonl", time_scale=3.0) as served:  # to be watched
        prepare(tmp_path, settings(served.url))
        early = run(tmp_path, "status", "--watch")
        assert (early.code, early.out) == (2, "")
        assert "nothing was searched yet" in early.err
        with started(tmp_path, "search") as search:
            search.until(lambda: served.replies, "a reply")
            with on_terminal(tmp_path, "status", "--watch", columns=COLUMNS, rows=ROWS) as watch:
                watch.until(lambda: watch.written.count("study default") >= 2, "a second look")
                watch.until(lambda: ended(watch.screen), "its end")
                seen = watch.screen
                watch.press(b"\x03")
                code = watch.end()
            assert search.process.poll() is None
            search.kill()
    assert seen[0].startswith("study default: searched by process")
    assert len(seen) <= ROWS
    # As wide as the window, and no word broken: "endpoint" would be in a column of its own.
    assert any(line.startswith("pool: ") and "failed;" in line for line in seen)
    assert "model" not in [line.strip() for line in seen]
    assert code == 130
    assert watch.screen == []
    assert watch.written.rstrip().endswith("\x1b[?25h\x1b[?1049l")  # the cursor, the first page
