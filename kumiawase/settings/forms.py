"""The forms of kumiawase.yaml, section by section: what may be written, and the defaults."""

from __future__ import annotations

import ipaddress
import re
import socket
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from endpoints.specs import SystemRole, TokenLimitParam, ToolForm, VerdictForm
from kumiawase.settings.until import moment, written

Sampler = Literal["auto", "set-gp", "evolution", "discovery", "tpe", "random"]
ModelRole = Literal["proposer", "aggregator"]

# A token as providers hand them out; no name of a variable looks so.
_KEY = re.compile(
    r"^(sk|gsk|hf|xai|ghp|pk)_[A-Za-z0-9]{16,}$|^AIza|(?=.*[a-z])(?=.*[A-Z])(?=.*\d).{24}"
)
_METADATA = {"metadata", "metadata.google.internal", "100.100.100.200", "fd00:ec2::254"}


def variable(name: str, secret: str) -> str:
    """Return the name of a variable that holds a secret.

    Raises:
        ValueError: It is no name, or the secret itself.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"is no name of a variable (give the name, never {secret})")
    if _KEY.search(name):
        raise ValueError("looks like a key (give the name of a variable that holds it)")
    return name


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EndpointForm(_Form):
    """One entry of `endpoints`."""

    base_url: str
    api_key_env: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    max_concurrency: int = Field(default=16, ge=1, le=4096)
    timeout: float = Field(default=180, gt=0, le=86_400)
    resident: int | None = Field(default=None, ge=1, le=1024)
    usd_per_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    identity: str = ""
    token_limit_param: TokenLimitParam = "auto"

    @field_validator("base_url")
    @classmethod
    def _fit(cls, url: str) -> str:
        parts = urlsplit(url)  # raises ValueError itself, as does `port`
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("is no http or https URL")
        if parts.username or parts.password:
            raise ValueError("holds a user or password (name a key's variable under api_key_env)")
        if _metadata_address(parts.hostname):
            raise ValueError("is a link-local or metadata address")
        return url

    @field_validator("api_key_env")
    @classmethod
    def _name(cls, name: str | None) -> str | None:
        return None if name is None else variable(name, "the key")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                raise ValueError(f"{name!r} is no name of a header")
            if not value.isascii() or not value.isprintable():
                raise ValueError(f"{name!r} holds characters no header can carry")
        return headers


class PriceForm(_Form):
    """USD per million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)


class ModelForm(_Form):
    """One entry of `models`."""

    endpoint: str
    served_name: str | None = None
    catalogue: str | None = None
    family: str | None = None
    context: int | None = Field(default=None, ge=16)
    tokenizer: str | None = Field(default=None, min_length=1)
    price: PriceForm | None = None
    roles: list[ModelRole] = Field(default=["proposer", "aggregator"], min_length=1)
    extra_body: dict[str, Any] = Field(default_factory=dict)
    system_role: SystemRole = "auto"
    tools: ToolForm = "text"
    verdicts: VerdictForm = "marker"


class JudgeForm(_Form):
    """`judge` or `report_judge`."""

    kind: Literal["rubric", "pairwise", "panel", "self"] = "rubric"
    models: list[str] = Field(default_factory=list)
    baseline: str | None = None


class MaxTokensForm(_Form):
    """Most tokens of a reply, by role."""

    proposer: int = Field(default=1024, ge=1)
    aggregator: int = Field(default=2048, ge=1)
    judge: int = Field(default=1024, ge=1)


class SearchForm(_Form):
    """`search`."""

    trials: int = Field(default=60, ge=0)
    layers: int = Field(default=2, ge=0, le=8)
    width: int = Field(default=6, ge=1, le=64)
    n: int = Field(default=3, ge=1, le=16)
    temperatures: list[float] = Field(default=[0.0, 0.7], min_length=1)
    sampler: Sampler = "auto"
    discoverer: str | None = None
    objective: Literal["score", "pareto"] = "score"
    racing: Literal["auto", "off"] = "auto"
    in_flight: int = Field(default=8, ge=1, le=256)
    confirm: int = Field(default=8, ge=0)
    seed: int = Field(default=0, ge=0)

    @field_validator("racing", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return "off" if value is False else value  # YAML reads a bare `off` as false

    @field_validator("temperatures")
    @classmethod
    def _warm(cls, values: list[float]) -> list[float]:
        if not all(0 <= t <= 2 for t in values):
            raise ValueError("must lie between 0 and 2")
        return sorted(set(values))


class BudgetForm(_Form):
    """`budget`: any of its limits; all of them hold."""

    calls: int | None = Field(default=None, ge=1)
    usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    until: str | None = None

    @field_validator("until", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        return written(value)

    @field_validator("until")
    @classmethod
    def _time(cls, text: str | None) -> str | None:
        if text is not None:
            moment(text, datetime.now().astimezone())
        return text


class NotifyForm(_Form):
    """`notify`."""

    webhook_env: str

    @field_validator("webhook_env")
    @classmethod
    def _name(cls, name: str) -> str:
        return variable(name, "the URL")


class SettingsForm(_Form):
    """The whole of kumiawase.yaml."""

    study: str = Field(default="default", min_length=1, max_length=200)
    storage: str = "sqlite:///kumiawase.sqlite"
    endpoints: dict[str, EndpointForm] = Field(min_length=1)
    models: dict[str, ModelForm] = Field(min_length=1)
    baselines: list[str] = Field(default_factory=list)
    judge: JudgeForm = Field(default=JudgeForm(kind="self"))
    report_judge: JudgeForm | None = None
    suite: Any = "kumiawase-ja"
    max_tokens: MaxTokensForm = MaxTokensForm()
    search: SearchForm = SearchForm()
    budget: BudgetForm = BudgetForm()
    notify: NotifyForm | None = None


def loopback(host: str) -> bool:
    """Tell whether a host is this machine, by an address or name that cannot be another."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _metadata_address(host: str) -> bool:
    """Tell whether a cloud's metadata answers there, however the address is written."""
    name = host.lower().rstrip(".")
    if name in _METADATA:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))  # 0xa9fea9fe, 2852039166, …
        except OSError:
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_link_local or str(address) in _METADATA
