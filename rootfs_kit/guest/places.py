"""Where things are in a tree, as several steps ask it: directories, unit files, files that are edited.

The answers come from the tree itself. Whether `/bin` is a link, and to what, differs between distributions and
between their releases; the host that builds has nothing to do with it.
"""

from __future__ import annotations

from rootfs_kit.tree import RootfsEditor
from rootfs_kit.tree.paths import join

# systemd.unit(5), UNIT FILE LOAD PATH: the administrator's units, then those of packages (the last on split-usr trees).
UNIT_DIRECTORIES = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
ADMIN_UNITS, PACKAGE_UNITS = UNIT_DIRECTORIES[:2]

SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
# Something of these is in every rootfs that can run a program, and in no overlay.
WITNESSES = (*SYSTEMD, "/etc/os-release", "/usr/lib/os-release", "/bin/sh", "/usr/bin/env")


def holds_a_system(editor: RootfsEditor) -> bool:
    """Whether the tree is a rootfs of its own, and not only files to be laid over one."""
    return any(editor.exists(path) for path in WITNESSES)


def same_directory(editor: RootfsEditor, one: str, other: str) -> bool:
    """Whether both paths lead to one directory, as /bin and /usr/bin do on a merged-usr tree."""
    final = editor.resolve(one).final
    return final is not None and final == editor.resolve(other).final


def unit_file(editor: RootfsEditor, name: str) -> str | None:
    """The file that systemd would load for the unit `name`; None where there is none, or where it is masked."""
    for directory in UNIT_DIRECTORIES:
        path = join(directory, name)
        if _is_mask(editor, path):
            return None
        if is_file(editor, path):
            return path
    return None


def _is_mask(editor: RootfsEditor, path: str) -> bool:
    """A link to /dev/null, or an empty file (systemd.unit(5)); /dev itself is empty in most trees."""
    entry = editor.lstat(path)
    if entry is not None and entry.target == "/dev/null":
        return True
    final = editor.resolve(path).entry if entry is not None else None
    return final is not None and final.is_file and final.size == 0


def is_file(editor: RootfsEditor, path: str) -> bool:
    """Whether `path` leads to a regular file."""
    entry = editor.resolve(path).entry
    return entry is not None and entry.is_file


def rewrite(editor: RootfsEditor, path: str, text: str) -> bool:
    """Give the existing file that `path` leads to a new content; mode and owner stay. Whether anything changed."""
    entry = editor.resolve(path).entry
    if entry is None or editor.read_text(path) == text:
        return False
    editor.write(entry.path, text, entry.mode, entry.uid, entry.gid)
    return True


def write_anew(editor: RootfsEditor, path: str, text: str, mode: int = 0o644) -> None:
    """Make `path` a regular file of root's with this content, unless it is one already."""
    entry = editor.lstat(path)
    wanted = (mode, 0, 0, len(text.encode()))
    is_alike = entry is not None and entry.is_file and (entry.mode, entry.uid, entry.gid, entry.size) == wanted
    if not is_alike or editor.read_text(path) != text:
        editor.write(path, text, mode)
