"""rpm's Berkeley DB database (Packages), of CentOS 7 and 8 and their like: a hash of headers by package number.

A hash is a metadata page and buckets; a bucket is a chain of pages; a page holds keys and values in turn, from its
end towards its front; a value that is too long for a page lies on a chain of overflow pages. (Berkeley DB's
dbinc/db_page.h. The first bytes tell the order of bytes of the machine that wrote it.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rootfs_kit.tree.packages.rpm_header import DamagedRecord

HASH_MAGIC = 0x061561
BTREE_MAGIC = 0x053162
VERSIONS = (8, 9, 10)
PAGE_SIZES = tuple(1 << power for power in range(9, 17))

OVERFLOW_PAGE = 7
HASH_PAGES = (2, 13)
"""P_HASH_UNSORTED and P_HASH."""

ON_PAGE = 1
OFF_PAGE = 3

_MAGIC_OFFSET = 12
_ENCRYPTION_OFFSET = 24
_METADATA_SIZE = 512
_PAGE_HEADER = 26
_OFF_PAGE_SIZE = 12
COUNTER = 0
"""The package number under which rpm keeps the next free one."""


def read_bdb(data: bytes) -> list[bytes]:
    """The headers in the database, in the order of its buckets. Raises DamagedRecord."""
    database = _Hash(data)
    headers: list[bytes] = []
    for key, value in database.records():
        if len(key) != 4:
            raise DamagedRecord(f"a key of {len(key)} bytes is no package number")
        if int.from_bytes(key, "little") != COUNTER:
            headers.append(value)
    return headers


class _Hash:
    """Every page is used once at most, so that no chain goes round and no value is read twice."""

    def __init__(self, data: bytes) -> None:
        if len(data) < _METADATA_SIZE:
            raise DamagedRecord(f"{len(data)} bytes are too few for a Berkeley DB database")
        self._data = data
        self._order = _byte_order(data)
        _, version, self._page_size = self._numbers(_MAGIC_OFFSET, 3)
        self._buckets = self._numbers(72, 1)[0] + 1
        self._spares = self._numbers(96, 32)
        self._used = {0}
        if version not in VERSIONS or self._page_size not in PAGE_SIZES:
            raise DamagedRecord(f"a hash of version {version} with pages of {self._page_size} bytes is unknown")
        if data[_ENCRYPTION_OFFSET]:
            raise DamagedRecord("it is encrypted")

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key and its value."""
        for bucket in range(self._buckets):
            # Each doubling of the buckets began at another page (BUCKET_TO_PAGE).
            number = bucket + self._spares[min(bucket.bit_length(), len(self._spares) - 1)]
            following = True
            while following:
                page, kind = self._page(number)
                if kind not in HASH_PAGES:
                    raise DamagedRecord(f"page {number} is of type {kind}, and a page of a hash was expected")
                yield from self._records_on(page, number)
                (number,) = struct.unpack_from(f"{self._order}I", page, 16)
                following = number != 0

    def _records_on(self, page: bytes, number: int) -> Iterator[tuple[bytes, bytes]]:
        items = list(self._items_on(page, number))
        if len(items) % 2:
            raise DamagedRecord(f"page {number} has a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            yield self._content(key, number), self._content(value, number)

    def _items_on(self, page: bytes, number: int) -> Iterator[bytes]:
        (count,) = struct.unpack_from(f"{self._order}H", page, 20)
        first = _PAGE_HEADER + 2 * count
        if first > len(page):
            raise DamagedRecord(f"page {number} claims {count} items")
        end = len(page)
        for start in struct.unpack_from(f"{self._order}{count}H", page, _PAGE_HEADER):
            if not first <= start < end:
                raise DamagedRecord(f"an item of page {number} lies outside of its place")
            yield page[start:end]
            end = start

    def _content(self, item: bytes, number: int) -> bytes:
        if item[0] == ON_PAGE:
            return item[1:]
        if item[0] != OFF_PAGE or len(item) != _OFF_PAGE_SIZE:
            raise DamagedRecord(f"an item of page {number} is of the unknown type {item[0]}")
        overflow, size = struct.unpack_from(f"{self._order}II", item, 4)
        return self._overflow(overflow, size)

    def _overflow(self, number: int, size: int) -> bytes:
        pieces: list[bytes] = []
        left = size
        while left:
            page, kind = self._page(number)
            number, length = struct.unpack_from(f"{self._order}I2xH", page, 16)
            if kind != OVERFLOW_PAGE or not 0 < length <= min(left, len(page) - _PAGE_HEADER):
                raise DamagedRecord(f"a value of {size} bytes breaks off on its overflow pages")
            pieces.append(page[_PAGE_HEADER : _PAGE_HEADER + length])
            left -= length
        return b"".join(pieces)

    def _page(self, number: int) -> tuple[bytes, int]:
        """The page of that number, and its type."""
        page = self._data[number * self._page_size : (number + 1) * self._page_size]
        if len(page) < self._page_size:
            raise DamagedRecord(f"page {number} lies behind the end of the file: it was cut short")
        if number in self._used:
            raise DamagedRecord(f"page {number} is reached twice")
        self._used.add(number)
        if struct.unpack_from(f"{self._order}I", page, 8)[0] != number:
            raise DamagedRecord(f"page {number} does not carry its number")
        return page, page[25]

    def _numbers(self, offset: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self._order}{count}I", self._data, offset)


def _byte_order(data: bytes) -> str:
    for order in ("<", ">"):
        (magic,) = struct.unpack_from(f"{order}I", data, _MAGIC_OFFSET)
        if magic == HASH_MAGIC:
            return order
        if magic == BTREE_MAGIC:
            raise DamagedRecord("it is a B-tree of Berkeley DB, and rpm's packages are in a hash")
    raise DamagedRecord("it is no Berkeley DB database")
