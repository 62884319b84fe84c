"""Strict reading of the TOML files that people write: every mistake is named with file, line and what was meant.

`tomllib` says where a syntax error is, but not where a key that it did read stands; `_key_lines` finds that out, so
that an unknown key or a value of the wrong type can be pointed at too. What the keys mean is left to the callers
(`request/config.py`, `distro/file.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

from rootfs_kit.errors import UsageError

Key = tuple[str | int, ...]

# A description of a build or a distribution is a page of text; a megabyte of it is some other file.
SIZE_LIMIT = 1 << 20

# One of these stands on the last line of every statement that spans several.
_CLOSERS = ("]", "}", '"""', "'''")


@dataclass(frozen=True)
class Table:
    """One table of a TOML file, with the place of everything in it.

    Reading a value of the wrong type, or one that is required and absent, raises UsageError.
    """

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[Key, int]
    prefix: Key = ()

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def line(self, key: str | None = None) -> int:
        """The line (from 1) where `key`, or else the table itself, stands."""
        address = self.prefix if key is None else (*self.prefix, key)
        return self.lines.get(address, 1)

    def where(self, key: str | None = None) -> str:
        """`file:line`, as editors and people understand it."""
        return f"{self.path.name}:{self.line(key)}"

    def refuse(self, key: str | None, found: str, hint: str) -> NoReturn:
        """Raise UsageError about `key`, or about the table where there is no key to point at."""
        raise UsageError(f"reading {self.path}", f"line {self.line(key)}: {found}", hint)

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise UsageError for the first key that is not in `known`, with the nearest that is."""
        known = list(known)
        for key in self.data:
            if key not in known:
                self.refuse(key, f'unknown key "{key}"', nearest_hint(key, known, "The keys are"))

    def text(self, key: str, default: str | None = None) -> str:
        value = self._value(key, default)
        if not isinstance(value, str) or not value.strip():
            self.refuse_type(key, "a string with something in it")
        return value

    def words(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self._value(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            self.refuse_type(key, "a list of strings")
        return tuple(value)

    def switch(self, key: str) -> bool:
        """true or false; false where the key is absent."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            self.refuse_type(key, "true or false")
        return value

    def day(self, key: str) -> date | None:
        """A date such as 2028-06-30, or None where the key is absent."""
        value = self.data.get(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            self.refuse_type(key, "a date such as 2028-06-30")
        return value

    def table(self, key: str) -> Table:
        """The table `key`; an absent one is an empty one."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self.refuse_type(key, f"a table: [{key}]")
        return Table(self.path, value, self.lines, (*self.prefix, key))

    def tables(self, key: str) -> list[Table]:
        """The tables of an array, `[[key]]` each."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.refuse_type(key, f"tables: [[{key}]]")
        return [Table(self.path, item, self.lines, (*self.prefix, key, index)) for index, item in enumerate(value)]

    def refuse_type(self, key: str, wants: str) -> NoReturn:
        """Raise UsageError: `key` holds something other than what it `wants`."""
        self.refuse(key, f"{key} wants {wants}, and holds {shown_value(self.data[key])}", "Correct that line.")

    def _value(self, key: str, default: Any) -> Any:
        if key in self.data:
            return self.data[key]
        if default is None:
            self.refuse(None, f'the key "{key}" is missing', f"Add {key} = …")
        return default


def read_table(path: Path) -> Table:
    """The top-level table of the TOML file `path`.

    Raises UsageError for a file that cannot be read or is not TOML, with line and column.
    """
    text = _read_text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"reading {path}", _placed(str(error), text), "Correct that line.") from None
    except RecursionError:
        raise UsageError(f"reading {path}", "it nests too deeply", "Give a TOML file written by a person.") from None
    except ValueError:  # of a number that Python does not convert (sys.set_int_max_str_digits)
        raise UsageError(f"reading {path}", "it holds a number without end", "Give a number that means one.") from None
    return Table(path, data, _key_lines(text))


def nearest_hint(word: str, known: Iterable[str], introduction: str) -> str:
    """What to say next to someone who wrote `word`: the nearest of `known`, or all of them."""
    known = list(known)
    from difflib import get_close_matches

    nearest = get_close_matches(word.lower().replace("_", "-"), known, n=1)
    if nearest:
        return f'Did you mean "{nearest[0]}"?'
    return f"{introduction}: {', '.join(known)}." if known else "There are none."


def shown_value(value: object) -> str:
    """A value of a TOML file in words: its type, and the value where it is short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'the string "{value[:40]}"'
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, date):
        return f"the date {value}"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else f"a {type(value).__name__}"


def _read_text(path: Path) -> str:
    doing = f"reading {path}"
    try:
        content = path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise UsageError(doing, error.strerror or str(error), "Give a file that you may read.") from None
    if content is None:
        found = "it is no regular file" if path.exists() else "there is no such file"
        raise UsageError(doing, found, "Give the name of a TOML file.")
    if len(content) > SIZE_LIMIT:
        raise UsageError(doing, f"it holds {len(content)} bytes", "Give a TOML file written by a person.")
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise UsageError(doing, f"line {line}, column {column}: this is not UTF-8", "Save it as UTF-8.") from None


_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|(?P<end>end of document))\)$")


def _placed(message: str, text: str) -> str:
    """tomllib's message with its place in front: `line 3, column 5: …`."""
    match = _PLACE.search(message)
    if match is None:
        return message
    line, column = match["line"], match["column"]
    if match["end"]:
        lines = text.rstrip("\n").split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    words = message[: match.start()]
    return f"line {line}, column {column}: {words[:1].lower()}{words[1:]}"


def _key_lines(text: str) -> dict[Key, int]:
    """The line of every table and key of `text`, which is known to be valid TOML.

    A statement never parses before its last line is there, so each is found by adding lines until it does.
    """
    places: dict[Key, int] = {}
    table: Key = ()
    begun, pending = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not pending:
            begun = number
        pending += line + "\n"
        may_end = number == begun or any(closer in line for closer in _CLOSERS)
        statement = _parsed(pending) if may_end else None
        if statement is None:
            continue
        header = pending.lstrip().startswith("[")
        if header:
            table = _table_address(statement, pending, places)
        _record(places, table, {} if header else statement, begun)
        pending = ""
    return places


def _parsed(statement: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return None


def _table_address(statement: dict[str, Any], header: str, places: Mapping[Key, int]) -> Key:
    """The address of the table that a `[header]` or `[[header]]` opens; arrays of tables are counted."""
    address: list[str | int] = []
    inner: Any = statement
    while inner:
        name, inner = next(iter(inner.items()))
        address.append(name)
        inner = inner[0] if isinstance(inner, list) else inner
        index = _last_index(tuple(address), places)
        if index >= 0 and (inner or not header.lstrip().startswith("[[")):
            address.append(index)
    if header.lstrip().startswith("[["):
        address.append(_last_index(tuple(address), places) + 1)
    return tuple(address)


def _last_index(array: Key, places: Mapping[Key, int]) -> int:
    depth = len(array)
    indexes = [key[depth] for key in places if len(key) > depth and key[:depth] == array]
    return max((index for index in indexes if isinstance(index, int)), default=-1)


def _record(places: dict[Key, int], address: Key, data: Mapping[str, Any], line: int) -> None:
    """Note `line` for the table and for each key of one statement, dotted keys and inline tables included."""
    for depth in range(1, len(address) + 1):
        places.setdefault(address[:depth], line)
    for key, value in data.items():
        places.setdefault((*address, key), line)
        if isinstance(value, dict):
            _record(places, (*address, key), value, line)
