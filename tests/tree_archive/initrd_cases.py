"""Strange things that an initrd may hold, each in a directory of its own: for our reader, and for the kernel."""

from __future__ import annotations

from collections.abc import Callable

from tests.tree_archive.workshop import TRAILER, newc

FILE, DIRECTORY, LINK = 0o100644, 0o40755, 0o120777
CHARACTER, BLOCK, FIFO, SOCKET = 0o20600, 0o60660, 0o10600, 0o140600

Case = Callable[[bytes], list[bytes]]
"""The entries of a case, when its directory is called so."""

CASES: dict[str, Case] = {
    "a later file wins": lambda d: [newc(d + b"/f", FILE, b"1", uid=5), newc(d + b"/f", 0o100600, b"22")],
    "a file over a link replaces it": lambda d: [
        newc(d + b"/x", FILE, b"x"),
        newc(d + b"/f", LINK, b"x"),
        newc(d + b"/f", FILE, b"new"),
    ],
    "a directory over a file replaces it": lambda d: [newc(d + b"/f", FILE, b"1"), newc(d + b"/f", DIRECTORY)],
    "a directory over a link replaces it": lambda d: [
        newc(d + b"/real", DIRECTORY),
        newc(d + b"/l", LINK, b"real"),
        newc(d + b"/l", DIRECTORY),
        newc(d + b"/l/f", FILE, b"1"),
    ],
    "a directory again keeps what is in it": lambda d: [
        newc(d + b"/a", DIRECTORY),
        newc(d + b"/a/f", FILE, b"1"),
        newc(d + b"/a", 0o40700, uid=7, gid=8),
    ],
    "a file over an empty directory replaces it": lambda d: [newc(d + b"/a", DIRECTORY), newc(d + b"/a", FILE, b"1")],
    "a file over a full directory is lost": lambda d: [
        newc(d + b"/a", DIRECTORY),
        newc(d + b"/a/f", FILE),
        newc(d + b"/a", FILE, b"1"),
    ],
    "a link over whatever is there": lambda d: [
        newc(d + b"/f", FILE, b"1"),
        newc(d + b"/f", LINK, b"a"),
        newc(d + b"/f", LINK, b"b"),
        newc(d + b"/e", DIRECTORY),
        newc(d + b"/e", LINK, b"c"),
    ],
    "a missing directory loses what is below it": lambda d: [
        newc(d + b"/no/f", FILE, b"1"),
        newc(d + b"/no/d", DIRECTORY),
    ],
    "a directory that comes too late": lambda d: [newc(d + b"/a/f", FILE, b"1"), newc(d + b"/a", DIRECTORY)],
    "below a file everything is lost": lambda d: [
        newc(d + b"/f", FILE),
        newc(d + b"/f/g", FILE),
        newc(d + b"/f/l", LINK, b"x"),
    ],
    "below a dangling link everything is lost": lambda d: [
        newc(d + b"/l", LINK, b"nowhere"),
        newc(d + b"/l/f", FILE, b"1"),
    ],
    "below a loop everything is lost": lambda d: [
        newc(d + b"/l", LINK, b"m"),
        newc(d + b"/m", LINK, b"l"),
        newc(d + b"/l/f", FILE, b"1"),
    ],
    "links to directories are followed": lambda d: [
        newc(d + b"/real", DIRECTORY),
        newc(d + b"/l", LINK, b"real"),
        newc(d + b"/l/f", FILE, b"1"),
        newc(d + b"/abs", LINK, b"/" + d + b"/real"),
        newc(d + b"/abs/g", FILE, b"2"),
        newc(d + b"/up", LINK, b"../../../../" + d + b"/real"),
        newc(d + b"/up/h", FIFO),
    ],
    "dots in names": lambda d: [
        newc(d + b"/a", DIRECTORY),
        newc(d + b"/a/../b", FILE, b"1"),
        newc(b"./" + d + b"/./c", FILE, b"2"),
        newc(b"/" + d + b"//e", FILE, b"3"),
        newc(b"../../" + d + b"/g", FILE, b"4"),
        newc(d + b"/no/../h", FILE, b"5"),
    ],
    "names that end in a slash": lambda d: [
        newc(d + b"/a/", DIRECTORY),
        newc(d + b"/f/", FILE, b"1"),
        newc(d + b"/l/", LINK, b"x"),
        newc(d + b"/n/", FIFO),
    ],
    "names with a zero in them": lambda d: [newc(d + b"/f\0ignored", FILE, b"1")],
    "names that are too long": lambda d: [
        newc(d + b"/" + b"n" * 256, FILE, b"1"),
        newc(d + b"/" + b"n" * 255, FILE, b"2"),
    ],
    "hard links with the content in the last": lambda d: [
        newc(d + b"/a", FILE, ino=11, links=3),
        newc(d + b"/b", FILE, ino=11, links=3),
        newc(d + b"/c", 0o104755, b"content", ino=11, links=3, uid=3, gid=4),
    ],
    "hard links with the content in the first": lambda d: [
        newc(d + b"/a", FILE, b"content", ino=12, links=2),
        newc(d + b"/b", FILE, ino=12, links=2, uid=9),
    ],
    "hard links with two contents": lambda d: [
        newc(d + b"/a", FILE, b"longer content", ino=13, links=2),
        newc(d + b"/b", FILE, b"short", ino=13, links=2),
    ],
    "a hard link with one name": lambda d: [newc(d + b"/a", FILE, b"1", ino=14, links=2)],
    "an inode that says it has one name is not shared": lambda d: [
        newc(d + b"/a", FILE, b"1", ino=15),
        newc(d + b"/b", FILE, b"2", ino=15),
    ],
    "a hard link replaces what is there": lambda d: [
        newc(d + b"/b", FILE, b"old"),
        newc(d + b"/a", FILE, b"1", ino=16, links=2),
        newc(d + b"/b", FILE, ino=16, links=2),
    ],
    "a hard link to itself is gone": lambda d: [
        newc(d + b"/a", FILE, b"1", ino=17, links=2),
        newc(d + b"/a", FILE, b"1", ino=17, links=2),
    ],
    "writing to a file with two names": lambda d: [
        newc(d + b"/a", FILE, b"1", ino=19, links=2),
        newc(d + b"/b", FILE, ino=19, links=2),
        newc(d + b"/a", FILE, b"new"),
    ],
    "a trailer ends what hard links reach": lambda d: [
        newc(d + b"/a", FILE, b"1", ino=20, links=2),
        TRAILER,
        newc(d + b"/b", FILE, b"2", ino=20, links=2),
    ],
    "devices": lambda d: [
        newc(d + b"/c", CHARACTER, device=(5, 1)),
        newc(d + b"/b", BLOCK, device=(254, 300)),
        newc(d + b"/p", FIFO),
        newc(d + b"/s", SOCKET),
        newc(d + b"/c", 0o20666, device=(1, 3), uid=4),
        newc(d + b"/p", CHARACTER, device=(1, 5)),
    ],
    "a directory with content is passed over": lambda d: [
        newc(d + b"/a", DIRECTORY, b"content"),
        newc(d + b"/f", FILE, b"1"),
    ],
    "an entry of no kind is passed over": lambda d: [newc(d + b"/a", 0o644), newc(d + b"/f", FILE, b"1")],
    "a link without a text": lambda d: [newc(d + b"/l", LINK, b""), newc(d + b"/f", FILE, b"1")],
    "a link with a zero in its text": lambda d: [newc(d + b"/l", LINK, b"text\0more")],
    "a link that is too long": lambda d: [newc(d + b"/l", LINK, b"t" * 4097), newc(d + b"/m", LINK, b"t" * 4095)],
}


def whole(case: Case, directory: bytes) -> bytes:
    """The case as an archive of its own."""
    return b"".join([newc(directory, DIRECTORY), *case(directory), TRAILER])
