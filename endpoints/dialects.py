"""How servers differ, as data: the words in which each of them says the same thing."""

from __future__ import annotations

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# `type` and `code` of an error body, in lower case.
CONTEXT_TYPES = frozenset(
    {
        "context_length_exceeded",  # OpenAI, llama-cpp-python
        "exceed_context_size_error",  # llama.cpp
        "context_window_exceeded",
    }
)
CONTEXT_TEXT = _any(
    r"maximum context length",  # OpenAI, vLLM to 0.15, SGLang, Mistral
    r"context length is only",  # vLLM from 0.16
    r"exceed\w*( the)?( available| max)? context (size|length|window)",  # llama.cpp, Ollama
    r"longer than the model'?s context",  # SGLang
    r"(greater than|overflows?) the context (length|window)",  # LM Studio
    r"context the overflows",  # LM Studio, as it writes it
    r"prompt (is )?too long",  # vLLM's engine, Ollama
    r"`inputs` tokens \+ `max_new_tokens` must be",  # TGI, Together
    r"exceeds the maximum number of tokens allowed",  # Gemini
)

FILTER_TYPES = frozenset(
    {
        "content_filter",  # Azure
        "content_policy_violation",  # OpenAI
    }
)
FILTER_TEXT = _any(
    r"content management policy",  # Azure
    r"requires moderation",  # OpenRouter, with status 403
)

# A chat template that refuses the messages: vLLM says 400, llama.cpp 500.
TEMPLATE_TEXT = _any(
    r"roles must alternate",
    r"raise_exception",
    r"jinja exception",
    r"system role not supported",
)

# A 429 that no waiting mends.
QUOTA_TYPES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})

RETRY_AFTER_MS = ("retry-after-ms", "x-ms-retry-after-ms")  # OpenAI, Azure

# `finish_reason` of a reply that the server itself broke off: SGLang, OpenRouter, DeepSeek.
BROKEN_OFF = frozenset({"abort", "error", "insufficient_system_resource"})
