"""`kumiawase suites`."""

from __future__ import annotations

from pathlib import Path

import click

from kumiawase.cli import options


@click.command("suites")
@click.argument("name", required=False)
@click.option("--format", "format_", help="Format of the file NAME.")
@click.option("--reference", help="File of reference answers to the file NAME.")
@click.option("--show", "category", metavar="CATEGORY", help="Print items of a category whole.")
@click.option("-n", "most", type=click.IntRange(1), help="Most items shown [default: 10, or all].")
@click.option("--check", is_flag=True, help="Say everything that is wrong with NAME.")
@click.option(
    "--context",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    help="Tokens that items must leave room in, for --check.",
)
@click.option("--study", help="Say how good each item proved in this study.")
@options.config
@options.storage
@options.as_json
def command(
    name: str | None,
    format_: str | None,
    reference: str | None,
    category: str | None,
    most: int | None,
    check: bool,
    context: int,
    study: str | None,
    config: Path,
    storage: str | None,
    as_json: bool,
) -> int:
    """List the suites that can be asked; with NAME, count what is in one.

    NAME is a suite of ours or a file. --check looks for lines that do not fit, items that ask
    the same, golds that fail their own rule, items too long to answer, categories with an empty
    half and texts in another language; the exit code is 2 if there are any. --study shows, after
    a search, how well each item tells ensembles apart.
    """
    if study is not None:
        if name is not None:
            raise click.UsageError("--study takes the suite from the study; leave NAME out")
        _quality(config, study, storage, most, as_json=as_json)
        return 0
    if name is None:
        if check or category is not None or format_ or reference:
            raise click.UsageError("name a suite or a file")
        _list(as_json=as_json)
        return 0
    spec = {"path": name, "format": format_, "reference": reference}
    spec = {key: value for key, value in spec.items() if value is not None}
    if check:
        return _check(spec, name, context, as_json=as_json)
    _show(spec, category, most or 10, as_json=as_json)
    return 0


def _list(*, as_json: bool) -> None:
    from kumiawase.views import suites

    if as_json:
        click.echo(suites.as_json(suites.listing()))
    else:
        suites.show_listing()


def _show(spec: object, category: str | None, most: int, *, as_json: bool) -> None:
    from dataclasses import asdict

    from data.suites import load_suite
    from kumiawase.views import suites

    suite = load_suite(spec, Path())
    if category is None:
        if as_json:
            rows = suites.counts(suite)
            found = {"name": suite.name, "digest": suite.digest, "categories": rows}
            click.echo(suites.as_json(found))
        else:
            suites.show_counts(suite)
        return
    if category not in suite.weights:
        raise click.UsageError(f"no category {category!r}; there are {', '.join(suite.weights)}")
    items = [item for item in suite.items if item.category == category][:most]
    if as_json:
        click.echo(suites.as_json([asdict(item) for item in items]))
    else:
        suites.show_items(items)


def _check(spec: object, name: str, context: int, *, as_json: bool) -> int:
    from data.suites import scan_suite
    from judges.japanese import dictionary
    from judges.suite_check import check_suite
    from kumiawase.views import suites

    scan = scan_suite(spec, Path())
    findings = check_suite(scan, name, context)
    if as_json:
        found = {
            "name": scan.name,
            "items": len(scan.items),
            "context": context,
            "dictionary": dictionary(),
            "findings": [finding.to_json() for finding in findings],
        }
        click.echo(suites.as_json(found))
    else:
        suites.show_findings(name, len(scan.items), findings)
    return 2 if findings else 0


def _quality(
    config: Path, study: str, storage: str | None, most: int | None, *, as_json: bool
) -> None:
    from db.item_quality import item_quality
    from kumiawase import settings
    from kumiawase.reading import open_store
    from kumiawase.views import suites

    chosen = settings.load(config, study=study, storage=storage)
    with open_store(chosen) as store:
        found = item_quality(store, study)
    if as_json:
        rows = [quality.to_json() for quality in found[:most]]
        click.echo(suites.as_json({"study": study, "items": rows}))
    else:
        suites.show_quality(found, study, most)
