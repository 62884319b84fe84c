"""How a container engine is spoken to: through its own command line client, wherever its service is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from rootfs_kit.backends import Command
from rootfs_kit.errors import BuildFailed, UsageError
from rootfs_kit.talk import Answer, ask

PROGRAMS = ("docker", "podman")
QUESTION_SECONDS = 60
_ADDRESS = re.compile(r"(?P<program>docker|podman)(?::(?P<url>[a-z]+://\S+))?")


@dataclass(frozen=True)
class Client:
    """The client `program`, for the service at `url`; empty where the client itself knows (DOCKER_HOST, a socket)."""

    program: str
    url: str = ""

    @property
    def name(self) -> str:
        """As `--engine` names it."""
        return f"{self.program}:{self.url}" if self.url else self.program

    @property
    def is_podman(self) -> bool:
        return self.program == "podman"

    @property
    def is_elsewhere(self) -> bool:
        """Whether its service is, or may be, on another machine: not at a socket of this one."""
        variable = "CONTAINER_HOST" if self.is_podman else "DOCKER_HOST"
        return not (self.url or os.environ.get(variable, "unix:")).startswith("unix:")

    def command(self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> Command:
        """The call of the client with `arguments`."""
        where: tuple[str, ...] = ()
        if self.url:
            where = ("--remote", "--url", self.url) if self.is_podman else ("--host", self.url)
        return Command((self.program, *where, *arguments), environment or {}, stdin=stdin, is_client=True)

    def ask(self, *arguments: str, stdin: bytes = b"", seconds: float = QUESTION_SECONDS) -> Answer:
        """What the client answers; nothing is made of its exit status."""
        return ask(self.command(*arguments, stdin=stdin), seconds)

    def tell(self, *arguments: str, stdin: bytes = b"", seconds: float = QUESTION_SECONDS) -> str:
        """What the client prints when all went well. Raises BuildFailed."""
        answer = self.ask(*arguments, stdin=stdin, seconds=seconds)
        if answer.status != 0:
            raise BuildFailed(
                f"asking {self.name} for `{' '.join(arguments[:2])}`",
                answer.last_words,
                f"See whether `{self.program} info` answers, and build again.",
            )
        return answer.out.decode(errors="replace").strip()


def client_at(address: str) -> Client:
    """The client for an address such as `docker`, `podman` or `docker:ssh://build@host`. Raises UsageError."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise UsageError(
            f'choosing the engine "{address}"',
            "it is no address of a container engine",
            "Write docker, podman, or one of them with its service's address: docker:ssh://user@host.",
        )
    return Client(match["program"], match["url"] or "")
