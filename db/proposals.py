"""Proposed ensembles, and the prompts they name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, fields

from sqlalchemy import Connection, select

from db.records import Proposal
from db.statements import Work, insert_new
from db.tables import PromptRow, ProposalRow

_FIELDS = tuple(field.name for field in fields(Proposal))


def propose(study: str, proposal: Proposal) -> Work[None]:
    """Keep a proposal, taken or rejected."""
    row = {**asdict(proposal), "study": study, "proposed": time.time()}

    def work(connection: Connection) -> None:
        connection.execute(insert_new(connection, ProposalRow), row)

    return work


def all_of(study: str) -> Work[list[Proposal]]:
    """Return the proposals of a study, oldest first."""
    columns = (getattr(ProposalRow, name) for name in _FIELDS)
    query = select(*columns).where(ProposalRow.study == study).order_by(ProposalRow.id)

    def work(connection: Connection) -> list[Proposal]:
        rows = connection.execute(query).mappings()
        return [Proposal(**{**row, "parents": tuple(row["parents"])}) for row in rows]

    return work


def add_prompts(texts: Mapping[str, str]) -> Work[None]:
    """Keep prompt texts by digest; one that is there already stays."""
    rows = [{"digest": digest, "text": text} for digest, text in texts.items()]

    def work(connection: Connection) -> None:
        if rows:
            connection.execute(insert_new(connection, PromptRow), rows)

    return work


def prompts(connection: Connection) -> dict[str, str]:
    """Return all prompt texts by digest."""
    return {
        digest: text
        for digest, text in connection.execute(select(PromptRow.digest, PromptRow.text))
    }
