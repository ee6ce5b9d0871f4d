"""What has been learned of one server's dialects, model by model, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from endpoints.dialects.wire import Dialect
from endpoints.request import EndpointFacts
from endpoints.specs import EndpointSpec, ModelSpec


def fact_name(served_name: str) -> str:
    """Return the name under which a model's dialect is kept among the facts of its server."""
    return f"dialect {served_name}"


def folds(facts: EndpointFacts, identity: str, served_name: str) -> bool:
    """Return whether a server taught, or `doctor` found, that a model needs no system turn."""
    return Dialect.from_json(facts.facts(identity).get(fact_name(served_name))).fold


class Dialects:
    """The dialect in which each model of one server is asked.

    What the settings say counts before what was learned.

    Args:
        spec: The server.
        models: Models whose settings count; any other is taken as it is learned.
        facts: Keeps what is learned; without one it is forgotten with this object.
    """

    def __init__(
        self, spec: EndpointSpec, models: Iterable[ModelSpec], facts: EndpointFacts | None
    ) -> None:
        self._spec = spec
        self._facts = facts
        mine = [model for model in models if model.endpoint == spec.name]
        self._roles = {model.served_name: model.system_role for model in mine}
        self._without_top_p = {m.served_name for m in mine if "top_p" in m.extra_body}
        kept: dict[str, Any] = facts.facts(spec.identity) if facts else {}
        self._kept = kept
        self._known: dict[str, Dialect] = {}

    def of(self, served_name: str) -> Dialect:
        """Return the dialect for a model, as its server knows it."""
        known = self._known.get(served_name)
        if known is None:
            learned = Dialect.from_json(self._kept.get(fact_name(served_name)))
            known = self._known[served_name] = self._settled(served_name, learned)
        return known

    def allows(self, served_name: str, dialect: Dialect) -> bool:
        """Return whether the settings leave a dialect to be tried."""
        return self._settled(served_name, dialect) == dialect

    async def learn(self, served_name: str, dialect: Dialect) -> None:
        """Ask a model in this dialect from now on, with what was learned before it."""
        known = self.of(served_name)
        omitted = tuple(dict.fromkeys((*known.omitted, *dialect.omitted)))
        dialect = replace(dialect, fold=known.fold or dialect.fold, omitted=omitted)
        if dialect == known or not self.allows(served_name, dialect):
            return
        self._known[served_name] = dialect
        if self._facts is not None:
            found = {fact_name(served_name): dialect.to_json()}
            await self._facts.learn(self._spec.identity, found)

    def _settled(self, served_name: str, dialect: Dialect) -> Dialect:
        """Return the dialect with the settings' say."""
        role = self._roles.get(served_name, "auto")
        if role != "auto":
            dialect = replace(dialect, fold=role == "fold")
        if served_name in self._without_top_p and "top_p" not in dialect.omitted:
            dialect = replace(dialect, omitted=(*dialect.omitted, "top_p"))
        if self._spec.token_limit_param != "auto":
            dialect = replace(dialect, token_limit_param=self._spec.token_limit_param)
        return dialect
