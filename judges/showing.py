"""What every judge is shown of an item, each part under its heading and only where it is there."""

from __future__ import annotations

import json

from data.suites.item import Item
from judges import prompts

_LANGUAGES = {
    "ja": "日本語",
    "en": "英語",
    "zh": "中国語",
    "ko": "韓国語",
    "de": "ドイツ語",
    "fr": "フランス語",
    "es": "スペイン語",
}


def language(item: Item) -> str:
    """Return the Japanese name of the language an answer is expected in."""
    return _LANGUAGES.get(item.language, f"指定された言語({item.language})")


def attachments(item: Item) -> str:
    """Return the documents and the tools that came with the question."""
    documents = "\n\n".join(f"[{d.id}] {d.title}\n{d.text}" for d in item.documents)
    tools = "\n".join(_json(tool.get("function", tool)) for tool in item.tools)
    return part("documents_ja", documents=documents) + part("tools_ja", tools=tools)


def gold(item: Item, reference: str, *, target: bool = True, points: str = "points_ja") -> str:
    """Return what is known of a right answer.

    Args:
        item: The item.
        reference: A good answer, or nothing.
        target: Whether the item's target is the gold of what is judged.
        points: The prompt under which the item's rubric stands.
    """
    right = "" if item.target is None or not target else _json(item.target)
    listed = "\n".join(f"・{point}" for point in item.rubric)
    return (
        part("target_ja", target=right)
        + part("reference_ja", reference=reference)
        + part(points, points=listed)
    )


def part(name: str, **value: str) -> str:
    """Return a prompt filled with its value, or nothing where there is no value."""
    return prompts.fill(prompts.text(name), **value) + "\n" if any(value.values()) else ""


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
