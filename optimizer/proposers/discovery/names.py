"""Prompts by short names: what a discoverer reads and writes instead of digests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from moa.ensemble import Ensemble

NEW = "new"  # the prompt that comes with the proposal itself


class Names:
    """Short names of the prompts of a space, in its order: `p1`, `p2`, …

    Args:
        prompts: Digests; the first is the one that is left out where it is meant.
    """

    def __init__(self, prompts: Sequence[str]) -> None:
        self._default = prompts[0]
        self._short = {digest: f"p{number}" for number, digest in enumerate(prompts, 1)}

    @property
    def short(self) -> dict[str, str]:
        """Digest → short name."""
        return dict(self._short)

    def shown(self, ensemble: Ensemble) -> dict[str, Any]:
        """Return an ensemble's JSON with short names, the default prompt left out."""
        hook = self._shorten
        shown: dict[str, Any] = json.loads(json.dumps(ensemble.to_json()), object_hook=hook)
        return shown

    def read(self, written: dict[str, Any], new: str | None) -> dict[str, Any]:
        """Return an ensemble's JSON with digests for short names; a name unknown stays.

        Args:
            written: As the model wrote it.
            new: Digest of the prompt that comes with it; the aggregator reads under that one
                unless it names another.
        """
        digests = {name: digest for digest, name in self._short.items()}
        if new is not None:
            digests[NEW] = new
            last = written.get("aggregator")
            if isinstance(last, dict) and "prompt" not in last:
                written = {**written, "aggregator": {**last, "prompt": NEW}}

        def longer(value: dict[str, Any]) -> dict[str, Any]:
            name = value.get("prompt")
            return {**value, "prompt": digests.get(name, name)} if isinstance(name, str) else value

        found: dict[str, Any] = json.loads(json.dumps(written), object_hook=longer)
        return found

    def _shorten(self, value: dict[str, Any]) -> dict[str, Any]:
        prompt = value.get("prompt")
        if prompt == self._default:
            return {key: v for key, v in value.items() if key != "prompt"}
        return {**value, "prompt": self._short[prompt]} if prompt in self._short else value
