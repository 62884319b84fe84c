"""The guest's clock: chronyd follows the host's through /dev/ptp0, and asks nobody on the Internet.

Which file chronyd reads is read off the tree: Debian has /etc/chrony/chrony.conf, Fedora /etc/chrony.conf, and the
host that builds has nothing to do with it (rootfs.sh:938-950 asks the host's os-release). Time sources are switched
off wherever chronyd would find them: in that file, in what it includes, and in the directories that it names; Ubuntu
26.04 keeps its pools in sources.d. chronyd's unit is clock_unit.py's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from rootfs_kit.guest.places import is_file, rewrite, write_anew
from rootfs_kit.tree import RootfsEditor
from rootfs_kit.tree.paths import join

PROGRAMS = ("/usr/sbin/chronyd", "/sbin/chronyd", "/usr/bin/chronyd")
DEBIAN_CONF, FEDORA_CONF = "/etc/chrony/chrony.conf", "/etc/chrony.conf"
CONFIGURATIONS = (DEBIAN_CONF, FEDORA_CONF)

HOST_CLOCK = "refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0"
STEP = "makestep 1 -1"
OURS = f"""\
# Written by rootfs-kit: the clock follows the host's, and is set at once when it is more than a second off,
# as it is after the sandbox was paused.
{HOST_CLOCK}
{STEP}
"""
OFF = "# off in a guest: "

# chrony.conf(5). initstepslew asks servers too; a second makestep, or a second reader of the clock, would undo ours.
SOURCES = ("server", "pool", "peer", "initstepslew")
RIVALS = re.compile(r"\s*(?:makestep\b|refclock\s+PHC\s+/dev/ptp0\b)", re.IGNORECASE)
DIRECTIVE = re.compile(r"\s*([A-Za-z]+)\s+(.*\S)")
# What a DHCP client writes there at run time are servers on the network.
RUN_TIME = "/run/"
INCLUDES = {"confdir": "*.conf", "sourcedir": "*.sources"}


def has_chronyd(editor: RootfsEditor) -> bool:
    return any(editor.is_executable(path) for path in PROGRAMS)


def follow_host_clock(editor: RootfsEditor) -> None:
    """Let the tree's chronyd read the host's clock and nothing else. Raises CouldNotLook."""
    present = [path for path in CONFIGURATIONS if is_file(editor, path)]
    for path in present or [_expected_configuration(editor)]:
        for included in _included(editor, path, set()):
            rewrite(editor, included, _without_sources(editor.read_text(included)))
        text = _without_sources(editor.read_text(path)) if path in present else ""
        configured = text if OURS in text else text + ("\n" if text else "") + OURS
        if path in present:
            rewrite(editor, path, configured)
        else:
            write_anew(editor, path, configured)


def bring_configurations(editor: RootfsEditor) -> None:
    """For an overlay whose base is not known: a whole configuration in each place where some chronyd looks.

    Laid over the base it replaces that one's file with all that it includes. A file that a base's chronyd does not
    read, or without any chronyd at all, does nothing.
    """
    for path in CONFIGURATIONS:
        write_anew(editor, path, OURS)


def _expected_configuration(editor: RootfsEditor) -> str:
    """Where the chronyd of the tree looks for the file that is not there: the path is a constant in the program."""
    program = next((path for path in PROGRAMS if editor.is_executable(path)), None)
    content = editor.read_bytes(program) if program else b""
    return next((path for path in CONFIGURATIONS if path.encode() + b"\0" in content), FEDORA_CONF)


def _without_sources(text: str) -> str:
    """`text` with every line commented out that names a time source, or rivals ours."""
    head, ours, tail = text.partition(OURS)
    before, after = ("".join(map(_switched_off, part.splitlines(keepends=True))) for part in (head, tail))
    return before + ours + after


def _switched_off(line: str) -> str:
    directive, value = _parsed(line)
    is_source = directive in SOURCES or (directive in INCLUDES and any(map(_is_of_run_time, value.split())))
    return f"{OFF}{line}" if is_source or RIVALS.match(line) else line


def _is_of_run_time(directory: str) -> bool:
    return directory.startswith(RUN_TIME)


def _parsed(line: str) -> tuple[str, str]:
    """Directive in lower case, as chronyd compares it, and its value; empty for comments and blank lines."""
    found = DIRECTIVE.match(line)
    return (found[1].lower(), found[2]) if found else ("", "")


def _included(editor: RootfsEditor, path: str, seen: set[str]) -> Iterator[str]:
    """The files that a configuration brings in by include, confdir and sourcedir, and those that they bring in."""
    if path in seen or not is_file(editor, path):
        return
    seen.add(path)
    for line in editor.read_text(path).splitlines():
        for included in _files_of(editor, *_parsed(line)):
            if included not in seen:
                yield included
                yield from _included(editor, included, seen)


def _files_of(editor: RootfsEditor, directive: str, value: str) -> list[str]:
    if directive == "include":
        directory, _, pattern = value.rpartition("/")
        return _matching(editor, directory or "/", pattern)
    if directive not in INCLUDES:
        return []
    return [path for directory in value.split() for path in _matching(editor, directory, INCLUDES[directive])]


def _matching(editor: RootfsEditor, directory: str, pattern: str) -> list[str]:
    paths = (join(directory, name) for name in editor.listdir(directory) if fnmatchcase(name, pattern))
    return [path for path in paths if is_file(editor, path)]
