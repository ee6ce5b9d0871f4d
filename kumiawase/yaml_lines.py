"""YAML as a user writes it: safe, bounded, no key twice, and the line of every value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data.errors import ConfigError

Path_ = tuple[str | int, ...]

LARGEST = 1_000_000  # bytes; a configuration is a few kilobytes
DEEPEST = 20


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


def load(file: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: It is missing, too large, no YAML, or holds a key twice, an alias or a tag.
    """
    try:
        if file.stat().st_size > LARGEST:
            raise ConfigError("larger than 1 MB", place=str(file), remedy="is it the right file?")
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "no such file", place=str(file), remedy="write one with `kumiawase init`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error})", place=str(file)) from None
    return parse(text, str(file))


def parse(text: str, file: str) -> Document:
    """Read YAML text; `file` is what errors name."""
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = _line(event.start_mark)
                raise ConfigError(
                    "an alias (*name)", place=f"{file}:{line}", remedy="write it out"
                )
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark)
        raise ConfigError(f"no YAML: {error.problem}", place=f"{file}:{line}") from None
    except (yaml.YAMLError, RecursionError) as error:
        fault = str(error).splitlines()[0]
        raise ConfigError(f"no YAML: {fault}", place=f"{file}:1") from None
    lines: dict[Path_, int] = {}
    value = None if node is None else _value(node, (), lines, file)
    return Document(file, value, lines)


def _value(node: yaml.Node, path: Path_, lines: dict[Path_, int], file: str) -> Any:  # noqa: ANN401
    line = _line(node.start_mark)
    lines.setdefault(path, line)
    if len(path) > DEEPEST:
        raise ConfigError("nested too deep", place=f"{file}:{line}")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, file)
    if isinstance(node, yaml.SequenceNode):
        return [_value(n, (*path, i), lines, file) for i, n in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        fault = str(error).splitlines()[0]
        raise ConfigError(fault, place=f"{file}:{line}") from None


def _mapping(
    node: yaml.MappingNode, path: Path_, lines: dict[Path_, int], file: str
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = _line(key_node.start_mark)
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        if not key:
            raise ConfigError("a key that is no text", place=f"{file}:{line}")
        if key in out:
            raise ConfigError(
                f"key {key!r} stands twice", place=f"{file}:{line}", remedy="remove one of them"
            )
        lines[(*path, key)] = line
        out[key] = _value(value_node, (*path, key), lines, file)
    return out


def _line(mark: Any) -> int:  # noqa: ANN401 - PyYAML has two Mark classes
    return mark.line + 1 if mark else 1
