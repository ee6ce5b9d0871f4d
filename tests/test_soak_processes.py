"""Four processes on one file, each doing its work once: ten minutes of it are in the soak."""

from __future__ import annotations

from pathlib import Path

from tests.soak import processes


def test_searches_a_rival_and_a_reader_share_a_file(tmp_path: Path) -> None:
    bars = processes.play(tmp_path, seconds=0, trials=2, items=6)
    assert [bar.line for bar in bars if not bar.met] == []
