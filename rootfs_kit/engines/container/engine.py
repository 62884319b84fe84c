"""One filling of a tree in a container, from the image to the stream."""

from __future__ import annotations

import hashlib
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rootfs_kit.backends import Command, Plan, Planner, Site
from rootfs_kit.engines import Workbench
from rootfs_kit.engines.container import image, script
from rootfs_kit.engines.container.client import Client
from rootfs_kit.engines.container.facts import Facts, facts_of, require_usable
from rootfs_kit.engines.container.rootless import gain_rights, require_rights
from rootfs_kit.engines.container.watch import watched
from rootfs_kit.engines.host import lay_files
from rootfs_kit.errors import BuildFailed, HostLacks, UsageError, WouldFailAnywhere
from rootfs_kit.host import emulation
from rootfs_kit.run import Output, proxies
from rootfs_kit.talk import conversation, pipe

LABEL = "rootfs-kit.target"
CAPABILITIES = (
    # What unpacking packages and running their scripts takes (capabilities(7)).
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID",
    # What osbuilder adds (rootfs.sh:657-662): mounts, chroot, device nodes.
    "SYS_ADMIN", "SYS_CHROOT", "MKNOD",
)  # fmt: skip
ENOUGH_MEMORY = 6 << 30
"""Bytes of the engine's memory from which on the tree is made in memory."""
PATIENCE = 20.0
"""Seconds that a container has to end by itself."""


@dataclass(frozen=True)
class ContainerEngine:
    """Runs a plan's commands in a container of `client`'s engine.

    `recipe` is what its image is built from, or `ready_image` one that has the package manager already; `runtime` is
    the engine's OCI runtime, where another than its default is wanted.
    """

    client: Client
    recipe: image.Recipe | None
    ready_image: str | None = None
    runtime: str | None = None

    @property
    def name(self) -> str:
        return self.client.name

    @property
    def is_elsewhere(self) -> bool:
        return self.client.is_elsewhere

    @cached_property
    def _facts(self) -> Facts:
        """Raises HostLacks."""
        return facts_of(self.client)

    def require_ready(self, plan: Plan) -> None:
        """Raises HostLacks where no engine answers that will do, and UsageError for a plan that it cannot run."""
        require_usable(self.client, self._facts, self.runtime)
        require_rights(self.client)
        local = [word for command in plan.commands for word in command.argv if word.startswith("file://")]
        if local:
            raise UsageError(
                f"planning a build with {self.name}",
                f"{local[0]} is on this host, and the container sees nothing of it",
                "Serve it over http, or use --engine host.",
            )

    def require_runnable(self, machine: str) -> None:
        """Raises HostLacks. Which emulators another machine has is not to be seen from this one."""
        if machine != self._facts.machine and not self.is_elsewhere:
            emulation.require_runnable(machine)

    def gain_rights(self) -> None:
        """Raises HostLacks."""
        gain_rights(self.client)

    def fill(self, bench: Workbench, planner: Planner, mirror: str | None) -> Plan:
        """Raises BuildFailed, HostLacks."""
        plan = planner(Site(script.TREE, script.FILES, mirror, self._facts.machine))
        tag = self._image(bench)
        with self._container(tag, bench) as name:
            self._run(name, plan, bench)
        return plan

    def _image(self, bench: Workbench) -> str:
        if self.ready_image:
            return image.fetch(self.client, self.ready_image, bench.monitor)
        assert self.recipe is not None, "an engine has an image or a recipe for one"
        return image.provide(self.client, self.recipe, bench.monitor, bench.log)

    @contextmanager
    def _container(self, tag: str, bench: Workbench) -> Iterator[str]:
        """A container that is created and not started yet; it does not outlive the body, nor its volumes."""
        label = f"{LABEL}={label_of(bench.tree)}"
        self._clear(label)
        name = f"rootfs-kit-{secrets.token_hex(6)}"
        with watched(self.client, name):
            self.client.tell(*self._create(name, label, self._facts), tag, "/bin/sh", str(script.SCRIPT), seconds=600)
            yield name
            # Podman goes on removing it (--rm) after the container has ended; this waits until it is gone.
            self.client.ask("rm", "--force", "--volumes", name)

    def _clear(self, label: str) -> None:
        """Remove what an earlier build of the same target left: this build holds the target's lock."""
        left = self.client.tell("ps", "--all", "--quiet", "--filter", f"label={label}").split()
        if left:
            self.client.ask("rm", "--force", "--volumes", *left)

    def _create(self, name: str, label: str, facts: Facts) -> tuple[str, ...]:
        capabilities = [word for each in CAPABILITIES for word in ("--cap-add", each)]
        return (
            "create", "--rm", "--interactive", "--name", name, "--label", label, "--network", "host",
            "--cap-drop", "ALL", *capabilities,
            *confinement(self.client, facts), *place_for_the_tree(facts),
            *(("--runtime", self.runtime) if self.runtime else ()),
        )  # fmt: skip

    def _run(self, name: str, plan: Plan, bench: Workbench) -> None:
        files = bench.scratch / "files"
        files.mkdir(parents=True)
        lay_files(plan.files, files)
        packed = script.packed(script.script(plan, _environment()), files)
        self.client.tell("cp", "-", f"{name}:/", stdin=packed)
        output = Output(_heard_of(plan), bench.monitor, bench.log)
        attached = self.client.command("start", "--attach", "--interactive", name)
        with conversation(attached, output.receive, script.ENDED, PATIENCE) as talk:
            talk.wait()
            self._require_success(talk.said, output, plan, bench)
            bench.tree.mkdir()
            pipe(self._sent(name), _received(bench.tree), bench.monitor, bench.log)

    def _require_success(self, said: str | None, output: Output, plan: Plan, bench: Workbench) -> None:
        programs = " and ".join(dict.fromkeys(Path(command.argv[0]).name for command in plan.commands))
        if said is None:
            raise BuildFailed(
                f"running {programs} with {self.name}",
                f"the container ended before its work did; {output.summary()}",
                f"The whole output is in {bench.log.named()}. See whether `{self.client.program} info` answers.",
            )
        status = said.removeprefix(script.ENDED)
        if status.startswith(script.UNFIT):
            raise self._without_tar(status.removeprefix(script.UNFIT))
        if status != "0":
            failure = WouldFailAnywhere if output.futile else BuildFailed
            raise failure(
                f"running {programs} with {self.name}",
                f"it ended with exit status {status}; {output.summary()}",
                f"The whole output is in {bench.log.named()}.",
            )

    def _without_tar(self, complaint: str) -> HostLacks:
        """The words for an image from which no tree would come back; no other mirror would help."""
        return HostLacks(
            f"looking at the image {self.ready_image or (self.recipe and self.recipe.tag)}",
            f"its tar cannot pack a tree with its attributes: {complaint}",
            "Install GNU tar 1.28 or later in it; its package is called tar, in Alpine too (apk add tar). The image is "
            "what --builder-image names, or is made of [builder] in a distro.toml or of a Dockerfile.in.",
        )

    def _sent(self, name: str) -> Command:
        """The tree as a stream."""
        return self.client.command("exec", name, *script.PACKING, f"--directory={script.TREE}", ".")


def _received(tree: Path) -> Command:
    return Command(
        (
            "tar",
            "--extract",
            "--file=-",
            f"--directory={tree}",
            "--same-owner",
            "--preserve-permissions",
            *script.ARCHIVING,
        )
    )


def label_of(tree: Path) -> str:
    """What tells the containers of one target on this host from all others; an engine may serve many hosts."""
    return hashlib.sha256(f"{platform.node()}\0{tree}".encode(errors="surrogateescape")).hexdigest()[:32]


def confinement(client: Client, facts: Facts) -> tuple[str, ...]:
    """The options without which a security module would refuse the mounts of a build; nothing where there is none."""
    options: list[str] = []
    if "apparmor" in facts.security:
        options += ("--security-opt", "apparmor=unconfined")
    if "selinux" in facts.security:
        options += ("--security-opt", "label=disable")
    if client.is_podman and "rootless" in facts.security:
        # The kernel lets nobody mount a /proc of his own where parts of the one at hand are covered.
        options += ("--security-opt", "unmask=ALL")
    return tuple(options)


def place_for_the_tree(facts: Facts) -> tuple[str, ...]:
    """Memory where the engine has enough, else a volume of the container's own; never its layered file system."""
    if facts.memory >= ENOUGH_MEMORY:
        return ("--tmpfs", f"{script.TREE}:rw,exec,suid,dev,mode=0755,size={facts.memory // 2}")
    return ("--volume", str(script.TREE))


def _heard_of(plan: Plan) -> Command:
    """The plan's commands as one, for whoever listens to their output."""
    milestones = tuple(each for command in plan.commands for each in command.milestones)
    return Command(
        (), milestones=milestones, complaints=tuple(each for one in plan.commands for each in one.complaints)
    )


def _environment() -> dict[str, str]:
    """What every command in the container gets from this process."""
    return {**proxies(), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
