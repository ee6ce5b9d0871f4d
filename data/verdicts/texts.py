"""What texts behind names were: a prompt that changed under its name is another prompt."""

from __future__ import annotations

import hashlib
import re
from sys import intern

_QUESTION = re.compile(r"^\[(?:User )?(?:Question|質問)\]\s*\n", re.MULTILINE)
_ANSWER = re.compile(r"^\[(?:The Start of|アシスタント|参考回答)", re.MULTILINE)


def brief_digest(text: str) -> str:
    """Return twelve hex digits that stand for a text; nothing for an empty one."""
    if not text.strip():
        return ""
    return intern(hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).hexdigest()[:12])


def prompt_and_question(user_prompt: str) -> tuple[str, str]:
    """Return the digests of instruction and question in what FastChat asked its judge.

    Both are empty where the prompt has no heading of a question, as with two turns.
    """
    heading = _QUESTION.search(user_prompt)
    if heading is None:
        return "", ""
    answer = _ANSWER.search(user_prompt, heading.end())
    question = user_prompt[heading.end() : answer.start() if answer else None]
    return brief_digest(user_prompt[: heading.start()]), brief_digest(question)
