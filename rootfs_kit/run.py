"""The one door to other programs.

Argument lists, never a shell; an environment that is listed here, not inherited; standard input closed; output
streamed, line by line, to the log and the monitor. What is started dies with rootfs-kit, even with a `kill -9` of it:
it runs in a PID namespace of its own, and asks the kernel for its parent's death signal.
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed, HostLacks, UsageError, WouldFailAnywhere
from rootfs_kit.interrupts import held, let_through
from rootfs_kit.monitor import Monitor

if TYPE_CHECKING:
    import sh

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY")
INHERITED = ("HOME", "TERM", "TMPDIR", *PROXIES)
# How the clients of container engines find their service (docker(1), podman(1)), and ssh its agent.
OF_CLIENTS = (
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_BUILDKIT",
    "CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS",
    # What `podman unshare` leaves, by which podman knows that it is in its own namespace already.
    "_CONTAINERS_USERNS_CONFIGURED", "_CONTAINERS_ROOTLESS_UID", "_CONTAINERS_ROOTLESS_GID",
)  # fmt: skip
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAST_LINES = 20
NOT_FOUND = 127
PR_SET_PDEATHSIG = 1  # linux/prctl.h
ANY_STATUS = list(range(256))


class Log:
    """The whole output of a build's programs, in one file. `keep`: it was asked for, or a message names it."""

    def __init__(self, path: Path, keep: bool) -> None:
        self.path = path
        self.keep = keep
        self._file = path.open("a", encoding="utf-8", errors="surrogateescape")

    def write(self, line: str) -> None:
        self._file.write(line if line.endswith("\n") else f"{line}\n")
        self._file.flush()

    def named(self) -> Path:
        """Its path, for a message: what a message names has to be there when it is read."""
        self.keep = True
        return self.path

    def close(self) -> None:
        self._file.close()


@contextmanager
def build_log(asked: Path | None, name: str) -> Iterator[Log]:
    """The log file `asked` for, or one in the directory for temporary files, which goes unless a message names it.

    Raises UsageError for a file that cannot be written, BuildFailed where there is no room for one of our own.
    """
    try:
        log = Log(asked or _temporary_log(name), keep=asked is not None)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "Name a file that can be written: --log FILE."
        if asked is None:
            raise BuildFailed("making a log among the temporary files", reason, hint) from error
        raise UsageError(f"opening the log {asked}", reason, hint) from error
    try:
        yield log
    finally:
        log.close()
        if not log.keep:
            log.path.unlink(missing_ok=True)


def _temporary_log(name: str) -> Path:
    descriptor, path = tempfile.mkstemp(prefix=f"rootfs-kit-{name}-", suffix=".log")
    os.close(descriptor)
    return Path(path)


def run(command: Command, monitor: Monitor, log: Log) -> None:
    """Run one command to its end.

    Raises HostLacks when there is no such program, and BuildFailed with the last lines of its output and the log's
    path when it does not end well; WouldFailAnywhere where these say so.
    """
    shown = shlex.join(command.argv)
    log.write(f"+ {shown}")
    monitor.detail(f"+ {shown}")
    output = Output(command, monitor, log)
    status = _run_to_the_end(command, output.receive)
    if status == 0:
        return
    program = Path(command.argv[0]).name
    if status == NOT_FOUND and shutil.which(command.argv[0], path=environment_of(command)["PATH"]) is None:
        raise HostLacks(f"starting {program}", "there is no such program on PATH", f"Install {program}.")
    failure = WouldFailAnywhere if output.futile else BuildFailed
    raise failure(
        f"running {program}",
        f"it ended with {how_it_ended(status)}; {output.summary()}",
        f"The whole output is in {log.named()}.",
    )


class Output:
    """Takes a command's lines: to the log, to the monitor, and those that matter for the error message."""

    def __init__(self, command: Command, monitor: Monitor, log: Log) -> None:
        self._milestones = deque(command.milestones)
        self._monitor = monitor
        self._log = log
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._complaints = command.complaints
        self._complained: list[str] = []
        self._futile = re.compile("|".join(command.futile)) if command.futile else None
        self.futile = False

    def receive(self, line: str) -> None:
        line = line.rstrip("\n")
        self._log.write(line)
        self._monitor.detail(line)
        self._last.append(line)
        if len(self._complained) < LAST_LINES and any(text in line for text in self._complaints):
            self._complained.append(line)
        self.futile = self.futile or bool(self._futile and self._futile.search(line))
        while self._milestones and any(text in line for text, _ in self._milestones):
            text, fraction = self._milestones.popleft()
            if text in line:
                self._monitor.progress(fraction, text)
                break

    def summary(self) -> str:
        """What the command said last, and before that the complaints that are not among it."""
        earlier = _indented(line for line in self._complained if line not in self._last)
        last = f"its last lines:\n{_indented(self._last) or '    (it said nothing)'}"
        return f"it complained:\n{earlier}\n  {last}" if earlier else last


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _run_to_the_end(command: Command, receive: Callable[[str], None]) -> int:
    """The exit status; negative for the signal that ended it. Whatever interrupts us ends the command too."""
    import sh

    with open(os.devnull, "rb") as nothing, held():
        try:
            running = start(command, _in=command.stdin or nothing, _out=receive, _err_to_out=True)
        except sh.CommandNotFound:
            return NOT_FOUND
        try:
            with let_through():
                running.wait()
        except sh.SignalException as ended:
            return int(ended.exit_code)
        except BaseException:
            kill(running)
            raise
    return int(running.exit_code)


def start(command: Command, **streams: Any) -> sh.RunningCommand:
    """Start a command and come back; it ends with this process. `streams` are sh's own words for them.

    To be called while signals are held: what was started must be in somebody's hands. Raises sh.CommandNotFound.
    """
    import sh

    leash = () if command.is_client else _leash()
    program, *arguments = (*leash, *command.argv)
    running: sh.RunningCommand = sh.Command(program)(
        *arguments,
        **streams,
        _tty_out=False,
        _env=environment_of(command),
        _decode_errors="surrogateescape",
        _bg=True,
        _bg_exc=False,
        _new_session=True,
        _preexec_fn=_end_with(os.getpid()),
        _ok_code=ANY_STATUS,
    )
    return running


def kill(running: sh.RunningCommand) -> None:
    """End the command's whole session at once: in a namespace of its own there is nothing that it has to undo."""
    import sh

    try:
        running.signal_group(signal.SIGKILL)
        running.wait()
    except (ProcessLookupError, sh.ErrorReturnCode, sh.SignalException):
        pass


def _end_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes the command: ask to be killed when this process ends (prctl(2))."""

    def tie() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return tie


@cache
def _leash() -> tuple[str, ...]:
    """What ties all that a command starts to its own life, as `_end_with` ties it to ours (pid_namespaces(7)).

    An empty tuple where the host does not allow namespaces: what the command itself has started may then outlive it.
    """
    leash = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    return leash if _works((*leash, "true")) else ()


def _works(argv: tuple[str, ...]) -> bool:
    import sh

    try:
        sh.Command(argv[0])(*argv[1:])
    except (sh.CommandNotFound, sh.ErrorReturnCode):
        return False
    return True


def proxies() -> dict[str, str]:
    """The proxies that this process is told to use, for programs that do not inherit its environment."""
    return {name: os.environ[name] for name in PROXIES if name in os.environ}


def environment_of(command: Command) -> dict[str, str]:
    """The listed variables of this process, a fixed locale, and what the command brings."""
    names = (*INHERITED, *OF_CLIENTS) if command.is_client else INHERITED
    inherited: Mapping[str, str] = {name: os.environ[name] for name in names if name in os.environ}
    path = os.environ.get("PATH", DEFAULT_PATH)
    # An ordinary user's PATH has no sbin, where the package managers' tools are.
    return {
        **inherited,
        "PATH": f"{path}:{DEFAULT_PATH}",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        **command.environment,
    }


def how_it_ended(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
