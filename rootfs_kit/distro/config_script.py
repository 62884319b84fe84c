"""Distributions that a `config.sh` describes, as Kata's osbuilder has them (rootfs-builder/README.md there).

Reading one runs it, in a bash of its own: only a directory that the user named is ever read. What it sets hangs on
what is asked for (`[[ "${AGENT_INIT}" = no ]] && PACKAGES+=" systemd"`), so it is read once for nothing and once for
each thing that may be asked, and the differences tell which packages each needs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import KATA_MACHINES, ConfigScript, Distro, PackageRules, Release
from rootfs_kit.errors import HostLacks, UsageError

if TYPE_CHECKING:
    from rootfs_kit.request.script_variables import ScriptVariables

CONFIG = "config.sh"
LIBRARY = "rootfs_lib.sh"
DOCKERFILE = "Dockerfile.in"
READER = Path(__file__).parents[1] / "backends" / "shell" / "read.sh"

# What a config.sh may set, in osbuilder's contract; the rest of its variables are its own business.
VARIABLES = (
    "OS_NAME", "OS_VERSION", "PACKAGES", "INIT_PROCESS", "ARCH_EXCLUDE_LIST", "BUILD_CAN_FAIL", "LIBC", "MIRROR",
    "BASE_URL", "METALINK", "METALINK_APPSTREAM", "GPG_KEY_FILE", "GPG_KEY_URL", "REPO_URL", "REPO_COMPONENTS",
    "DEB_ARCH",
)  # fmt: skip

AGENT_AS_INIT = "kata-agent"
READING_SECONDS = 30
LAST_LINES = 5
HINT = "It must set its variables and do no more: see docs/adding-a-distro.md."

# A config.sh that wants to be told a release (Ubuntu's does) is read with this one.
ANY_RELEASE = "unspecified"

# The state of every package manager that such a directory may use; it goes once the manifest has the packages.
DATABASES = (
    "/var/lib/apt", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/dnf", "/var/lib/yum", "/var/lib/ucf", "/var/lib/pam",
)  # fmt: skip

Variables = Mapping[str, tuple[str, ...]]


def read_config_script(name: str, directory: Path, found_by: str, script_variables: ScriptVariables = ()) -> Distro:
    """The distribution that `config.sh` in `directory` describes; it is run.

    `script_variables` are in its environment. Raises UsageError where that fails.
    """
    told, plain = _plain_reading(directory, script_variables)
    base = _words(plain, "PACKAGES")
    version = "" if told.get("OS_VERSION") == ANY_RELEASE else _text(plain, "OS_VERSION")
    modes = _init_modes(plain, directory, told["AGENT_INIT"] == "yes")
    init = _more(directory, told, base, AGENT_INIT="no") if InitMode.SYSTEMD in modes else None
    seccomp = _more(directory, told, base, SECCOMP="yes")
    selinux = _more(directory, told, (*base, *(init or ())), SELINUX="yes", AGENT_INIT="no")
    return Distro(
        name=name,
        title=_text(plain, "OS_NAME") or name,
        directory=directory,
        backend="shell",
        default_version=version,
        releases=(Release(version),) if version else (),
        init_modes=modes,
        architectures={machine: machine for machine in KATA_MACHINES if machine not in plain["ARCH_EXCLUDE_LIST"]},
        packages=PackageRules(
            base,
            {InitMode.SYSTEMD: init} if init is not None else {},
            {
                feature: packages
                for feature, packages in {"seccomp": seccomp, "selinux": selinux}.items()
                if packages is not None
            },
        ),
        databases=DATABASES,
        found_by=found_by,
        script=ConfigScript(
            {name: values for name, values in plain.items() if values},
            bool(_text(plain, "BUILD_CAN_FAIL")),
            (directory / LIBRARY).is_file(),
            _dockerfile(directory),
            _directories_beside(directory),
        ),
    )


class _Refused(UsageError):
    """It ended with an error of its own: it may want to be told more, or something else."""


def _plain_reading(directory: Path, script_variables: ScriptVariables) -> tuple[dict[str, str], Variables]:
    """What it sets when as little is asked for as it allows, and what it had to be told for that."""
    refusals = []
    for agent_init, release in product(("yes", "no"), ("", ANY_RELEASE)):
        told = {**dict(script_variables), "AGENT_INIT": agent_init, **({"OS_VERSION": release} if release else {})}
        try:
            return told, _variables(directory, told)
        except _Refused as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _more(directory: Path, told: Mapping[str, str], base: Iterable[str], **asked: str) -> tuple[str, ...] | None:
    """The packages that come to `base` when more is asked for; None where the config.sh refuses that."""
    try:
        variables = _variables(directory, {**told, **asked})
    except _Refused:
        return None
    return tuple(word for word in _words(variables, "PACKAGES") if word not in set(base))


def _variables(directory: Path, asked: Mapping[str, str]) -> Variables:
    """What the config.sh sets when `asked` is in its environment, besides osbuilder's defaults."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "SECCOMP": "no",
        "SELINUX": "no",
        "MEASURED_ROOTFS": "no",
        "ARCH": os.uname().machine,
        **asked,
    }
    with tempfile.TemporaryFile() as report, tempfile.TemporaryFile() as said:
        argv = ["bash", str(READER), str(report.fileno()), str(directory), *VARIABLES]
        status = _status(argv, environment, report.fileno(), said.fileno())
        report.seek(0)
        variables = _parsed(report.read())
        said.seek(0)
        words = _last_lines(said.read().decode(errors="replace"))
    doing = f"reading {directory / CONFIG}"
    if status is None:
        raise UsageError(doing, f"it did not end within {READING_SECONDS} seconds\n{words}", HINT)
    if status != 0 or set(variables) != set(VARIABLES):
        raise _Refused(doing, f"it ended the shell that read it, with status {status}\n{words}", HINT)
    return variables


def _status(argv: list[str], environment: Mapping[str, str], report: int, said: int) -> int | None:
    """How it ended; None where it had to be stopped."""
    try:
        process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=[report],
            start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise HostLacks("reading a config.sh", "there is no bash on PATH", "Install bash.") from None
    try:
        return process.wait(READING_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # What it may have started and left behind goes with it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _parsed(report: bytes) -> Variables:
    """Names with their values, as read.sh writes them; what is cut short is left out."""
    fields = iter(report.decode(errors="replace").split("\0"))
    variables = {}
    for name in fields:
        count = next(fields, "")
        if count.isdigit():
            variables[name] = tuple(value for _, value in zip(range(int(count)), fields, strict=False))
    return variables


def _last_lines(words: str) -> str:
    lines = words.strip().splitlines()[-LAST_LINES:]
    return "\n".join(f"    {line}" for line in lines) or "    (it said nothing)"


def _text(variables: Variables, name: str) -> str:
    """The value of a variable; of an array its first, as bash has it."""
    return next(iter(variables[name]), "")


def _words(variables: Variables, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(variables[name]).split()))


def _init_modes(variables: Variables, directory: Path, allows_agent: bool) -> tuple[InitMode, ...]:
    process = _text(variables, "INIT_PROCESS")
    if process == AGENT_AS_INIT:
        return (InitMode.AGENT,)
    if process in ("", "systemd"):
        return (InitMode.SYSTEMD, InitMode.AGENT) if allows_agent else (InitMode.SYSTEMD,)
    raise UsageError(
        f"reading {directory / CONFIG}",
        f'INIT_PROCESS is "{process}"',
        f"It must be systemd or {AGENT_AS_INIT}.",
    )


def _dockerfile(directory: Path) -> str | None:
    try:
        return (directory / DOCKERFILE).read_text()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"reading {directory / DOCKERFILE}", str(error), "Give a Dockerfile in UTF-8.") from None


def _directories_beside(directory: Path) -> tuple[Path, ...]:
    """Those with a config.sh: one may read another's through script_dir, as osbuilder's Debian reads its Ubuntu."""
    resolved = directory.resolve()
    return tuple(sorted(path.parent for path in resolved.parent.glob(f"*/{CONFIG}") if path.parent != resolved))
