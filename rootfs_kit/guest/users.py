"""The system users that packages declare (sysusers.d(5)) and that nothing has made yet.

rpm makes them since 4.19, and Fedora's packages leave it to rpm: installed by an older one, as Debian 12 has it, a
guest would come without a user for its message bus. systemd would make them at boot, where the root can be written to;
a guest's often cannot, and an agent that is init makes none.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from rootfs_kit.guest.places import is_file, rewrite
from rootfs_kit.tree import RootfsEditor
from rootfs_kit.tree.paths import join

# A file in /etc takes the place of one that has its name in /usr/lib.
DIRECTORIES = ("/etc/sysusers.d", "/usr/lib/sysusers.d")
PASSWD, GROUP, SHADOW, GSHADOW = "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"
NAME = re.compile("[a-z_][a-z0-9_-]{0,30}")
NOLOGIN = "/usr/sbin/nologin"
HIGHEST = 999
"""Of the ids that are given out to the system's own users, from here downwards, as systemd-sysusers(8) does."""


@dataclass(frozen=True)
class Declared:
    """A line of sysusers.d: a user (`u`), a group (`g`), or the membership (`m`) of user `name` in group `id`."""

    kind: str
    name: str
    id: str = "-"
    comment: str = ""
    home: str = "/"
    shell: str = NOLOGIN


@dataclass
class Accounts:
    """Numbers by name, of those that are there and those that are added; `passwd` and `group` are the lines to add."""

    users: dict[str, int]
    groups: dict[str, int]
    passwd: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)

    def add_group(self, name: str, number: str) -> int:
        """The group's number; it is made if it is missing."""
        if name not in self.groups:
            self.groups[name] = self._free(number)
            self.group.append(f"{name}:x:{self.groups[name]}:")
        return self.groups[name]

    def add_user(self, user: Declared) -> None:
        """Make the user if it is missing, and a group of its name unless the line names another."""
        if user.name in self.users:
            return
        uid, _, gid = user.id.partition(":")
        group = int(gid) if gid.isdigit() else self.add_group(gid or user.name, "-" if gid else uid)
        self.users[user.name] = self._free(uid) if gid else self._free(uid, str(group))
        number = self.users[user.name]
        self.passwd.append(f"{user.name}:x:{number}:{group}:{user.comment}:{user.home}:{user.shell}")

    def _free(self, *wanted: str) -> int:
        """The first number of those wanted that no user has; or else the highest one that nobody has."""
        for number in wanted:
            if number.isdigit() and int(number) not in self.users.values():
                return int(number)
        taken = {*self.users.values(), *self.groups.values()}
        return next(number for number in range(HIGHEST, -1, -1) if number not in taken)


def make_declared_users(editor: RootfsEditor) -> None:
    """Add what is declared and missing to the tree's users and groups. Raises CouldNotLook."""
    if not is_file(editor, PASSWD) or not is_file(editor, GROUP):
        return
    accounts = Accounts(_numbers(editor, PASSWD), _numbers(editor, GROUP))
    declared = list(_declared(editor))
    for each in declared:
        if each.kind == "g":
            accounts.add_group(each.name, each.id)
    for each in declared:
        if each.kind == "u":
            accounts.add_user(each)
    _append(editor, PASSWD, accounts.passwd)
    _append(editor, GROUP, accounts.group)
    _append(editor, SHADOW, [f"{line.partition(':')[0]}:!*:::::::" for line in accounts.passwd])
    _append(editor, GSHADOW, [f"{line.partition(':')[0]}:!*::" for line in accounts.group])
    _enrol(editor, [each for each in declared if each.kind == "m" and each.name in accounts.users])


def _declared(editor: RootfsEditor) -> Iterator[Declared]:
    """The lines of every file, in the order of the files' names; what is no user, group or membership is passed by."""
    places = {name: directory for directory in reversed(DIRECTORIES) for name in editor.listdir(directory)}
    for name in sorted(places):
        path = join(places[name], name)
        if name.endswith(".conf") and is_file(editor, path):
            yield from _parsed(editor.read_text(path))


def _parsed(text: str) -> Iterator[Declared]:
    for line in text.splitlines():
        try:
            kind, *words = shlex.split(line, comments=True) or [""]
        except ValueError:
            continue
        kind = kind.rstrip("!-")
        if kind in ("u", "g", "m") and words and NAME.fullmatch(words[0]):
            defaults = ("", "-", "", "/", NOLOGIN)
            given = [word if word != "-" else default for word, default in zip(words, defaults, strict=False)]
            yield Declared(kind, *given[:5])


def _numbers(editor: RootfsEditor, path: str) -> dict[str, int]:
    fields = [line.split(":") for line in editor.read_text(path).splitlines()]
    return {each[0]: int(each[2]) for each in fields if len(each) > 2 and each[2].isdigit()}


def _append(editor: RootfsEditor, path: str, lines: list[str]) -> None:
    if not lines or not is_file(editor, path):
        return
    text = editor.read_text(path)
    separator = "" if not text or text.endswith("\n") else "\n"
    rewrite(editor, path, f"{text}{separator}" + "".join(f"{line}\n" for line in lines))


def _enrol(editor: RootfsEditor, memberships: list[Declared]) -> None:
    """Add users to the groups that they are declared to be members of."""
    lines = editor.read_text(GROUP).splitlines()
    for membership in memberships:
        lines = [_with_member(line, membership) for line in lines]
    if memberships:
        rewrite(editor, GROUP, "".join(f"{line}\n" for line in lines))


def _with_member(line: str, membership: Declared) -> str:
    fields = line.split(":")
    members = [name for name in fields[-1].split(",") if name]
    if fields[0] != membership.id or len(fields) != 4 or membership.name in members:
        return line
    return ":".join([*fields[:3], ",".join([*members, membership.name])])
