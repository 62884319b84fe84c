"""Known-bad twins: what the kernel and init find: layout, init, programs, the gate."""

from __future__ import annotations

from tests.checks.twins.twin import Twin, nothing
from tests.support.agents import stand_in_agent
from tests.support.defects import (
    a_device,
    a_directory,
    a_fifo,
    a_socket,
    both,
    chmodded,
    copied,
    given_to,
    linked,
    removed,
    written,
)
from tests.support.programs import dynamic_program, foreign_program, static_program, systemd_program

TWINS = [
    # layout
    Twin("no /proc to mount on", "LAY-02::test_mount_point_is_there", removed("proc")),
    Twin("/sys is a file", "LAY-02::test_mount_point_is_there", both(removed("sys"), written("sys", ""))),
    Twin("/tmp is not sticky", "LAY-02::test_tmp_is_sticky_and_open_to_all", chmodded("tmp", 0o755)),
    Twin("only root may enter /", "LAY-02::test_root_directory_can_be_searched_by_all", chmodded("", 0o700)),
    *(
        Twin(
            f"only root may search /{path}",
            "LAY-02::test_directories_on_the_way_can_be_searched_by_all",
            chmodded(path, 0o700),
        )
        for path in ("usr", "usr/lib", "usr/lib64", "etc", "var")
    ),
    Twin(
        "nobody may search /usr/bin",
        "LAY-02::test_directories_on_the_way_can_be_searched_by_all",
        chmodded("usr/bin", 0o744),
    ),
    Twin(
        "only root may search the libraries of an architecture",
        "LAY-02::test_directories_on_the_way_can_be_searched_by_all",
        both(a_directory("usr/lib/x86_64-linux-gnu"), chmodded("usr/lib/x86_64-linux-gnu", 0o750)),
        "agent-init",
    ),
    Twin("/var/run is a directory of its own", "LAY-03::test_var_run_is_run", a_directory("var/run")),
    Twin("/var/tmp leads nowhere", "LAY-03::test_var_tmp_is_a_directory", linked("var/tmp", "../nowhere")),
    Twin("a tarball made /lib64 a directory", "LAY-04::test_merged_usr_is_whole", a_directory("lib64")),
    Twin("/lib64 leads out of /usr", "LAY-04::test_merged_usr_links_lead_into_usr", linked("lib64", "run")),
    Twin("/etc/localtime dangles", "LAY-05::test_critical_links_lead_somewhere", linked("etc/localtime", "/usr/gone")),
    # init
    Twin("init dangles", "INI-01::test_init_is_executable", linked("usr/sbin/init", "/nowhere"), profile="systemd"),
    Twin("init may not be executed", "INI-01::test_init_is_executable", chmodded("usr/sbin/init", 0o644), "agent-init"),
    Twin(
        "a systemd guest where the agent was to be init",
        "INI-02::test_init_is_the_kind_that_was_asked_for",
        nothing,
        profile="agent-init",
    ),
    Twin(
        "another program in systemd's place",
        "INI-02::test_init_is_the_kind_that_was_asked_for",
        copied(static_program, "usr/lib/systemd/systemd"),
    ),
    Twin(
        "another program that is called NVRC",
        "INI-02::test_init_is_the_kind_that_was_asked_for",
        both(copied(static_program, "usr/sbin/NVRC"), linked("usr/sbin/init", "NVRC")),
    ),
    Twin(
        "another init than the agent",
        "INI-03::test_init_is_the_agent",
        both(copied(static_program, "usr/sbin/init"), copied(stand_in_agent, "usr/bin/kata-agent")),
        "agent-init",
        profile="agent-init",
    ),
    Twin(
        "an initrd without /init",
        "INI-04::test_initrd_has_an_init_at_its_root",
        removed("init"),
        "initrd",
        features=("initrd",),
    ),
    Twin(
        "an initrd whose /init is another program",
        "INI-04::test_initrd_has_an_init_at_its_root",
        linked("init", "bin/bash"),
        "initrd",
        features=("initrd",),
    ),
    Twin(
        "systemd is somewhere else",
        "INI-05::test_systemd_is_executable",
        both(
            copied(systemd_program, "usr/lib/other/systemd"),
            linked("usr/sbin/init", "../lib/other/systemd"),
            chmodded("usr/lib/systemd/systemd", 0o644),
        ),
        profile="systemd",
    ),
    Twin(
        "systemd 257 without its executor",
        "INI-05::test_systemd_has_its_executor",
        copied(lambda: systemd_program(dynamic_program("libsystemd-shared-257.so")), "usr/lib/systemd/systemd"),
        along_with="ELF-01::test_init_finds_its_loader_and_libraries",
    ),
    Twin(
        "the overlay's init is a shell",
        "INI-06::test_overlay_leads_init_to_systemd",
        linked("init", "bin/sh"),
        "overlay",
    ),
    Twin(
        "the overlay's /init starts systemd",
        "INI-06::test_agent_init_overlay_does_not_start_systemd",
        linked("init", "usr/lib/systemd/systemd"),
        "agent-init-overlay",
    ),
    # gate
    Twin(
        "init is an absolute link to the agent",
        "GAT-01::test_image_builder_takes_the_agent_as_init",
        both(
            removed("usr/bin/kata-agent"),
            copied(stand_in_agent, "usr/bin/kata-agent"),
            linked("usr/sbin/init", "/usr/bin/kata-agent"),
        ),
        "agent-init",
    ),
    Twin(
        "the agent's place is an absolute link",
        "GAT-01::test_initrd_builder_finds_the_agent",
        both(copied(stand_in_agent, "opt/kata-agent"), linked("usr/bin/kata-agent", "/opt/kata-agent")),
    ),
    Twin(
        "an initrd whose /init takes two links",
        "INI-04::test_initrd_reaches_its_init_by_one_link",
        both(linked("init", "start"), linked("start", "usr/sbin/init")),
        "initrd",
        features=("initrd",),
    ),
    # owners and modes
    Twin("a setuid shell", "LAY-06::test_setuid_programs_are_the_usual_ones", chmodded("usr/bin/bash", 0o4755)),
    Twin(
        "a setuid program of /opt under a usual name",
        "LAY-06::test_setuid_programs_are_the_usual_ones",
        both(copied(static_program, "opt/su"), chmodded("opt/su", 0o4755)),
    ),
    Twin("a daemon's socket", "LAY-06::test_no_sockets_are_left", a_socket("root/.gnupg/S.gpg-agent")),
    Twin("anybody may write a file", "LAY-06::test_only_root_may_change_the_system", chmodded("etc/passwd", 0o666)),
    Twin("anybody may write a directory", "LAY-06::test_only_root_may_change_the_system", chmodded("usr/lib", 0o777)),
    Twin("the builder's user owns a file", "LAY-06::test_every_owner_is_known", given_to("usr/bin/bash", 1000, 0)),
    Twin("the builder's group owns a link", "LAY-06::test_every_owner_is_known", given_to("var/run", 0, 1000)),
    # devices
    Twin(
        "an initrd without a console",
        "LAY-07::test_initrd_has_its_first_devices",
        removed("dev/console"),
        "initrd",
        features=("initrd",),
    ),
    Twin(
        "an initrd whose /dev/null is the console",
        "LAY-07::test_initrd_has_its_first_devices",
        a_device("dev/null", 5, 1),
        "initrd",
        features=("initrd",),
    ),
    Twin("/dev/null is a file", "LAY-07::test_dev_holds_no_ordinary_files", written("dev/null", "output\n")),
    Twin("a FIFO in /dev", "LAY-07::test_dev_holds_no_ordinary_files", a_fifo("dev/initctl")),
    Twin("a file below /run", "LAY-08::test_nothing_lies_under_a_mount", written("run/sshd.pid", "7\n")),
    Twin("the build's files in /tmp", "LAY-08::test_nothing_lies_under_a_mount", written("tmp/build.log", "made\n")),
    # programs
    Twin(
        "a program for another machine",
        "AGT-02::test_every_program_is_built_for_this_guest",
        copied(lambda: foreign_program(static_program()), "usr/local/bin/tool"),
    ),
    Twin(
        "systemd lacks a library",
        "ELF-01::test_init_finds_its_loader_and_libraries",
        copied(lambda: systemd_program(dynamic_program("libsystemd-shared.so")), "usr/lib/systemd/systemd"),
    ),
    Twin(
        "systemd is a text",
        "ELF-01::test_init_finds_its_loader_and_libraries",
        written("usr/lib/systemd/systemd", "systemd.show_status\n", 0o755),
    ),
    Twin(
        "dbus-daemon is a script without its interpreter",
        "ELF-01::test_program_of_systemd_finds_its_loader_and_libraries",
        written("usr/bin/dbus-daemon", "#!/usr/bin/nothing\n", 0o755),
    ),
    Twin(
        "modprobe is a text",
        "ELF-01::test_program_finds_its_loader_and_libraries",
        written("usr/sbin/modprobe", "modprobe\n", 0o755),
    ),
    Twin(
        "iptables-restore lacks a library",
        "ELF-01::test_program_finds_its_loader_and_libraries",
        copied(lambda: dynamic_program("libxtables.so.12"), "usr/sbin/iptables-restore"),
    ),
    Twin(
        "dbus-daemon lacks a library",
        "ELF-01::test_program_of_systemd_finds_its_loader_and_libraries",
        copied(lambda: dynamic_program("libdbus-1.so.3"), "usr/bin/dbus-daemon"),
    ),
    # overlay
    Twin(
        "the overlay brings a real /lib",
        "OVL-01::test_overlay_brings_no_directory_over_a_link",
        a_directory("lib/systemd"),
        "overlay",
    ),
    Twin(
        "the overlay brings a shell",
        "OVL-01::test_overlay_brings_only_katas_files",
        copied(static_program, "usr/bin/helper"),
        "overlay",
    ),
    Twin("the overlay closes /usr", "OVL-01::test_overlay_closes_no_directory", chmodded("usr", 0o700), "overlay"),
    Twin(
        "the overlay belongs to its builder",
        "OVL-01::test_overlay_belongs_to_root",
        given_to("etc/resolv.conf", 1000, 1000),
        "overlay",
    ),
]
