"""kmod's binary index (modules.dep.bin), the only form of modules.dep that kmod's modprobe reads.

A trie of names in one file, numbers big-endian, as libkmod/libkmod-index.c describes it. This reads the whole
index, to hold it against the text that it was made from.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from rootfs_kit.errors import CouldNotLook

MAGIC = 0xB007F457
MAJOR_VERSION = 2
HEADER = struct.Struct(">III")
NUMBER = struct.Struct(">I")
OFFSET = 0x0FFFFFFF
# Nodes may overlap, so that a small file can be made to hold more text than any memory.
MOST_TEXT = 64 << 20
LONGEST_KEY = 4096
HAS_PREFIX, HAS_VALUES, HAS_CHILDREN = 0x80000000, 0x40000000, 0x20000000


class CorruptIndex(CouldNotLook):
    """The index is not what depmod writes: kmod refuses it as well."""


def read_index(content: bytes, name: str) -> dict[str, tuple[str, ...]]:
    """Every key of the index with its values, in depmod's order of priority. Raises CorruptIndex."""
    if len(content) < HEADER.size:
        raise _corrupt(name, "it is shorter than its header")
    magic, version, root = HEADER.unpack_from(content)
    if magic != MAGIC:
        raise _corrupt(name, f"it begins with {magic:08x} instead of {MAGIC:08x}")
    if version >> 16 != MAJOR_VERSION:
        raise _corrupt(name, f"it is of format {version >> 16}.{version & 0xFFFF}; kmod reads format {MAJOR_VERSION}")
    try:
        return {os.fsdecode(key): values for key, values in _nodes(content, root)}
    except (struct.error, IndexError, ValueError) as error:
        raise _corrupt(
            name, "it refers to places beyond its end, to one node twice, or to the same texts again and again"
        ) from error


def _nodes(content: bytes, root: int) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """All nodes with values, depth first. A node that two others lead to would be a loop or a bomb: ValueError."""
    waiting, seen = [(root, b"")], set[int]()
    left = MOST_TEXT
    while waiting:
        reference, key = waiting.pop()
        position = reference & OFFSET
        if position in seen:
            raise ValueError(position)
        seen.add(position)
        if reference & HAS_PREFIX:
            prefix, position = _text(content, position)
            key += prefix
        if reference & HAS_CHILDREN:
            children, position = _children(content, position)
            waiting.extend((child, key + bytes([letter])) for letter, child in children)
        if len(key) > LONGEST_KEY:
            raise ValueError(position)
        if reference & HAS_VALUES:
            values = _values(content, position)
            left -= len(key) + sum(map(len, values))
            if left < 0:
                raise ValueError(position)
            yield key, values


def _children(content: bytes, position: int) -> tuple[list[tuple[int, int]], int]:
    first, last = content[position], content[position + 1]
    if first > last:
        raise ValueError(position)
    table = struct.Struct(f">{last - first + 1}I")
    references = table.unpack_from(content, position + 2)
    children = [(first + number, reference) for number, reference in enumerate(references) if reference & OFFSET]
    return children, position + 2 + table.size


def _values(content: bytes, position: int) -> tuple[str, ...]:
    (count,) = NUMBER.unpack_from(content, position)
    position += NUMBER.size
    values = []
    for _ in range(count):
        text, position = _text(content, position + NUMBER.size)  # the number before each text is its priority
        values.append(os.fsdecode(text))
    return tuple(values)


def _text(content: bytes, position: int) -> tuple[bytes, int]:
    end = content.index(b"\0", position)
    return content[position:end], end + 1


def _corrupt(name: str, found: str) -> CorruptIndex:
    return CorruptIndex(f"reading the module index {name}", found, "Run depmod -b ROOTFS VERSION again.")
