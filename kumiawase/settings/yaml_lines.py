"""YAML as a user writes it: safe, bounded, no key twice, and the line of every value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data.errors import ConfigError

Path_ = tuple[str | int, ...]

LARGEST = 256 * 1024  # bytes; a configuration is a few kilobytes
MOST = 20_000  # keys and values
DEEPEST = 20
LONGEST_NUMBER = 40  # characters

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    Attributes:
        value: Plain dicts, lists and scalars.
        lines: Path of keys and indexes → line, counted from 1.
    """

    file: str
    value: Any
    lines: dict[Path_, int]

    def place(self, path: Path_) -> str:
        """Return `file:line` of the value at `path`, or of its nearest parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"


def load(file: Path, *, written_by: str = "kumiawase init") -> Document:
    """Read a YAML file; `written_by` is what a user runs who has none.

    Raises:
        ConfigError: It is missing, too large, no YAML, or holds a key twice, an alias or a tag.
    """
    try:
        with file.open("rb") as handle:
            raw = handle.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(
            "no such file", place=str(file), remedy=f"write one with `{written_by}`"
        ) from None
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
        raise ConfigError(fault, place=str(file), remedy="name a file that can") from None
    if len(raw) > LARGEST:
        fault = f"larger than {LARGEST // 1024} KB"
        raise ConfigError(fault, place=f"{file}:1", remedy="is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError("is not UTF-8", place=f"{file}:{line}", remedy="save it so") from None
    return parse(text, str(file))


def parse(text: str, file: str) -> Document:
    """Read YAML text; `file` is what errors name."""
    try:
        _check(text, file)
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark)
        fault = f"no YAML: {error.problem}"
        raise ConfigError(fault, place=f"{file}:{line}", remedy="mend the line") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        fault = f"no YAML: {error.reason}"
        raise ConfigError(fault, place=f"{file}:{line}", remedy="remove the character") from None
    lines: dict[Path_, int] = {}
    value = None if node is None else _value(node, (), lines, file)
    return Document(file, value, lines)


def _check(text: str, file: str) -> None:
    """Refuse what a configuration never holds, before anything is built of it."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        fault = remedy = ""
        if isinstance(event, yaml.AliasEvent):
            fault, remedy = "an alias (*name)", "write it out"
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            fault, remedy = f"a tag ({event.tag})", "leave it out"
        elif depth > DEEPEST:
            fault, remedy = "nested too deep", "is it the right file?"
        elif number > MOST:
            fault, remedy = f"more than {MOST} keys and values", "is it the right file?"
        if fault:
            raise ConfigError(fault, place=f"{file}:{_line(event.start_mark)}", remedy=remedy)


def _value(node: yaml.Node, path: Path_, lines: dict[Path_, int], file: str) -> Any:  # noqa: ANN401
    line = _line(node.start_mark)
    lines.setdefault(path, line)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, file)
    if isinstance(node, yaml.SequenceNode):
        return [_value(n, (*path, i), lines, file) for i, n in enumerate(node.value)]
    if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
        raise ConfigError("a number too long", place=f"{file}:{line}", remedy="is it a text?")
    if node.tag in _NUMBERS and ":" in node.value:
        return node.value  # base 60 in YAML 1.1: `7:00` would be 420, and `hours: 1:30` 90 hours
    try:
        return yaml.SafeLoader("").construct_object(node)
    except ValueError as error:  # a date there is none of
        fault = f"no YAML: {error}"
        raise ConfigError(fault, place=f"{file}:{line}", remedy="mend the value") from None
    except yaml.constructor.ConstructorError:  # `=` and `<<` mean something in YAML 1.1
        fault = f"no YAML: {node.value} is no text"
        raise ConfigError(fault, place=f"{file}:{line}", remedy="put it in quotes") from None


def _mapping(
    node: yaml.MappingNode, path: Path_, lines: dict[Path_, int], file: str
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = _line(key_node.start_mark)
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        if not key:
            raise ConfigError(
                "a key that is no text", place=f"{file}:{line}", remedy="give it a name"
            )
        if key in out:
            raise ConfigError(
                f"key {key!r} stands twice", place=f"{file}:{line}", remedy="remove one of them"
            )
        lines[(*path, key)] = line
        out[key] = _value(value_node, (*path, key), lines, file)
    return out


def _line(mark: Any) -> int:  # noqa: ANN401 - PyYAML has two Mark classes
    return mark.line + 1 if mark else 1
