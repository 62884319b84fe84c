"""The guest layer: what makes a distribution's tree a guest of Kata Containers.

`furnish` is the list of its steps, each a module of this package; `finish` is what has to wait until the manifest is
written. A step changes the tree through the editor alone, and can be run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rootfs_kit.backends import Command
from rootfs_kit.distro import Distro
from rootfs_kit.guest.agent import Agent, install_agent, reach_agent_through_bin
from rootfs_kit.guest.changes import RunInside, lay_directories_over, run_scripts
from rootfs_kit.guest.clock import bring_configurations, follow_host_clock, has_chronyd
from rootfs_kit.guest.clock_unit import bring_clock_units, mend_clock_unit
from rootfs_kit.guest.confidential import widen_run
from rootfs_kit.guest.init import let_agent_be_init, let_systemd_be_init, start_from_initramfs
from rootfs_kit.guest.modules import RunOnHost, install_modules, require_modprobe, resolve_modules
from rootfs_kit.guest.mountpoints import provide_devices, provide_mount_points
from rootfs_kit.guest.overlay import prepare_overlay
from rootfs_kit.guest.places import holds_a_system
from rootfs_kit.guest.policy import install_policy
from rootfs_kit.guest.removal import delete_units
from rootfs_kit.guest.resolver import provide_resolver
from rootfs_kit.guest.scrub import scrub
from rootfs_kit.guest.selinux import require_policy_installed, require_selinux_possible
from rootfs_kit.guest.systemd import let_services_enter_the_root, provide_tmp_mount, start_agent_by_systemd
from rootfs_kit.guest.tarballs import unpack_tarballs
from rootfs_kit.guest.times import clamp_times
from rootfs_kit.guest.trim import trim
from rootfs_kit.guest.users import make_declared_users
from rootfs_kit.monitor import Monitor
from rootfs_kit.request import BuildRequest
from rootfs_kit.tree import Entry, RootfsEditor

__all__ = ["finish", "furnish"]


def furnish(
    editor: RootfsEditor,
    request: BuildRequest,
    agent: Agent | None,
    distro: Distro | None,
    monitor: Monitor,
    *,
    run_inside: RunInside | None = None,
    run_on_host: RunOnHost | None = None,
) -> tuple[Entry, ...]:
    """Make a guest of a distribution's tree; without `distro`, an overlay of the tree or of an empty directory.

    `agent` is None for a rootfs that is to have none (rootfs_only). `run_on_host` runs a program of this host,
    `run_inside` one of the rootfs; as a rule chroot(8) does. Gives back the device nodes that a guest has and
    that could not be made. Raises UsageError, BuildFailed, HostLacks.
    """
    run_on_host = run_on_host or partial(_run_logged, monitor)
    run_inside = run_inside or partial(_run_in_chroot, editor, run_on_host)
    require_selinux_possible(request, distro)
    owed: tuple[Entry, ...] = ()
    if distro is None:
        prepare_overlay(editor, request)
    else:
        provide_mount_points(editor)
        owed = provide_devices(editor)
        make_declared_users(editor)
    if agent is not None:
        _add_agent(editor, request, agent, monitor)
        _add_abilities(editor, request, monitor, run_on_host)
    lay_directories_over(editor, request.overlay_dirs)
    run_scripts(editor, request.run_scripts, run_inside)
    if request.delete_units:
        delete_units(editor, monitor)
    if distro is None:
        provide_resolver(editor, monitor)
    else:
        scrub(editor, request.init_mode)
        trim(editor, distro.trim)
    return owed


def finish(editor: RootfsEditor, request: BuildRequest, distro: Distro | None, monitor: Monitor) -> None:
    """Drop what only the manifest still needed, and settle the times. Nothing may be written to the tree after it."""
    if distro is not None:
        trim(editor, distro.databases)
    if request.source_date_epoch is not None:
        clamp_times(editor, request.source_date_epoch)


def _add_agent(editor: RootfsEditor, request: BuildRequest, agent: Agent, monitor: Monitor) -> None:
    """The agent, and whoever starts it."""
    install_agent(editor, agent)
    if request.agent_init:
        let_agent_be_init(editor, agent)
    else:
        let_systemd_be_init(editor)
        start_agent_by_systemd(editor, agent, monitor)
        provide_tmp_mount(editor)
    let_services_enter_the_root(editor)
    reach_agent_through_bin(editor, agent)
    start_from_initramfs(editor)


def _add_abilities(editor: RootfsEditor, request: BuildRequest, monitor: Monitor, run_on_host: RunOnHost) -> None:
    """What the guest can do besides running the agent."""
    _keep_time(editor, request)
    modules = resolve_modules(request)
    if modules is not None:
        require_modprobe(editor, monitor)
        install_modules(editor, modules, run_on_host)
    if request.agent_policy is not None:
        install_policy(editor, request.agent_policy)
    unpack_tarballs(editor, request)
    if request.confidential and not request.agent_init:
        widen_run(editor)
    if request.selinux:
        require_policy_installed(editor)


def _keep_time(editor: RootfsEditor, request: BuildRequest) -> None:
    """A rootfs without chrony is left without; an overlay brings what either kind of chrony in its base will read."""
    if has_chronyd(editor):
        follow_host_clock(editor)
        if not request.agent_init:
            mend_clock_unit(editor)
    elif not holds_a_system(editor):
        bring_configurations(editor)
        if not request.agent_init:
            bring_clock_units(editor)


def _run_logged(monitor: Monitor, command: Command) -> None:
    from rootfs_kit.run import build_log, run

    with build_log(None, command.argv[0]) as log:
        run(command, monitor, log)


def _run_in_chroot(editor: RootfsEditor, run_on_host: RunOnHost, argv: Sequence[str]) -> None:
    run_on_host(Command(("chroot", str(editor.root), *argv)))
