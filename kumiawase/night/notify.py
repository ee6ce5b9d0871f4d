"""One message at the end of a search, to a webhook that takes `{"text": …}` (Slack's form)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from kumiawase.settings.forms import NotifyForm, loopback

DEADLINE = 10.0  # seconds of one try
TRIES = 2
PAUSE = 1.0  # seconds between them


def unusable(form: NotifyForm, environ: Mapping[str, str] = os.environ) -> str:
    """Return why no message can be sent, without the URL, which is a secret; empty if it can."""
    url = environ.get(form.webhook_env, "").strip()
    if not url:
        return f"notify: {form.webhook_env} is not set"
    try:
        parts = urlsplit(url)
        allowed = parts.scheme == "https" or (
            parts.scheme == "http" and loopback(parts.hostname or "")
        )
    except ValueError:
        allowed = False
    return "" if allowed else f"notify: {form.webhook_env} holds no https URL"


async def notify(form: NotifyForm, text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Send a message; a search never ends otherwise for it.

    Returns:
        What went wrong, without the URL; empty if nothing did.
    """
    if fault := unusable(form, environ):
        return fault
    url = environ[form.webhook_env].strip()
    fault = ""
    for number in range(TRIES):
        if number:
            await asyncio.sleep(PAUSE)
        fault = await _post(url, text)
        if not fault:
            return ""
    return f"notify: {fault}"


async def _post(url: str, text: str) -> str:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(url, json={"text": text}, allow_redirects=False) as reply,
        ):
            return "" if 200 <= reply.status < 300 else f"the webhook answers {reply.status}"
    except Exception as error:  # noqa: BLE001 - a message is never a reason to fail
        return f"the webhook cannot be reached ({type(error).__name__})"
