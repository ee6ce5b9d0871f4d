"""Which keys an imported file may send where: what its user has agreed to, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from data.errors import ConfigError
from endpoints.specs import EndpointSpec
from kumiawase import settings

PORTS = {"http": 80, "https": 443}
Route = tuple[str, str, str, int]  # variable, scheme, host, port


def check(
    endpoints: Iterable[EndpointSpec], place: str, config: Path, trusted: Collection[str]
) -> None:
    """Refuse endpoints that would get a key which nobody meant for them.

    The user's own settings say where each key goes: the same variable to the same scheme, host
    and port is agreed to. Servers without a key are asked as they are.

    Args:
        endpoints: Of an imported file.
        place: What messages call that file.
        config: The user's own settings; there may be none.
        trusted: Hosts, or hosts with ports, that may have whatever key the file names for them.

    Raises:
        ConfigError: Some key is not meant for its endpoint.
    """
    keyed = [spec for spec in endpoints if spec.api_key_env is not None]
    doubtful = [spec for spec in keyed if not _trusted(spec, trusted)]
    own = settings.load(config).endpoints.values() if doubtful and config.exists() else ()
    agreed = {_route(spec) for spec in own}
    refused = [spec for spec in doubtful if _route(spec) not in agreed]
    if refused:
        sent = " and ".join(f"the key in {s.api_key_env} to {s.base_url}" for s in refused)
        hosts = dict.fromkeys(urlsplit(s.base_url).netloc for s in refused)
        options = " ".join(f"--trust {host}" for host in hosts)
        raise ConfigError(
            f"would send {sent}, and {config} does not",
            place=place,
            remedy=f"if you mean it: {options}",
        )


def _trusted(spec: EndpointSpec, hosts: Collection[str]) -> bool:
    _, _, host, port = _route(spec)
    shown = f"[{host}]" if ":" in host else host
    return not {host, shown, f"{shown}:{port}"}.isdisjoint(name.lower() for name in hosts)


def _route(spec: EndpointSpec) -> Route:
    parts = urlsplit(spec.base_url)
    port = parts.port or PORTS[parts.scheme]
    return spec.api_key_env or "", parts.scheme, parts.hostname or "", port
