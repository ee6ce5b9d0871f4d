"""What discovery proposed, why, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from db.of_ten import OF
from db.records import Evaluation, Proposal
from kumiawase import tables
from moa import prompts
from moa.ensemble import Ensemble

REASON = 90  # characters of a reason in a table


def prompt_names(proposals: Sequence[Proposal]) -> dict[str, str]:
    """Return what each prompt is called: ours by their files, others by who brought them first."""
    names = {prompts.digest(name): name for name in prompts.AGGREGATE}
    for proposal in proposals:
        if not proposal.rejected and proposal.digest is not None:
            called = proposal.name or f"proposal {proposal.digest[: tables.ID]}"
            for prompt in _read_under(Ensemble.from_json(proposal.ensemble, prompt="")):
                names.setdefault(prompt, f"discovered: {called}")
    return names


def to_json(
    proposals: Iterable[Proposal], evaluations: Iterable[Evaluation]
) -> list[dict[str, Any]]:
    """Return proposals with the score that was found on the search items, 0-10."""
    found = _scores(evaluations)
    return [
        {**asdict(p), "score": None if found.get(p.digest) is None else found[p.digest]}
        for p in proposals
    ]


def show_one(
    proposal: Proposal,
    evaluations: Iterable[Evaluation],
    texts: Mapping[str, str],
    names: Mapping[str, str],
) -> None:
    """Print the reasoning behind an ensemble."""
    out = tables.console()
    found = _scores(evaluations).get(proposal.digest)
    out.print(tables.plain(f"{proposal.name}: {proposal.thought}"))
    if proposal.parents:
        out.print(tables.plain(f"from {', '.join(proposal.parents)}"))
    out.print(f"expected {_told(proposal.expected_score)}, found {_told(found)}")
    if proposal.rejected:
        out.print(tables.plain(f"rejected: {proposal.rejected}"))
    ours = prompts.library()
    for prompt in _prompts(proposal):
        if prompt not in ours and prompt in texts:
            named = names.get(prompt, "discovered")
            out.print(tables.plain(f"\naggregation prompt, {named}:\n{texts[prompt]}"))
    out.print()


def show_all(proposals: Sequence[Proposal], evaluations: Iterable[Evaluation]) -> None:
    """Print every proposal of a study with its fate, oldest first."""
    found = _scores(evaluations)
    rows = [
        (
            (p.digest or "—")[: tables.ID],
            p.name,
            _told(p.expected_score),
            _told(found.get(p.digest)),
            _short(p.rejected) if p.rejected else "taken",
        )
        for p in proposals
    ]
    columns = ("id", "name", "expected", "found", "fate")
    out = tables.console()
    out.print(tables.table(columns, rows, "expected found"))
    taken = sum(not p.rejected for p in proposals)
    out.print(f"{len(rows)} proposals, {taken} taken")


def _scores(evaluations: Iterable[Evaluation]) -> dict[str | None, float]:
    closed = (e for e in evaluations if e.half == "search" and e.state in ("COMPLETE", "PRUNED"))
    return {e.digest: round(OF * e.value, 4) for e in closed if e.value is not None}


def _prompts(proposal: Proposal) -> list[str]:
    if proposal.digest is None:
        return []
    return list(_read_under(Ensemble.from_json(proposal.ensemble, prompt="")))


def _read_under(ensemble: Ensemble) -> Iterator[str]:
    agents = (*ensemble.agents, ensemble.aggregator)
    yield from dict.fromkeys(a.prompt for a in agents if a.prompt)


def _told(score: float | None) -> str:
    return "—" if score is None else f"{score:.2f}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line[:REASON] + "…" * (len(line) > REASON)
