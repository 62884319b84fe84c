"""The text of systemd's unit files: lines, sections, quoting, specifiers (systemd.syntax(7), systemd.unit(5)).

Turns text into assignments and values into words, and never gives up: what systemd would ignore with a warning
is kept as a complaint. Which files make up a unit is units.py's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

COMMENT = ("#", ";")
QUOTES = ("'", '"')
QUOTES_AND_ESCAPES = frozenset({*QUOTES, "\\"})
EXEC_PREFIXES = "@-:+!|"
SUFFIX = re.compile(
    r"\.(service|socket|target|mount|automount|swap|timer|path|slice|scope|device)\Z"
)  # systemd.unit(5), unit types
SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "s": " ",
}  # fmt: skip
LONGEST_NAME = 255
"""systemd's UNIT_NAME_MAX, without the NUL (src/basic/unit-def.h)."""
NUMBER_ESCAPE = re.compile(r"x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})")


class Assignment(NamedTuple):
    """One `key=value` of a section, and the guest path of the file that it stands in."""

    section: str
    key: str
    value: str
    path: str


class Complaint(NamedTuple):
    """A line that systemd would not understand; lines count from 1."""

    path: str
    line: int
    found: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.found}"


class ExecLine(NamedTuple):
    """One command of ExecStart= and its like (systemd.service(5), COMMAND LINES).

    `program` is what is executed, `arguments` what follows it; `prefixes` are the special characters before the
    path. Variables of the environment stay as they are written.
    """

    program: str
    arguments: tuple[str, ...]
    prefixes: str

    @property
    def may_fail(self) -> bool:
        return "-" in self.prefixes


def parse_unit(text: str, path: str) -> tuple[list[Assignment], list[Complaint]]:
    """All assignments of one unit file, in order, and the lines that are none."""
    assignments: list[Assignment] = []
    complaints: list[Complaint] = []
    section: str | None = None
    for number, line in _logical_lines(text):
        if line.startswith("["):
            section = line[1:-1] if line.endswith("]") else None
            if section is None:
                complaints.append(Complaint(path, number, "a section header without its closing bracket"))
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            complaints.append(Complaint(path, number, "neither a section header nor an assignment"))
        elif section is None:
            complaints.append(Complaint(path, number, "an assignment outside of every section"))
        else:
            assignments.append(Assignment(section, key.rstrip(), value.strip(), path))
    return assignments, complaints


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined by a space. A comment in the midst of them does not end them."""
    pending, first = "", 0
    lines = text.removeprefix("\ufeff").split("\n")
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if line.startswith(COMMENT) or (not line and not pending):
            continue
        first = first if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        joined, pending = (pending + line).strip(), ""
        if joined:
            yield first, joined
    if pending.strip():
        yield first, pending.strip()


def split_words(value: str) -> list[str]:
    """The items of a value: separated by whitespace, quoted with ' or ", with C escapes.

    A quotation mark that is never closed reaches to the end.
    """
    return [word for word, _ in _words(value)]


def _words(value: str) -> Iterator[tuple[str, bool]]:
    """Each word, and whether it was written bare; a quoted or escaped `;` is no separator of commands."""
    if not QUOTES_AND_ESCAPES.intersection(value):
        yield from ((word, True) for word in value.split())
        return
    word, has_begun, is_bare = list[str](), False, True
    quote, position = "", 0
    while position < len(value):
        letter = value[position]
        position += 1
        if letter == quote or (not quote and letter in QUOTES):
            quote, has_begun, is_bare = ("" if quote else letter), True, False
        elif not quote and letter.isspace():
            if has_begun:
                yield "".join(word), is_bare
            word, has_begun, is_bare = [], False, True
        elif letter == "\\" and position < len(value):
            text, position = _unescaped(value, position)
            word.append(text)
            has_begun, is_bare = True, False
        else:
            word.append(letter)
            has_begun = True
    if has_begun:
        yield "".join(word), is_bare


def _unescaped(value: str, position: int) -> tuple[str, int]:
    """What the escape stands for whose letter is at `position`, and where it ends; unknown ones stay as written."""
    letter = value[position]
    if letter in SIMPLE_ESCAPES:
        return SIMPLE_ESCAPES[letter], position + 1
    number = NUMBER_ESCAPE.match(value, position)
    if number:
        hexadecimal = number[1] or number[3] or number[4]
        code = int(hexadecimal, 16) if hexadecimal else int(number[2], 8)
        if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
            return chr(code), number.end()
    return (";" if letter == ";" else "\\" + letter), position + 1


def split_commands(value: str) -> list[ExecLine]:
    """The commands of one Exec value: a `;` that stands alone separates them."""
    commands: list[list[str]] = [[]]
    for word, is_bare in _words(value):
        if word == ";" and is_bare:
            commands.append([])
        else:
            commands[-1].append(word)
    return [_command(words) for words in commands if words]


def _command(words: list[str]) -> ExecLine:
    program = words[0].lstrip(EXEC_PREFIXES)
    prefixes = words[0][: len(words[0]) - len(program)]
    arguments = words[2:] if "@" in prefixes else words[1:]
    return ExecLine(program, tuple(arguments), prefixes)


def is_unit_name(name: str) -> bool:
    return len(name) <= LONGEST_NAME and SUFFIX.search(name) is not None and "/" not in name


def unit_type(name: str) -> str:
    """ "service" of "foo.service"."""
    return name.rpartition(".")[2]


def template_of(name: str) -> str | None:
    """The template that an instance is made from: "foo@.service" of "foo@x.service"; None for other units."""
    prefix, at, rest = name.partition("@")
    instance, _, suffix = rest.rpartition(".")
    return f"{prefix}@.{suffix}" if at and prefix and instance else None


def with_specifiers(value: str, name: str) -> str:
    """Expand those specifiers that the unit's name alone decides: %n %N %p %P %i %I %j %J %% (systemd.unit(5))."""
    if "%" not in value:
        return value
    stem = name.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    last = prefix.rpartition("-")[2]
    values = {
        "n": name, "N": stem, "p": prefix, "P": unescape(prefix), "i": instance, "I": unescape(instance),
        "j": last, "J": unescape(last), "%": "%",
    }  # fmt: skip
    return re.sub(r"%(.)", lambda specifier: values.get(specifier[1], specifier[0]), value, flags=re.DOTALL)


def unescape(text: str) -> str:
    r"""What an escaped path or instance stands for: `-` is `/`, `\x2d` is `-` (systemd-escape(1))."""
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda number: chr(int(number[1], 16)), text.replace("-", "/"))
