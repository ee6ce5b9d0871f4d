"""What is known of an endpoint and of a model it serves, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

TokenLimitParam = Literal["auto", "max_tokens", "max_completion_tokens"]
SystemRole = Literal["auto", "send", "fold"]
ToolForm = Literal["text", "native"]
VerdictForm = Literal["marker", "schema"]


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One OpenAI-compatible server.

    Attributes:
        api_key_env: Name of the variable that holds the key; None for a server without keys.
        max_concurrency: Most requests in flight.
        timeout: Seconds for one attempt, from when it is sent.
        identity: What stands for the server in keys and pins: its base URL unless the user says
            that another address is the same server.
        token_limit_param: The name under which a reply's bound is sent; `auto` finds out.
        resident: Models the host holds at a time, where it must unload one to load another.
        usd_per_hour: What the host costs while it is busy, whatever it is asked.
    """

    name: str
    base_url: str
    api_key_env: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    max_concurrency: int = 16
    timeout: float = 180.0
    identity: str = ""
    token_limit_param: TokenLimitParam = "auto"
    resident: int | None = None
    usd_per_hour: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        object.__setattr__(self, "identity", self.identity or self.base_url)

    @property
    def shown(self) -> str:
        """The base URL as messages may show it: without a user's name and password."""
        parts = urlsplit(self.base_url)
        userinfo, _, host = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"***@{host}")) if userinfo else self.base_url


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model as one endpoint serves it.

    Attributes:
        name: The name used everywhere in kumiawase.
        endpoint: Name of its endpoint.
        served_name: The name the server knows it by.
        family: Models of one family share their errors and their taste; the name if unknown.
        context: Tokens of prompt and reply together; None when unknown.
        input_price, output_price: USD per million tokens.
        extra_body: Sent with every request.
        system_role: Whether a system turn is sent as one or folded into the user's; `auto`
            finds out.
        tools: `native` where the server takes OpenAI's `tools`; else they are described in text.
        verdicts: How it writes them where it judges: `schema` where the server holds its reply to
            a JSON schema, which `doctor` finds out.
        tokenizer: Path of the model's tokenizer, a SentencePiece `.model` or a `tokenizer.json`.
    """

    name: str
    endpoint: str
    served_name: str
    family: str
    context: int | None = None
    input_price: float = 0.0
    output_price: float = 0.0
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    system_role: SystemRole = "auto"
    tools: ToolForm = "text"
    verdicts: VerdictForm = "marker"
    tokenizer: str | None = None
