"""`kumiawase status`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("status")
@options.config
@options.study
@options.storage
@options.as_json
def command(config: Path, study: str | None, storage: str | None, as_json: bool) -> None:
    """Show what a study has done and spent, and whether a search is at work on it."""
    from collections import Counter
    from dataclasses import asdict

    from kumiawase import settings, tables
    from kumiawase.reading import counted, open_store

    chosen = settings.load(config, study=study, storage=storage)
    with open_store(chosen) as store:
        spent = store.spent(chosen.study)
        states = Counter(f"{e.half} {e.state}".lower() for e in counted(store, chosen.study))
        working = [w for w in store.workers(chosen.study) if w.at_work]
        reasons = store.reasons(chosen.study)
    if as_json:
        found = {
            "study": chosen.study,
            "searching": [{"host": w.host, "pid": w.pid} for w in working],
            "evaluations": dict(states),
            "spent": asdict(spent),
            "reasons": [asdict(reason) for reason in reasons],
        }
        options.print_json(found)
        return
    out = tables.console()
    pids = ", ".join(f"process {w.pid} on {w.host}" for w in working)
    out.print(
        f"study {chosen.study}: " + (f"searched by {pids}" if pids else "nobody searches it")
    )
    counts = [(name, str(n)) for name, n in sorted(states.items())]
    out.print(tables.table(("evaluations", "number"), counts, "number"))
    shares = [
        (name, str(s.calls), str(s.tokens), f"{s.usd:.4f}")
        for group in (spent.by_role, spent.by_model)
        for name, s in sorted(group.items())
    ]
    out.print(
        tables.table(("role or model", "calls", "tokens", "USD"), shares, "calls tokens USD")
    )
    ends = [(name, str(n)) for name, n in sorted(spent.by_outcome.items())]
    out.print(tables.table(("requests ended", "number"), ends, "number"))
    for reason in reasons:
        out.print(tables.plain(f"{reason.number} x {reason.text}"))
    tables.spent(spent, out)
