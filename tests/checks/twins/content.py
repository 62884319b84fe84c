"""Known-bad twins: modules, network, packages, leftovers and metadata."""

from __future__ import annotations

from tests.checks.twins.twin import MANIFEST, MODULES, YAML, Twin
from tests.support.agents import packed_agent
from tests.support.defects import appended, both, changed_at, copied, linked, removed, replaced, written
from tests.support.programs import kernel_module, static_program

TWINS = [
    # network
    Twin("resolv.conf is a link", "NET-01::test_resolv_conf_is_a_regular_file", linked("etc/resolv.conf", "/run/stub")),
    Twin("no resolv.conf", "NET-01::test_resolv_conf_is_a_regular_file", removed("etc/resolv.conf"), "overlay"),
    Twin(
        "the build host's resolver",
        "NET-01::test_resolv_conf_holds_no_build_host_resolver",
        written("etc/resolv.conf", "nameserver 192.0.2.1\n"),
    ),
    Twin("the build host's name", "NET-02::test_hostname_is_nobodys", written("etc/hostname", "builder-7\n")),
    Twin(
        "the build host's network",
        "NET-02::test_hosts_names_only_the_guest_itself",
        written("etc/hosts", "192.0.2.7 db\n"),
    ),
    Twin("no iptables-restore", "NET-03::test_iptables_is_where_the_agent_looks", removed("usr/sbin/iptables-restore")),
    # modules
    Twin(
        "a module was removed",
        "MOD-01::test_module_index_agrees_with_the_files",
        removed(f"{MODULES}/kernel/made_base.ko"),
    ),
    Twin("depmod never ran", "MOD-01::test_module_index_agrees_with_the_files", removed(f"{MODULES}/modules.dep")),
    Twin(
        "modules of another kernel",
        "MOD-02::test_modules_are_of_their_kernel",
        copied(lambda: kernel_module("made_base", "6.9.9-other"), f"{MODULES}/kernel/made_base.ko"),
    ),
    Twin(
        "no modules, though the profile names them",
        "MOD-01::test_modules_are_there",
        removed("usr/lib/modules"),
        features=("modules",),
    ),
    Twin("no modprobe", "MOD-03::test_modprobe_is_where_the_agent_looks", removed("usr/sbin/modprobe")),
    # packages
    Twin(
        "iptables is not installed",
        "PKG-01::test_required_package_is_installed",
        replaced("var/lib/dpkg/status", "Package: iptables", "Package: ip"),
    ),
    Twin(
        "a package was removed, its configuration stayed",
        "PKG-01::test_required_package_is_installed",
        replaced(
            "var/lib/dpkg/status",
            "Package: kmod\nStatus: install ok installed",
            "Package: kmod\nStatus: deinstall ok config-files",
        ),
    ),
    Twin(
        "a distribution that nobody knows",
        "PKG-06::test_required_packages_are_known",
        both(replaced("usr/lib/os-release", "ID=debian", "ID=made"), replaced(YAML, '"Debian"', '"made"')),
    ),
    Twin(
        "a package was removed, its configuration stayed",
        "PKG-03::test_no_package_cache_is_left",
        written("var/lib/apt/lists/main_Packages", "x"),
    ),
    Twin("a compiler is left", "PKG-03::test_no_build_tools_are_left", copied(static_program, "usr/bin/gcc")),
    Twin(
        "ssh host keys are left",
        "PKG-03::test_no_machine_secrets_are_left",
        written("etc/ssh/ssh_host_rsa_key", "secret"),
    ),
    # extra packages
    Twin(
        "an extra package was never installed",
        "PKG-02::test_extra_packages_were_really_installed",
        written("var/lib/osbuilder/manifest.json", '{"packages": {"extra": ["strace"]}}'),
    ),
    Twin("a packed agent", "AGT-04::test_agent_is_not_packed", copied(packed_agent, "usr/bin/kata-agent")),
    # metadata
    Twin("no osbuilder.yaml", "YML-01::test_osbuilder_yaml_is_there", removed(YAML)),
    Twin(
        "osbuilder.yaml is cut off", "YML-01::test_osbuilder_yaml_can_be_read", written(YAML, 'osbuilder:\n  url: "x')
    ),
    Twin("osbuilder.yaml of another format", "YML-01::test_osbuilder_yaml_can_be_read", replaced(YAML, "0.0.2", "0.9")),
    Twin(
        "osbuilder.yaml lost a field",
        "YML-01::test_osbuilder_yaml_can_be_read",
        replaced(YAML, '  version: "13"\n', ""),
    ),
    Twin(
        "osbuilder.yaml of another machine",
        "YML-01::test_osbuilder_yaml_names_the_architecture",
        replaced(YAML, 'architecture: "', 'architecture: "not-'),
    ),
    Twin(
        "osbuilder.yaml of the other init mode",
        "INI-02::test_osbuilder_yaml_names_the_init_mode",
        replaced(YAML, 'daemon: "no"', 'daemon: "yes"'),
    ),
    Twin(
        "a proxy for apt",
        "NET-04::test_no_proxy_of_the_build_is_set",
        written("etc/apt/apt.conf.d/80proxy", 'Acquire::http::Proxy "http://proxy.example:3128";\n'),
    ),
    Twin(
        "a proxy for everybody",
        "NET-04::test_no_proxy_of_the_build_is_set",
        written("etc/environment", "PATH=/usr/bin\nhttps_proxy=http://proxy.example:3128\n"),
    ),
    Twin(
        "no list of what is built in",
        "MOD-01::test_builtin_modules_are_listed",
        removed(f"{MODULES}/modules.builtin"),
    ),
    Twin(
        "a module to load at boot that is not there",
        "MOD-04::test_modules_loaded_at_boot_are_there",
        written("etc/modules-load.d/kata-modules.conf", "virtio_fs\n"),
    ),
    Twin(
        "a package is half configured",
        "PKG-05::test_no_package_is_half_installed",
        appended("var/lib/dpkg/status", "\nPackage: ntfs-3g\nStatus: install ok half-configured\nVersion: 1\n"),
    ),
    Twin("dpkg's log is left", "PKG-03::test_no_logs_are_left", written("var/log/dpkg.log", "installed\n")),
    Twin("policy-rc.d is left", "PKG-03::test_no_scaffolding_is_left", written("usr/sbin/policy-rc.d", "exit 101\n")),
    Twin(
        "an emulator is left",
        "PKG-03::test_no_scaffolding_is_left",
        copied(static_program, "usr/bin/qemu-aarch64-static"),
    ),
    Twin(
        "a configuration was never merged",
        "PKG-03::test_no_configuration_is_unsettled",
        written("etc/chrony/chrony.conf.dpkg-dist", "makestep 1 3\n"),
    ),
    Twin(
        "the builder's private key",
        "PKG-03::test_nothing_personal_is_left",
        written("root/.ssh/id_ed25519", "secret\n", 0o600),
    ),
    Twin("a backup of the users", "PKG-03::test_nothing_personal_is_left", written("etc/shadow-", "root:x:\n")),
    Twin("a password", "PKG-03::test_no_password_is_set", written("etc/shadow", "root:$6$salt$hash:1::::::\n")),
    Twin("a kernel is left", "PKG-03::test_no_kernel_and_no_sources_are_left", written("boot/vmlinuz-6.1", "kernel")),
    # reproducible
    Twin(
        "changed after its epoch",
        "REP-01::test_nothing_is_newer_than_its_epoch",
        both(written(MANIFEST, '{"source_date_epoch": 4000000000}'), changed_at("etc/passwd", 4000000001)),
    ),
    Twin(
        "a link into the build directory",
        "REP-01::test_no_link_leads_to_the_build_machine",
        linked("usr/lib/ssl/cert.pem", "/home/ci/rootfs/etc/ssl/certs/ca-certificates.crt"),
    ),
    Twin(
        "a line that names the build directory",
        "REP-01::test_configuration_names_no_build_machine",
        written("etc/ld.so.conf.d/extra.conf", "/home/runner/work/guest/lib\n"),
    ),
    Twin(
        "osbuilder.yaml of the build host",
        "YML-01::test_osbuilder_yaml_names_the_distribution",
        replaced(YAML, 'name: "Debian"', 'name: "fedora"'),
    ),
    Twin(
        "osbuilder.yaml with an agent that is not there",
        "YML-01::test_osbuilder_yaml_names_the_agent",
        replaced(YAML, 'name: "kata-agent"', 'name: "agent"'),
    ),
    Twin(
        "osbuilder.yaml by a busybox date",
        "YML-01::test_osbuilder_yaml_can_be_read",
        replaced(YAML, ".000000000+0000Z", ".%N+0000Z"),
    ),
]
