"""`python -m benchmarks.search`: run what is not in the cache yet, then write table and plot."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.search import report
from benchmarks.search.methods import POOLS, SYNTHETIC, Key, run_key

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".bench-search.jsonl"
INSTANCES = range(10)


def main() -> int:
    """Run, report, and return 1 where a bar is missed."""
    asked = _arguments()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    keys = list(_keys(asked))
    known = _read(asked.cache)
    missing = [key for key in keys if key not in known]
    print(f"{len(keys)} runs, {len(missing)} of them new; cache {asked.cache.name}", flush=True)
    with (
        get_context("spawn").Pool(asked.jobs) as pool,
        asked.cache.open("a", encoding="utf-8") as file,
    ):
        for line in pool.imap_unordered(run_key, missing):
            file.write(json.dumps(line) + "\n")
            file.flush()
            known[_key(line)] = line
            print(f"{_key(line)} {line['seconds']:.1f} s", flush=True)
    return report.write([known[key] for key in keys], None if asked.quick else asked.out)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2, help="searches on each instance")
    parser.add_argument("--quick", action="store_true", help="two instances; nothing is written")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="finished runs, a JSON line each"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    return parser.parse_args()


def _keys(asked: Namespace) -> Iterator[Key]:
    instances = INSTANCES[:2] if asked.quick else INSTANCES
    families = (("pool", POOLS), ("synthetic", SYNTHETIC))
    for family, methods in families:
        for repeat in range(1 if asked.quick else asked.repeats):
            for instance in instances:
                yield from ((family, method, instance, repeat) for method in methods)


def _key(line: dict[str, Any]) -> Key:
    return line["problem"], line["method"], line["instance"], line["repeat"]


def _read(cache: Path) -> dict[Key, dict[str, Any]]:
    if not cache.is_file():
        return {}
    lines = map(json.loads, cache.read_text("utf-8").splitlines())
    return {_key(line): line for line in lines}


if __name__ == "__main__":
    raise SystemExit(main())
