"""The kinds of values that knobs take, each readable from a text (option, environment) and from TOML.

A kind knows what it wants in words, so that help texts and error messages agree. What a knob is called and where it
may be given is `knobs.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from os import fspath
from pathlib import Path
from typing import Any, Protocol


class BadValue(ValueError):
    """A value that a kind cannot take; the message says what is wrong with it."""


class Kind(Protocol):
    """How the value of a knob is read and shown. Relative paths count from `base`."""

    @property
    def wants(self) -> str:
        """What the value must be, as the end of the sentence `it takes …`."""
        ...

    @property
    def metavar(self) -> str:
        """What stands for the value in `--help`."""
        ...

    def from_text(self, text: str, base: Path) -> Any:
        """The value that an option or environment variable spells. Raises BadValue."""
        ...

    def from_toml(self, value: object, base: Path) -> Any:
        """The value that a TOML file holds. Raises BadValue."""
        ...


@dataclass(frozen=True)
class Switch:
    """Yes or no, spelt as osbuilder spells it (rootfs.sh:408 refuses all else), true or false in TOML."""

    wants: str = "yes or no"
    metavar: str = ""

    def from_text(self, text: str, base: Path) -> bool:
        if text not in ("yes", "no"):
            raise BadValue(f'"{text}" is neither yes nor no')
        return text == "yes"

    def from_toml(self, value: object, base: Path) -> bool:
        if not isinstance(value, bool):
            raise _wrong_type("true or false", value)
        return value


@dataclass(frozen=True)
class Given(Switch):
    """A switch that osbuilder turns on with a variable that holds anything at all (rootfs.sh:368); `no` stays no."""

    def from_text(self, text: str, base: Path) -> bool:
        return text != "no"


@dataclass(frozen=True)
class Text:
    """A word or phrase on one line that matches `pattern` as a whole."""

    wants: str
    metavar: str = "TEXT"
    pattern: str = r"[^\x00-\x1f\x7f]+"

    def from_text(self, text: str, base: Path) -> str:
        if not text.strip():
            raise BadValue("the value is empty")
        if not re.fullmatch(self.pattern, text):
            raise BadValue(f'"{text}" will not do')
        return text

    def from_toml(self, value: object, base: Path) -> str:
        return self.from_text(_string(value), base)


# What other tools call the machines that the kernel (`uname -m`) calls otherwise.
MACHINE_ALIASES = {"amd64": "x86_64", "arm64": "aarch64", "armhf": "armv7l", "armv7": "armv7l", "ppc64el": "ppc64le"}


@dataclass(frozen=True)
class Machine(Text):
    """The kernel's name of a machine; the other names that are in use are understood."""

    wants: str = "the name of a machine, as uname -m prints it"
    metavar: str = "MACHINE"
    pattern: str = "[A-Za-z0-9_]+"

    def from_text(self, text: str, base: Path) -> str:
        name = super().from_text(text, base)
        return MACHINE_ALIASES.get(name, name)


@dataclass(frozen=True)
class Words:
    """A list of words, parted by spaces or commas, or a list of strings in TOML; each kept once, in order."""

    wants: str
    metavar: str
    pattern: str

    def from_text(self, text: str, base: Path) -> tuple[str, ...]:
        words = re.split(r"[\s,]+", text.strip(" \t\r\n,"))
        for word in filter(None, words):
            if not re.fullmatch(self.pattern, word):
                raise BadValue(f'"{word}" is none')
        return tuple(dict.fromkeys(filter(None, words)))

    def from_toml(self, value: object, base: Path) -> tuple[str, ...]:
        found = [word for text in _strings(value) for word in self.from_text(text, base)]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class OneOf:
    """One of a few words, or members of one StrEnum."""

    words: tuple[str, ...]

    @property
    def wants(self) -> str:
        *others, last = self.words
        return f"{', '.join(others)} or {last}"

    @property
    def metavar(self) -> str:
        return "|".join(self.words)

    def from_text(self, text: str, base: Path) -> str:
        for word in self.words:
            if text == word:
                return word
        raise BadValue(f'"{text}" is none of them')

    def from_toml(self, value: object, base: Path) -> str:
        return self.from_text(_string(value), base)


@dataclass(frozen=True)
class File:
    """A path. `must_be` is "file" or "directory" for something to read, and empty for something to be made."""

    wants: str
    metavar: str
    must_be: str = ""

    def from_text(self, text: str, base: Path) -> Path:
        if not text:
            raise BadValue("the value is empty")
        if "\0" in text:
            raise BadValue("it holds a zero byte")
        return _absolute(text, base)

    def from_toml(self, value: object, base: Path) -> Path:
        return self.from_text(in_home(_string(value)), base)


@dataclass(frozen=True)
class Output(File):
    """A path to write to, where "-" alone stands for standard output."""

    def from_text(self, text: str, base: Path) -> Path:
        return Path(text) if text == "-" else super().from_text(text, base)


@dataclass(frozen=True)
class Files:
    """A list of paths, one per option, or a list of strings in TOML."""

    each: File

    @property
    def wants(self) -> str:
        return self.each.wants

    @property
    def metavar(self) -> str:
        return self.each.metavar

    def from_text(self, text: str, base: Path) -> tuple[Path, ...]:
        return (self.each.from_text(text, base),)

    def from_toml(self, value: object, base: Path) -> tuple[Path, ...]:
        return tuple(self.each.from_toml(text, base) for text in _strings(value))


@dataclass(frozen=True)
class Epoch:
    """Seconds since 1970, as https://reproducible-builds.org/specs/source-date-epoch/ has it."""

    wants: str = "a whole number of seconds since 1970"
    metavar: str = "SECONDS"

    def from_text(self, text: str, base: Path) -> int:
        if not re.fullmatch("[0-9]+", text):
            raise BadValue(f'"{text}" is no whole number')
        return self._within_reach(text)

    def from_toml(self, value: object, base: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type("a whole number", value)
        if value < 0:
            raise BadValue(f"{value} lies before 1970")
        return self._within_reach(str(value))

    def _within_reach(self, digits: str) -> int:
        latest = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
        if len(digits) > 20 or int(digits) > latest:
            raise BadValue(f"{digits[:20]} lies beyond the year 9999")
        return int(digits)


def in_home(text: str) -> str:
    """The path `text` of a file that no shell reads, `~/` filled in."""
    return fspath(Path(text).expanduser()) if text.startswith("~/") else text


def shown(value: object) -> str:
    """A value as a table shows it."""
    if value is None or value == ():
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(str(each) for each in value)
    return str(value)


def _absolute(text: str, base: Path) -> Path:
    """`text` from `base`, which goes through no link, so that leading `..` can be taken off it.

    A `..` further in stays for the kernel to follow: what stands before it may be a link.
    """
    path = Path(text)
    if path.is_absolute():
        return path
    parts = list(path.parts)
    while parts and parts[0] == "..":
        base = base.parent
        del parts[0]
    return base.joinpath(*parts)


def _wrong_type(wants: str, value: object) -> BadValue:
    from rootfs_kit.toml import shown_value

    return BadValue(f"it wants {wants}, and holds {shown_value(value)}")


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type("a string", value)
    return value


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong_type("a list of strings", value)
    return value
