"""What an ensemble is asked: turns, documents and tools, never a target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.suites.item import Document, Item
from endpoints.request import Message
from moa import prompts


@dataclass(frozen=True, slots=True)
class Conversation:
    """The user's turns and what comes with them.

    Attributes:
        turns: What the user says, one text a turn.
        documents: Texts the answer must be drawn from.
        tools: OpenAI tool definitions the answer may call.
        system: The caller's own system text, if any.
        history: Earlier messages, user and assistant in turn, before the first of `turns`.
    """

    turns: tuple[str, ...]
    documents: tuple[Document, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    system: str | None = None
    history: tuple[Message, ...] = ()

    @classmethod
    def of(cls, item: Item) -> Conversation:
        """Return what an item asks, and nothing of what it expects."""
        return cls(item.turns, item.documents, item.tools)

    def messages(
        self, answers: tuple[str, ...], *, native_tools: bool = False
    ) -> tuple[Message, ...]:
        """Return the messages of the turn after `answers`, before any reference.

        Documents and tools stand as text before the first user turn. Nothing is added where
        the conversation has none: the first layer sees it untouched.

        Args:
            answers: The ensemble's answers so far, one a turn.
            native_tools: For a request that carries the tools as such: their text is left out,
                and only how to choose between calling and answering is said.
        """
        out: list[Message] = []
        if self.system is not None:
            out.append({"role": "system", "content": self.system})
        out.extend(self.history)
        for position, turn in enumerate(self.turns[: len(answers) + 1]):
            text = turn if position else self._attachments(native_tools) + turn
            out.append({"role": "user", "content": text})
            if position < len(answers):
                out.append({"role": "assistant", "content": answers[position]})
        return tuple(out)

    def _attachments(self, native_tools: bool) -> str:
        parts = []
        if self.documents:
            texts = (f"[{d.id}] {d.title}\n{d.text}" for d in self.documents)
            parts.append(prompts.text("documents_ja") + "\n\n" + "\n\n".join(texts))
        if self.tools and native_tools:
            parts.append(prompts.text("tools_native_ja"))
        elif self.tools:
            functions = (json.dumps(t.get("function", t), ensure_ascii=False) for t in self.tools)
            parts.append(prompts.text("tools_ja") + "\n\n" + "\n".join(functions))
        return "".join(f"{part}\n\n" for part in parts)
