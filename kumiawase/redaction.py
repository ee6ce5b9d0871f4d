"""What must not be written anywhere: the values of the variables that hold keys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from kumiawase.settings import Settings

_MASK = "***"
_SHORTEST = 6  # characters: a shorter value would mask ordinary words
# To the last @ of a URL: people write passwords with / and @ as they are.
_USERINFO = re.compile(r"(?<=://)(?:(?!://)[^\s\"<>])*@")
_HEADER = re.compile(
    r"(?i)((?:authorization|api[-_]?key)[\"']?\s*[:=]\s*[\"']?(?:[a-z]+\s+)?)[^\s\"',&]+"
)
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',]+")
_BASIC = re.compile(r"\b([Bb]asic\s+)(?=\S+[0-9A-Z=])[A-Za-z0-9+/]{6,}={0,2}")  # base64, no word
_TOKENS = re.compile(r"\b(?:sk|gsk|hf|xai|ghp|pk)[-_][A-Za-z0-9_-]{12,}")


class Redactor:
    """Masks secrets in text; the settings name the variables that hold them.

    Args:
        names: Variables.
        environ: Where their values are.
    """

    def __init__(self, names: Iterable[str], environ: Mapping[str, str] = os.environ) -> None:
        values = {environ.get(name, "").strip() for name in names}
        forms = {form for value in values for form in (value, quote(value, safe=""))}
        self._values = sorted((f for f in forms if len(f) >= _SHORTEST), key=len, reverse=True)

    @classmethod
    def of(cls, settings: Settings) -> Redactor:
        """Return what masks all secrets that settings name."""
        form = settings.form
        names = [e.api_key_env for e in form.endpoints.values() if e.api_key_env]
        return cls([*names, form.notify.webhook_env] if form.notify else names)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for value in self._values:
            text = text.replace(value, _MASK)
        text = _USERINFO.sub(f"{_MASK}@", text)
        for pattern in (_HEADER, _BEARER, _BASIC):
            text = pattern.sub(rf"\1{_MASK}", text)
        return _TOKENS.sub(_MASK, text)
