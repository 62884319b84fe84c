"""A build from beginning to end: the request becomes a tree, the suite has the last word, one rename publishes it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rootfs_kit import manifest
from rootfs_kit.axes import Content
from rootfs_kit.backends import Command, Plan, Planner, Site
from rootfs_kit.backends.registry import find_backend
from rootfs_kit.distro import Distro
from rootfs_kit.distro.signing_keys import require_pinned_keys
from rootfs_kit.engines import Engine, Workbench
from rootfs_kit.engines.choice import choose_engine
from rootfs_kit.engines.hooks import container_hooks
from rootfs_kit.errors import BuildFailed, RootfsKitError
from rootfs_kit.guest import finish, furnish
from rootfs_kit.guest.agent import Agent, resolve_agent
from rootfs_kit.guest.inputs import require_usable_inputs
from rootfs_kit.host.namespaces import enter_private_mounts
from rootfs_kit.host.ownership import Owner, owner_asked_for
from rootfs_kit.host.user_namespace import become_root
from rootfs_kit.interrupts import held, interruptible, let_through
from rootfs_kit.judgement import Fault, content_of, faults_of, judge_tree
from rootfs_kit.mirrors import Mirror, from_the_first, mirrors_of, site_to_show
from rootfs_kit.monitor import Monitor
from rootfs_kit.publish import copy_tree, publish, publish_archive
from rootfs_kit.request import BuildRequest, Format
from rootfs_kit.run import Log, build_log, run
from rootfs_kit.staging import Staging, remove_tree, staging, temporary_directory
from rootfs_kit.summary import BuildResult, summarise
from rootfs_kit.target import require_safe_file, require_safe_target
from rootfs_kit.tree import Entry, RootfsEditor, open_rootfs


def build(request: BuildRequest, distro: Distro, monitor: Monitor, cache: Path) -> BuildResult:
    """Build what `request` asks for, check it, and publish it at `request.rootfs_dir`.

    Until the last step nothing is changed there. In `cache` is kept what later builds can use again. Raises
    UsageError, HostLacks, BuildFailed, NotConforming, and Interrupted for a signal.
    """
    agent = resolve_agent(request)
    require_usable_inputs(request)
    require_pinned_keys(distro.keys_for(request))
    _require_safe_target(request)
    owner = owner_asked_for(request)
    backend = find_backend(distro.backend)
    planner = partial(backend.plan, request, distro)
    plan = planner(site_to_show(request, distro))
    engine = choose_engine(request, distro, plan).engine
    engine.require_ready(plan)
    if request.arch is not None and plan.runs_guest_programs:
        engine.require_runnable(request.arch)
    engine.gain_rights()
    # Whether another machine reaches a mirror cannot be seen from here.
    index = "" if engine.is_elsewhere else backend.index(request, distro)
    with _workshop(request, monitor) as workshop:
        with monitor.stage("installing packages"):
            plan = _install(engine, planner, mirrors_of(request, distro), index, workshop, cache)
            _require_the_release(workshop.made, distro, request)
        return _finish(request, agent, distro, plan, owner, workshop, monitor)


def overlay(request: BuildRequest, monitor: Monitor) -> BuildResult:
    """Lay only Kata's files into `request.rootfs_dir`, a new or an existing directory.

    An existing tree is copied, furnished and exchanged for the copy: it is never half written. An archive holds
    Kata's files alone. Raises as `build`.
    """
    agent = resolve_agent(request)
    require_usable_inputs(request)
    _require_safe_target(request)
    owner = owner_asked_for(request)
    become_root()
    before: frozenset[Fault] = frozenset()
    with _workshop(request, monitor) as workshop:
        with monitor.stage("preparing the overlay"):
            if request.format is Format.DIRECTORY and request.rootfs_dir.exists():
                copy_tree(request.rootfs_dir, workshop.made, monitor, workshop.log)
                before = _faults_before(workshop.made, request)
                _tell_of_faults(before, monitor)
            else:
                workshop.made.mkdir(mode=0o755)
        return _finish(request, agent, None, None, owner, workshop, monitor, before)


def _faults_before(tree: Path, request: BuildRequest) -> frozenset[Fault]:
    """Of a rootfs that somebody else made; none of an overlay, and of a directory that is still empty."""
    if not request.check or not any(tree.iterdir()) or content_of(tree) is Content.OVERLAY:
        return frozenset()
    return faults_of(tree, request)


@dataclass(frozen=True)
class Workshop:
    """Where one build is at work."""

    staging: Staging
    log: Log
    monitor: Monitor

    @property
    def made(self) -> Path:
        """The tree that is being made."""
        return self.staging.work / "tree"

    def require_the_tree(self) -> None:
        """Raise BuildFailed where a script that was given the tree left something else there, such as a link."""
        if self.made.is_symlink() or not self.made.is_dir():
            found = "a link is in its place" if self.made.is_symlink() else "it is not there any more"
            hint = "Scripts have to fill the directory that they are given, and to leave it where it is."
            raise BuildFailed("looking for the tree that is being built", found, hint)

    def run(self, command: Command) -> None:
        """Run a program of this host, logged with the rest of the build. Raises BuildFailed, HostLacks."""
        run(command, self.monitor, self.log)


def _install(
    engine: Engine, planner: Planner, mirrors: Sequence[Mirror], index: str, workshop: Workshop, cache: Path
) -> Plan:
    """The distribution's packages in a tree, from the first mirror that gives them all."""
    scratch = workshop.staging.work / "scratch"
    bench = Workbench(workshop.made, scratch, cache, workshop.monitor, workshop.log)

    def install(mirror: Mirror) -> Plan:
        for used in (bench.tree, scratch):
            remove_tree(used)
        scratch.mkdir()
        return engine.fill(bench, planner, mirror)

    with container_hooks(engine.name, planner(Site(bench.tree, scratch, mirrors[0])), bench):
        plan = from_the_first(mirrors, index, install, workshop.monitor)
    workshop.require_the_tree()
    remove_tree(scratch)
    with RootfsEditor(workshop.made) as editor:
        for path, text in plan.settings.items():
            editor.write(path, text)
    return plan


def _finish(
    request: BuildRequest, agent: Agent | None, distro: Distro | None, plan: Plan | None, owner: Owner | None,
    workshop: Workshop, monitor: Monitor, before: frozenset[Fault] = frozenset(),
) -> BuildResult:  # fmt: skip
    """What a build and an overlay have in common once there is a tree."""
    with monitor.stage("furnishing the guest"), RootfsEditor(workshop.made) as editor:
        owed = furnish(editor, request, agent, distro, monitor, run_on_host=workshop.run)
        written = manifest.write(editor, request, agent, distro, plan, owed)
        finish(editor, request, distro, monitor)
    workshop.require_the_tree()
    checks = None
    if request.check and agent is not None:
        with monitor.stage("checking"):
            content = Content.FULL if distro else content_of(workshop.made)
            checks = judge_tree(workshop.made, request, content, before)
    tree = open_rootfs(workshop.made, () if request.format is Format.DIRECTORY else owed)
    result = summarise(tree, request, written, checks)
    with monitor.stage("publishing"):
        if request.format is Format.DIRECTORY:
            publish(workshop.staging, workshop.made, owner, monitor, workshop.log)
            _tell_of(owed, monitor)
        else:
            publish_archive(workshop.staging, tree, owner, request)
    return result.with_timings(monitor.timings)


def _tell_of(owed: Sequence[Entry], monitor: Monitor) -> None:
    if owed:
        names = ", ".join(entry.path for entry in owed)
        monitor.note(f"not made, since only root may: {names}. An image does without; --format tar and cpio have them")


def _tell_of_faults(before: frozenset[Fault], monitor: Monitor) -> None:
    if before:
        tests = len({nodeid for nodeid, _ in before})
        monitor.warn(
            f"{tests} checks did not pass before anything was laid into it; `rootfs-kit check` says which are left"
        )


def _require_safe_target(request: BuildRequest) -> None:
    """An overlay is for a directory that holds something already; an archive takes no other file's place."""
    if request.format is Format.DIRECTORY:
        require_safe_target(request.rootfs_dir, request.force or request.distro is None)
    elif not request.to_stdout:
        require_safe_file(request.rootfs_dir, request.force)


@contextmanager
def _workshop(request: BuildRequest, monitor: Monitor) -> Iterator[Workshop]:
    """Everything that a build holds open, and lets go however it ends."""
    # Signals wait while what is held open is taken and let go.
    with interruptible(), held(), _working_target(request) as target, build_log(request.log, target.name) as log:
        private = _enter_private_mounts(monitor)
        with staging(target, request.wait, private, monitor) as place, let_through():
            # The target may have changed while this build waited for another one.
            _require_safe_target(request)
            workshop = Workshop(place, log, monitor)
            try:
                yield workshop
            except RootfsKitError as error:
                if request.keep_failed:
                    raise _kept(error, workshop) from error
                raise


@contextmanager
def _working_target(request: BuildRequest) -> Iterator[Path]:
    """What the build is staged beside: the target itself, or for standard output a place among temporary files."""
    if not request.to_stdout:
        yield request.rootfs_dir
        return
    with temporary_directory() as directory:
        yield directory / "rootfs"


def _enter_private_mounts(monitor: Monitor) -> bool:
    try:
        enter_private_mounts()
    except OSError as error:
        monitor.detail(f"working on disk: no mount namespace of our own ({error.strerror})")
        return False
    return True


def _kept(error: RootfsKitError, workshop: Workshop) -> RootfsKitError:
    """The same error, with the word where the tree is that --keep-failed asked for."""
    if not workshop.made.is_dir():
        return error
    kept = workshop.staging.kept
    remove_tree(kept)
    copy_tree(workshop.made, kept, workshop.monitor, workshop.log)
    return type(error)(error.doing, error.found, f"{error.hint}\n  The unfinished tree is kept in {kept}.")


def _require_the_release(made: Path, distro: Distro, request: BuildRequest) -> None:
    """The tree must be what was asked for: a mirror may serve something else (kata-containers#7828).

    What a config.sh builds may call itself anything.
    """
    if distro.script is not None:
        return
    release = distro.release(request.os_version)
    found = open_rootfs(made).os_release
    ids = release.ids or distro.os_release_ids
    named = (found.get("VERSION_ID", ""), found.get("VERSION_CODENAME", ""))
    if found.get("ID") not in ids or not any(map(release.is_called, named)):
        raise BuildFailed(
            f"checking what the mirror gave for {distro.title} {release.title}",
            f"the tree calls itself {found.get('PRETTY_NAME') or os.fspath(made)}",
            "Name the mirror of that release: --mirror URL (REPO_URL).",
        )
