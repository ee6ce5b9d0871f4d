"""What a user mends where a server gives no answer."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from data.errors import RequestError
from endpoints.endpoint import Endpoint
from endpoints.specs import EndpointSpec


def unheard(endpoint: Endpoint, fault: str) -> bool:
    """Tell whether a fault is of the whole endpoint: no request to it was ever answered."""
    return fault.startswith("connection") and not endpoint.answered


async def remedy(endpoint: Endpoint, fault: str) -> str:
    """Return what to do about a fault; empty where the fault says it all.

    Args:
        endpoint: The server.
        fault: How a request to it ended, as a `Finding` says it: the ledger's word first.
    """
    spec = endpoint.spec
    where = f"endpoint {spec.name} ({spec.base_url})"
    if unheard(endpoint, fault):
        return f"start the server, or mend base_url of {where}: host, port, http or https"
    if fault.startswith("timeout"):
        return f"look into the server's log, or raise `timeout` of {where}"
    if fault.startswith("unauthorized"):
        name = spec.api_key_env
        if name is None:
            return f"name the variable that holds the key as api_key_env of {where}"
        return f"export {name}=<another key>, or mend base_url of {where}"
    if fault.startswith("rejected: 404"):
        found = await _elsewhere(spec)
        return f"set base_url: {found}" if found else f"mend base_url of {where}, or served_name"
    return ""


async def _elsewhere(spec: EndpointSpec) -> str:
    """Return the address nearby under which the server lists models; empty if there is none."""
    parts, here = urlsplit(spec.base_url), spec.base_url.rstrip("/")
    for url in (f"{here}/v1", f"{parts.scheme}://{parts.netloc}/v1"):
        if url == here:
            continue
        other = Endpoint(replace(spec, base_url=url))
        try:
            if await other.models():
                return url
        except RequestError:
            continue
        finally:
            await other.close()
    return ""
