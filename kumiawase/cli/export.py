"""`kumiawase export`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("export")
@click.argument("id_", required=False)
@options.config
@options.study
@options.storage
@click.option("-o", "file", type=click.Path(path_type=Path), required=True, help="File to write.")
def command(
    id_: str | None, config: Path, study: str | None, storage: str | None, file: Path
) -> None:
    """Write an ensemble into one file that runs, by default the best.

    ID is a trial number or the first characters of an ensemble's digest. The file holds no key:
    it names the variables that do.
    """
    from kumiawase import settings

    chosen = settings.load(config, study=study, storage=storage)
    click.echo(write(chosen, id_, file), err=True)


def write(settings: object, id_: str | None, file: Path) -> str:
    """Write the file and return what to tell the user."""
    from data.errors import ConfigError, StudyError
    from db.leaderboard import rank
    from endpoints.dialects.learned import folds
    from kumiawase import licences, reading
    from kumiawase.export import bundle, pinned
    from kumiawase.settings import Settings
    from kumiawase.views import discovery

    assert isinstance(settings, Settings)
    with reading.open_store(settings) as store:
        board = rank(store, settings.study)
        digest = reading.find(store, settings.study, id_).digest if id_ else None
        rows = [r for r in board.rows if (r.digest == digest if digest else r.rank == 1)]
        if not rows:
            raise StudyError(
                "no ensemble is ranked yet",
                place=f"study {settings.study!r}",
                remedy="name one by its ID",
            )
        pinned.check(settings, store.pins(settings.study), rows[0].ensemble)
        folding = frozenset(
            name
            for name, model in settings.models.items()
            if folds(store, settings.endpoints[model.endpoint].identity, model.served_name)
        )
        try:
            named = discovery.prompt_names(store.proposals(settings.study))
            bundle.write(file, settings, board, rows[0], store.prompts(), folding, named)
        except OSError as error:
            raise ConfigError(f"cannot be written ({error.strerror})", place=str(file)) from None
    used = rows[0].ensemble.models
    flagged = licences.warnings((name, settings.form.models[name]) for name in sorted(used))
    told = "".join(f"\nlicence: {line}" for line in flagged)
    return f"{board.verdict}\nwrote {file}: {rows[0].ensemble.label}{told}"
