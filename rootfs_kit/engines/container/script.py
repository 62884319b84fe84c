"""What runs in the container: the commands of a plan one after the other, for as long as somebody listens.

The script's standard input is the leash. When it is closed, by rootfs-kit or by the death of whatever held it, the
script ends, all processes of the container with it, and the engine removes the container.
"""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Mapping
from pathlib import Path

from rootfs_kit.backends import Command, Plan

TREE = Path("/rootfs")
PLACE = Path("/rootfs-kit")
FILES = PLACE / "files"
SCRIPT = PLACE / "run"
OPEN_FILES = 65536
"""apt closes every descriptor up to the limit, often a billion, for each program (kata-containers#2510)."""
ENDED = "rootfs-kit: the commands ended with status "

_FRAME = """\
#!/bin/sh
exec 3<&0 </dev/null 2>&1
trap 'exit 143' TERM INT
ulimit -n {open_files} 2>/dev/null
{{ cat <&3 >/dev/null; kill -TERM $$; }} &
(
set -e
{commands}
) &
status=0
wait $! || status=$?
echo "{ended}$status"
wait
"""


def script(plan: Plan, environment: Mapping[str, str]) -> str:
    """A script for sh(1); `environment` is for every command."""
    lines = [_line(command, environment) for command in plan.commands]
    return _FRAME.format(commands="\n".join(lines), ended=ENDED, open_files=OPEN_FILES)


def packed(plan: Plan, environment: Mapping[str, str]) -> bytes:
    """The script and the plan's files, as a tar to be unpacked at the container's root. Raises OSError."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        _add(archive, SCRIPT, script(plan, environment).encode(), 0o755)
        for name, content in sorted(plan.files.items()):
            _add(archive, FILES / name, content.read_bytes() if isinstance(content, Path) else content, 0o644)
    return output.getvalue()


def _line(command: Command, environment: Mapping[str, str]) -> str:
    variables = {**environment, **command.environment}
    return shlex.join(["env", *(f"{name}={value}" for name, value in sorted(variables.items())), *command.argv])


def _add(archive: tarfile.TarFile, path: Path, content: bytes, mode: int) -> None:
    for directory in reversed([each for each in path.parents if each != Path("/")]):
        entry = tarfile.TarInfo(str(directory.relative_to("/")))
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    entry = tarfile.TarInfo(str(path.relative_to("/")))
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
