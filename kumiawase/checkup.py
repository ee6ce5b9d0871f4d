"""What `doctor` does: every model is tried in earnest, and what was found is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from data.errors import RequestError, UserError
from db.store import Store
from endpoints.endpoint import Endpoint
from endpoints.listing import by_name
from endpoints.probe import Finding, Probe
from endpoints.request import EndpointFacts
from endpoints.specs import ModelSpec
from kumiawase import licences
from kumiawase.remedies import remedy, unheard
from kumiawase.settings import Settings


@dataclass(frozen=True, slots=True)
class Checkup:
    """What came of trying one model.

    Attributes:
        ok: Whether it can be used.
        context: Tokens of prompt and reply together, as the settings or the server say.
        seconds: From the first request to its reply; it may have had to load the model.
        finding: The first finding in a line: the reply's beginning, or what is wrong.
        findings: All of them.
        licence: The model's, and what it says about commercial use.
    """

    model: str
    endpoint: str
    ok: bool
    context: int | None
    seconds: float
    finding: str
    findings: tuple[Finding, ...]
    licence: str = ""


async def examine(settings: Settings) -> list[Checkup]:
    """Try every model of the settings, one after the other on each endpoint.

    Raises:
        StoreError: What is found cannot be kept.
    """
    with Store.open(settings.storage) as store:
        groups = await asyncio.gather(
            *(_endpoint(settings, name, store) for name in settings.endpoints)
        )
    forms = settings.form.models
    return [
        replace(one, licence=licences.describe(licences.entry_of(one.model, forms[one.model])))
        for group in groups
        for one in group
    ]


async def _endpoint(settings: Settings, name: str, facts: EndpointFacts) -> list[Checkup]:
    models = [m for m in settings.models.values() if m.endpoint == name]
    try:
        endpoint = Endpoint(settings.endpoints[name], models=models, facts=facts)
    except UserError as error:
        found = (Finding("answer", "fails", error.fault, error.remedy),)
        return [_checkup(model, model.context, 0.0, found) for model in models]
    try:
        listed = await _listed(endpoint)
        limit = settings.form.max_tokens.proposer
        out: list[Checkup] = []
        for model in models:
            out.append(await _model(endpoint, model, listed, limit, facts))
            if unheard(endpoint, out[0].findings[0].found):  # nor need the others wait for it
                return [_checkup(m, m.context, 0.0, out[0].findings) for m in models]
        return out
    finally:
        await endpoint.close()


async def _listed(endpoint: Endpoint) -> Mapping[str, Mapping[str, Any]]:
    try:
        return by_name(await endpoint.models())
    except RequestError:
        return {}  # many servers list nothing; asking the model tells more


async def _model(
    endpoint: Endpoint,
    model: ModelSpec,
    listed: Mapping[str, Mapping[str, Any]],
    max_tokens: int,
    facts: EndpointFacts,
) -> Checkup:
    probe = Probe(endpoint, model, listed, max_tokens)
    found = tuple([await _mended(endpoint, one) for one in await probe.run()])
    kept = {f"doctor {model.served_name}": [asdict(finding) for finding in found]}
    await facts.learn(endpoint.spec.identity, kept)
    return _checkup(model, model.context or probe.context, probe.seconds, found)


async def _mended(endpoint: Endpoint, finding: Finding) -> Finding:
    if finding.state != "fails" or finding.action:
        return finding
    return replace(finding, action=await remedy(endpoint, finding.found))


def _checkup(
    model: ModelSpec, context: int | None, seconds: float, found: tuple[Finding, ...]
) -> Checkup:
    first = "; ".join(part for part in (found[0].found, found[0].action) if part)
    ok = all(finding.state != "fails" for finding in found)
    return Checkup(model.name, model.endpoint, ok, context, seconds, first, found)
