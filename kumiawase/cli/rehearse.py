"""`kumiawase rehearse`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kumiawase.rehearsal.faults import Faults
    from kumiawase.rehearsal.pool import Pool
    from kumiawase.settings import Settings

TRIALS = 40
SETTINGS = "kumiawase.yaml"
NOTICE = (
    "Rehearsal: the models are simulated. Their names are invented, and their scores say nothing"
    " about any real model."
)


@click.command("rehearse")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which pool.")
@click.option("--trials", type=click.IntRange(0), default=TRIALS, show_default=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("rehearsal"),
    show_default=True,
    help="Where settings and database are kept; the same folder again goes on.",
)
@click.option(
    "-o",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("best.yaml"),
    show_default=True,
    help="File for the best ensemble.",
)
@click.option(
    "--serve", type=click.IntRange(0, 65535), metavar="PORT", help="Only serve the pool."
)
@click.option("--time-scale", type=click.FloatRange(0), help="Seconds of the quickest replies.")
@click.option(
    "--log", type=click.Path(path_type=Path), help="Write a JSON line for each request served."
)
@click.option(
    "--faults",
    metavar="FAULTS",
    default="",
    help="What goes wrong: `night`, or shares such as `hang=0.02,429=0.1`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON at the end.")
def command(
    seed: int,
    trials: int,
    folder: Path,
    file: Path,
    serve: int | None,
    time_scale: float | None,
    log: Path | None,
    faults: str,
    as_json: bool,
) -> int:
    """Run the same search against simulated models: no key, model or GPU needed.

    Ends with the leaderboard, the distance to the best ensemble known of the simulated pool, and
    the winner written to a file.
    """
    from kumiawase.cli.export import write
    from kumiawase.cli.leaderboard import at_end
    from kumiawase.rehearsal.faults import Faults
    from kumiawase.rehearsal.pool import Pool

    wrong = Faults.parse(faults)
    click.echo(NOTICE, err=True)
    if serve is not None:
        _serve(Pool(seed), serve, time_scale, log, wrong)
        return 0
    _spare(file)
    options = [] if time_scale is None else ["--time-scale", str(time_scale)]
    options += [] if log is None else ["--log", str(log)]
    options += ["--faults", faults] if faults else []
    chosen, code = _search(Pool(seed), trials, folder, options, patient=not faults)
    at_end(chosen, code, as_json=as_json)
    if code in (0, 1, 3):
        _distance(Pool(seed), chosen, err=as_json)
        click.echo(write(chosen, None, file), err=True)
        click.echo(_hint(chosen, seed, folder, file), err=True)
    return code


def _hint(chosen: Settings, seed: int, folder: Path, file: Path) -> str:
    """Return how to look at the winner, and how to ask it."""
    port = chosen.endpoints["simulated"].base_url.rpartition(":")[2].partition("/")[0]
    return (
        f"look at it: kumiawase show -c {folder / SETTINGS}\n"
        f"ask it: kumiawase rehearse --seed {seed} --serve {port} & kumiawase ask {file} 質問\n"
        "(after `make rehearse` the program is .venv/bin/kumiawase)"
    )


def _serve(
    pool: Pool, port: int, time_scale: float | None, log: Path | None, faults: Faults
) -> None:
    from data.errors import ConfigError
    from kumiawase.rehearsal import server

    scale = server.TIME_SCALE if time_scale is None else time_scale
    try:
        server.run(pool, port, click.echo, time_scale=scale, log_path=log, faults=faults)
    except OSError as error:
        raise ConfigError(
            f"port {port} cannot be used ({error.strerror})", place="--serve", remedy="try another"
        ) from None


def _spare(file: Path) -> None:
    """Refuse to replace a file that no rehearsal wrote: the ensemble of a real search."""
    from data.errors import ConfigError
    from kumiawase.export import bundle
    from kumiawase.rehearsal.config import STUDY

    if file.is_file() and not bundle.study_of(file).startswith(STUDY):
        raise ConfigError(
            "is there already, and no rehearsal wrote it",
            place=str(file),
            remedy="name another file with -o FILE",
        )


def _search(
    pool: Pool, trials: int, folder: Path, options: Sequence[str], *, patient: bool
) -> tuple[Settings, int]:
    import asyncio

    from data.errors import StudyError
    from kumiawase import settings
    from kumiawase.export.bundle import dump
    from kumiawase.night import running
    from kumiawase.rehearsal.config import config

    folder.mkdir(parents=True, exist_ok=True)
    with _served(pool.seed, options) as base_url:
        written = folder / SETTINGS
        again = f"kumiawase rehearse --seed {pool.seed} --serve PORT"
        head = f"# {NOTICE}\n# Serve the pool again: {again}\n"
        form = config(pool, base_url, trials=trials, patient=patient)
        written.write_text(head + dump(form), encoding="utf-8")
        chosen = settings.load(written)
        try:
            code = asyncio.run(running.run(chosen))
        except StudyError as error:
            remedy = (
                "name another folder with --folder, or remove"
                f" {folder} once no rehearsal is at work in it"
            )
            raise StudyError(error.fault, place=error.place, remedy=remedy) from None
    return chosen, code


@contextlib.contextmanager
def _served(seed: int, options: Sequence[str]) -> Iterator[str]:
    """Serve the pool from a process of its own while the block runs; yield its URL."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "kumiawase", "rehearse", "--seed", str(seed), "--serve", "0"]
    command += options
    # A session of its own: Ctrl-C is for us, and calls in flight still want their replies.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _distance(pool: Pool, chosen: Settings, *, err: bool) -> None:
    """Say how far the winner is from the best ensemble known, without noise."""
    from db.leaderboard import rank
    from kumiawase import reading
    from kumiawase.rehearsal.best_known import best_known

    with reading.open_store(chosen) as store:
        best = next((row for row in rank(store, chosen.study).rows if row.rank == 1), None)
    if best is None:
        return
    known, worth = best_known(pool.seed)
    found = pool.quality(best.ensemble)
    click.echo(
        f"true quality of the winner {found:.2f}; best known {worth:.2f} ({known.label});"
        f" distance {worth - found:.2f} of 10",
        err=err,
    )
