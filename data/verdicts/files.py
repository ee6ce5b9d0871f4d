"""Files of verdicts, read as a stream: JSON lines, one JSON array or CSV, packed or not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TextIO

import orjson

from data.errors import SuiteError
from data.lines import Line, Lines

MOST = 64 * 2**20
"""Bytes of the longest line, or characters of the longest entry, that are read."""

SUFFIXES = (".jsonl", ".json", ".csv")
_BOM = b"\xef\xbb\xbf"
_Stream = io.BufferedReader | gzip.GzipFile
_GZIP = b"\x1f\x8b"
_CHUNK = 2**20
_BETWEEN = re.compile(r"[\s,]*")


def files_of(path: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Return the file, or those in the folder and below it whose names fit one of the patterns.

    Raises:
        SuiteError: Nothing is there, or the folder holds no such file.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SuiteError("no such file or folder", place=str(path))
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and _fits(file, patterns)]
    if not found:
        wanted = " or ".join(patterns)
        remedy = "give the folder that holds them, or the files themselves"
        raise SuiteError(f"no file of verdicts ({wanted})", place=str(path), remedy=remedy)
    return found


def objects(file: Path) -> Lines:
    """Yield the objects of a file in its order, with the fault of what is none.

    Raises:
        SuiteError: The file is empty, cannot be read to its end, or is no such file at all.
    """
    place = str(file)
    with _opened(file) as stream:
        if _bare(file).suffix == ".csv":
            with io.TextIOWrapper(stream, "utf-8", newline="") as text:
                yield from _csv(text, place)
        elif _first(stream, place) == b"[":
            with io.TextIOWrapper(stream, "utf-8") as text:
                yield from _array(text, place)
        else:
            yield from _lines(stream, place)


@contextmanager
def _opened(file: Path) -> Iterator[_Stream]:
    """Open a file behind its packing and byte order mark; what breaks is the file's fault."""
    try:
        with file.open("rb") as head:
            packed = head.read(2) == _GZIP
        with gzip.open(file) if packed else file.open("rb") as stream:
            if stream.peek(3)[:3] == _BOM:
                stream.read(3)
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        fault = f"cannot be unpacked ({error})"
        raise SuiteError(fault, place=str(file), remedy="fetch the file again") from None
    except OSError as error:
        raise SuiteError(f"cannot be read ({error.strerror})", place=str(file)) from None
    except UnicodeDecodeError:
        raise SuiteError("not UTF-8", place=str(file), remedy="save it as UTF-8") from None


def _bare(file: Path) -> Path:
    return file.with_suffix("") if file.suffix == ".gz" else file


def _fits(file: Path, patterns: tuple[str, ...]) -> bool:
    bare = _bare(file)
    named = any(fnmatch(bare.name, pattern) for pattern in patterns)
    return named and bare.suffix in SUFFIXES and not bare.name.startswith(".")


def _first(stream: _Stream, place: str) -> bytes:
    """Return the first byte that is no blank; nothing where a file begins with many."""
    head = stream.peek(1)
    if not head:
        raise SuiteError("the file is empty", place=place)
    return head.lstrip()[:1]


def _lines(stream: _Stream, place: str) -> Lines:
    position = number = 0
    while raw := stream.readline(MOST):
        position += 1
        if len(raw) == MOST:
            fault = f"a line of more than {MOST // 2**20} MiB"
            raise SuiteError(fault, place=f"{place}:{position}", remedy="is this JSON lines?")
        if raw.strip():
            number += 1
            yield _line(raw, f"{place}:{position}", number)


def _line(raw: bytes, place: str, number: int) -> Line | SuiteError:
    try:
        value = _parsed(raw)
    except UnicodeDecodeError:
        return SuiteError("not UTF-8", place=place, remedy="save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        fault = f"no JSON ({str(error).partition(': line')[0]})"
        return SuiteError(fault, place=place, remedy="give JSON lines or one JSON array")
    return _object(value, place, number)


def _parsed(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except ValueError:  # Python and pandas write NaN, which is no JSON
        return json.loads(raw.decode())


def _object(value: object, place: str, number: int) -> Line | SuiteError:
    if isinstance(value, dict):
        return Line(place, number, value)
    return SuiteError("no JSON object", place=place, remedy="write one object for each verdict")


def _array(text: TextIO, place: str) -> Lines:
    decode = json.JSONDecoder().raw_decode
    buffer, number = text.read(_CHUNK), 0
    at = buffer.index("[") + 1
    while (at := _after(_BETWEEN, buffer, at)) == len(buffer) or buffer[at] != "]":
        try:
            value, at = decode(buffer, at)
        except (json.JSONDecodeError, RecursionError) as error:
            more = text.read(max(_CHUNK, len(buffer))) if len(buffer) - at < MOST else ""
            if not more:
                fault = f"no JSON ({str(error).partition(': line')[0]})"
                where = f"{place}[{number + 1}]"
                raise SuiteError(fault, place=where, remedy="is the file whole?") from None
            buffer, at = buffer[at:] + more, 0
        else:
            number += 1
            yield _object(value, f"{place}[{number}]", number)


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _csv(text: TextIO, place: str) -> Lines:
    rows = csv.DictReader(text)
    try:
        for number, row in enumerate(rows, start=1):
            fields = {key: cell for key, cell in row.items() if key and cell is not None}
            yield Line(f"{place}:{rows.line_num}", number, fields)
    except csv.Error as error:
        raise SuiteError(f"no CSV ({error})", place=f"{place}:{rows.line_num}") from None
    if rows.fieldnames is None:
        raise SuiteError("the file is empty", place=place)
