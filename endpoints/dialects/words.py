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
# Where the same refusals state how many tokens there is room for.
CONTEXT_LIMIT = _any(
    r"context (?:length|size|window)(?:\s|is|of|only|\(|=|:)*([\d,]+)",  # most of them
    r"([\d,]+) maximum context length",  # Mistral
    r"must be <= ([\d,]+)",  # TGI, Together
    r"tokens allowed \(([\d,]+)\)",  # Gemini
    r"> ([\d,]+) maximum",  # Anthropic
)
CONTEXT_FIELDS = ("n_ctx",)  # llama.cpp, beside the message

# And the tokens they counted in the prompt.
CONTEXT_PROMPT = _any(
    r"passed ([\d,]+) input tokens",  # vLLM from 0.16
    r"has ([\d,]+) input tokens",  # vLLM, where the reply asked for is what does not fit
    r"([\d,]+) in (?:the messages|your prompt)",  # vLLM to 0.15, llama-cpp-python
    r"messages resulted in ([\d,]+)",  # OpenAI
    r"input \(([\d,]+) tokens\)",  # SGLang
    r"([\d,]+) tokens from the input",  # SGLang, with the reply
    r"request \(([\d,]+) tokens\)",  # llama.cpp, in words
    r'"n_prompt_tokens": ?(\d+)',  # and in its body
    r"requested tokens \(([\d,]+)\)",  # llama-cpp-python
    r"given: ([\d,]+) `inputs`",  # TGI, Together
    r"input token count \(([\d,]+)\)",  # Gemini
    r"first ([\d,]+) tokens when",  # LM Studio
    r"contains ([\d,]+) tokens",  # Mistral
)

# Where a server counts tokens, beside its /v1, and in which field it expects the text. It answers
# with `count`, or with the list of `tokens`.
TOKENIZERS = {
    "vllm": ("/tokenize", "prompt"),  # SGLang too
    "llama.cpp": ("/tokenize", "content"),
    "llama-cpp-python": ("/extras/tokenize/count", "input"),
}

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

# llama.cpp threw its model's reply away, with 500: cut or broken off where a schema or a tool call
# was expected. The server is well.
UNPARSED_TEXT = _any(r"model produced output that does not match")

# A chat template that refuses the messages: vLLM says 400, llama.cpp 500.
TEMPLATE_TEXT = _any(
    r"roles must alternate",
    r"raise_exception",
    r"jinja exception",
    r"system role (is )?not supported",
    r"only user and assistant roles",
)

# A parameter the server does not know, in the words of OpenAI, FastAPI and what is built on it.
PARAMETER_TEXT = _any(
    r"unsupported[_ ]parameter",
    r"unknown[_ ]parameter",
    r"unrecognized (request argument|field|parameter)",
    r"extra_forbidden",
    r"extra inputs are not permitted",
    r"(is|are) not (supported|permitted|allowed)",
    r"does not support",
)
# The one it complains of is the first it names; a second is its advice.
PARAMETER = re.compile(r"\b(max_tokens|max_completion_tokens|top_p|seed)\b")

# A 429 that no waiting mends.
QUOTA_TYPES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})

RETRY_AFTER_MS = ("retry-after-ms", "x-ms-retry-after-ms")  # OpenAI, Azure

# `finish_reason`, in lower case; every other word is an end like any other.
BROKEN_OFF = frozenset({"abort", "error", "insufficient_system_resource"})  # SGLang, DeepSeek
CUT = frozenset({"length", "max_tokens", "model_length", "max_length"})  # Gemini, Mistral, proxies
WITHHELD = frozenset({"content_filter", "safety", "prohibited_content", "recitation", "blocklist"})

# Fields of a message that hold reasoning: DeepSeek, llama.cpp and SGLang; vLLM and Ollama.
REASONING_FIELDS = ("reasoning_content", "reasoning")
# What encloses it where the server leaves it in the text: most; Magistral; Command A.
REASONING_TAGS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
