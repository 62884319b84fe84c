"""What runs in the container: the commands of a plan one after the other, for as long as somebody listens.

The script's standard input is the leash. When it is closed, by rootfs-kit or by the death of whatever held it, the
script ends, all processes of the container with it, and the engine removes the container.
"""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rootfs_kit.backends import Command, Plan, Tool

TREE = Path("/rootfs")
PLACE = Path("/rootfs-kit")
FILES = PLACE / "files"
SCRIPT = PLACE / "run"
OPEN_FILES = 65536
"""apt closes every descriptor up to the limit, often a billion, for each program (kata-containers#2510)."""
ENDED = "rootfs-kit: the commands ended with status "
UNFIT = "unfit: "
"""What stands there instead of a status where nothing was begun, since the tar would not do; its words follow."""
ARCHIVING = (
    "--numeric-owner", "--xattrs", "--xattrs-include=*", "--xattrs-exclude=security.selinux",
)  # fmt: skip
PACKING = ("tar", "--create", "--file=-", "--sort=name", *ARCHIVING, "--anchored", "--exclude=./dev/*")
"""How the tree is made a stream where it is, but for /dev: what is in there the guest layer makes, or records."""

_FRAME = """\
#!/bin/sh
exec 3<&0 </dev/null 2>&1
trap 'exit 143' TERM INT
ulimit -n {open_files} 2>/dev/null
{{ cat <&3 >/dev/null; kill -TERM $$; }} &
status=0
complaint=$({packing} --files-from=/dev/null 2>&1 >/dev/null) || complaint=${{complaint:-tar ended with status $?}}
if [ -n "$complaint" ]; then
echo "$complaint" | {{ read -r first; echo "{ended}{unfit}$first"; }}
else
(
set -e
{commands}
) &
wait $! || status=$?
echo "{ended}$status"
fi
wait
"""


def script(plan: Plan, environment: Mapping[str, str]) -> str:
    """A script for sh(1); `environment` is for every command.

    It first has tar pack nothing: one without these options, or without extended attributes, complains.
    """
    commands = "\n".join(_line(command, plan.tools, environment) for command in plan.commands)
    return _FRAME.format(
        commands=commands, packing=shlex.join(PACKING), ended=ENDED, unfit=UNFIT, open_files=OPEN_FILES
    )


def packed(text: str, files: Path) -> bytes:
    """The script and the directory of the plan's files, as a tar to be unpacked at the container's root."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        entry = tarfile.TarInfo(str(SCRIPT.relative_to("/")))
        entry.size, entry.mode = len(text.encode()), 0o755
        archive.addfile(entry, io.BytesIO(text.encode()))
        archive.add(files, str(FILES.relative_to("/")), filter=_of_root)
    return output.getvalue()


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _line(command: Command, tools: Sequence[Tool], environment: Mapping[str, str]) -> str:
    variables = sorted({**environment, **command.environment}.items())
    program, *arguments = command.argv
    setting = shlex.join(["env", *(f"{name}={value}" for name, value in variables)])
    return f"{setting} {_program(program, tools)} {shlex.join(arguments)}"


def _program(program: str, tools: Sequence[Tool]) -> str:
    """The word that starts the program, or whichever the container has of those that do instead."""
    others = next((tool.instead for tool in tools if tool.program == program), ())
    if not others:
        return shlex.quote(program)
    found = " || ".join(f"command -v {shlex.quote(name)}" for name in (program, *others))
    return f'"$({found})"'
