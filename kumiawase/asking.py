"""An exported ensemble answers one question; nothing is kept."""

from __future__ import annotations

from data.observer import Silent
from endpoints.completions import Completions
from endpoints.endpoint import Endpoint
from endpoints.facts import MemoryFacts, ModelFacts
from endpoints.request import Attempt, Completion
from endpoints.tokens import Tokens
from kumiawase.export.bundle import Bundle
from moa.answer import Answer
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.fitting import Fitter
from optimizer.budget import Budget

QUORUM = 0.5  # of a layer's references: somebody is waiting, and no score depends on it


class Forgetful:
    """A `CompletionStore` that keeps nothing."""

    def get(self, key: str) -> Completion | None:  # noqa: ARG002 - the Protocol's signature
        """Know no completion."""
        return None

    async def claim(self, attempt: Attempt) -> Completion | None:  # noqa: ARG002
        """Let every attempt be sent."""
        return None

    async def settle(self, attempt: Attempt, completion: Completion | None) -> None:
        """Forget how it ended."""


async def ask(bundle: Bundle, question: str) -> Answer:
    """Let the ensemble answer a question.

    Raises:
        RequestError: The aggregator, or more than half of a layer, could not be reached.
        EndpointError: The user must act first.
    """
    models = bundle.models.values()
    endpoints = {name: Endpoint(spec, models=models) for name, spec in bundle.endpoints.items()}
    completions = Completions(bundle.models, endpoints, Forgetful(), Budget(), "ask", Silent())
    limits = MaxTokens(bundle.max_tokens.proposer, bundle.max_tokens.aggregator)
    known = {
        name: ModelFacts(model.context, "file" if model.tokenizer else "ratio")
        for name, model in bundle.models.items()
    }
    facts = MemoryFacts(known)
    try:
        native = frozenset(name for name, m in bundle.models.items() if m.tools == "native")
        tokens = Tokens(bundle.models, endpoints, facts, Silent())
        engine = Engine(
            completions,
            bundle.prompts,
            limits,
            quorum=QUORUM,
            native_tools=native,
            fitter=Fitter(tokens, facts, completions.known),
        )
        return await engine.answer(bundle.ensemble, Conversation((question,)))
    finally:
        await completions.close()
