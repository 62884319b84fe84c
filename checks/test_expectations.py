"""Expectations: what somebody expects of this one rootfs (`--expect FILE`), and the waivers that they wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite.check import ERROR, Finding, check, report, require
from rootfs_kit.suite.expectation import Expectation, ExpectedFile, Waiver, today
from rootfs_kit.suite.requirements import RequiredUnit
from rootfs_kit.tree import Kind, RootfsFile, RootfsTree
from rootfs_kit.tree.machines import rootfs_machine
from rootfs_kit.tree.modules import ModuleTree
from rootfs_kit.tree.packages import Presence

OTHERWISE = "the guest is not the one that was agreed upon"
MEND = "correct the rootfs, or change the expectation on purpose"
MODULES = "/lib/modules"
SETUID_OR_SETGID = 0o6000


def _expected(path: str, found: str, expected: str) -> Finding:
    return Finding(path, found, expected, OTHERWISE, MEND)


@check("EXP-01", severity=ERROR, expects="distro", source="the expectations: distro")
def test_distro_is_as_expected(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against a rootfs of another distribution than the gate expects. Build the one that it names."""
    found = rootfs.os_release.get("ID", "no ID")
    require(
        found == expectation.distro,
        "/etc/os-release",
        found=found,
        expected=f"{expectation.distro}",
        at_boot=OTHERWISE,
        mend=MEND,
    )


@check("EXP-01", severity=ERROR, expects="release", source="the expectations: release")
def test_release_is_as_expected(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against another release than the gate expects, by number or by name. Build the one that it names."""
    names = [rootfs.os_release.get(key, "") for key in ("VERSION_ID", "VERSION_CODENAME")]
    require(
        expectation.release in names,
        "/etc/os-release",
        found=" ".join(name for name in names if name) or "no VERSION_ID",
        expected=f"{expectation.release}",
        at_boot=OTHERWISE,
        mend=MEND,
    )


@check("EXP-01", severity=ERROR, expects="arch", source="the expectations: arch")
def test_architecture_is_as_expected(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against a rootfs for another machine than the gate expects. Build for the one that it names."""
    found = rootfs_machine(rootfs)
    if found is None:
        raise CouldNotLook(
            "finding out the architecture",
            "none of the programs that would tell is there",
            "Judge a full rootfs, or take arch out of the expectations.",
        )
    wrong = found != expectation.arch
    report([_expected("/", f"programs for {found}", f"programs for {expectation.arch}")] if wrong else [])


@check("EXP-01", severity=ERROR, expects="kernel", source="the expectations: kernel")
def test_modules_of_the_expected_kernel_are_there(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against modules of another kernel than the runtime starts. Copy the ones that belong to it."""
    versions = rootfs.module_versions
    require(
        expectation.kernel in versions,
        "/lib/modules",
        found="modules of " + ", ".join(versions) if versions else "no modules",
        expected=f"modules of {expectation.kernel}",
        at_boot="modprobe finds no modules for the running kernel",
        mend=MEND,
    )


@check("EXP-02", severity=ERROR, source="the expectations: files")
def test_file_is_as_expected(rootfs: RootfsTree, expected_file: ExpectedFile) -> None:
    """Guards against a file whose mode, owner or content is not as agreed, that is missing, or should not be there.

    Links are followed inside the rootfs. Correct the file, or the expectation.
    """
    path, file = expected_file.path, rootfs.file(expected_file.path)
    if expected_file.absent:
        report([_expected(path, file.describe(), "nothing")] if rootfs.lstat(path) is not None else [])
    elif not file.exists:
        report([_expected(path, file.describe(), "the file that the expectations describe")])
    else:
        report(_expected(path, found, expected) for found, expected in _differences(expected_file, file))


def _differences(expected: ExpectedFile, file: RootfsFile) -> Iterator[tuple[str, str]]:
    """What was found and what was expected, where they differ."""
    if expected.mode is not None and file.mode != expected.mode:
        yield f"mode {file.mode:04o}", f"mode {expected.mode:04o}"
    if expected.owner is not None and (file.uid, file.gid) != expected.owner:
        yield f"owner {file.uid}:{file.gid}", f"owner {expected.owner[0]}:{expected.owner[1]}"
    if expected.sha256 is not None and (digest := file.sha256()) != expected.sha256:
        yield f"sha256 {digest}", f"sha256 {expected.sha256}"
    if expected.pattern is not None and not re.search(expected.pattern, file.read_text(), re.MULTILINE):
        yield "content that does not match", f"a line that matches {expected.pattern}"


@check("EXP-03", severity=ERROR, source="the expectations: modules")
def test_expected_module_is_there(rootfs: RootfsTree, expected_module: str) -> None:
    """Guards against a kernel module that the guest needs and that no kernel of the rootfs has, built in or not.

    Copy it (KERNEL_MODULES_DIR), or build it in.
    """
    versions = rootfs.module_versions
    lacking = [f"{MODULES}/{version}" for version in versions if rootfs.modules(version).find(expected_module) is None]
    report(
        Finding(
            directory,
            found=f"no module {expected_module}",
            expected=f"the module {expected_module}, or that it is built in",
            at_boot=f"loading {expected_module} fails, and with it what needs it",
            mend=f"add {expected_module} to the modules of the rootfs",
        )
        for directory in (lacking if versions else [MODULES])
    )


@check("EXP-03", severity=ERROR, source="the expectations: modules; modules.dep(5)")
def test_expected_module_finds_what_it_needs(rootfs: RootfsTree, expected_module: str) -> None:
    """Guards against a module that is there while another that it needs is not: modprobe loads neither.

    Copy the whole directory of modules, or with each module those that modules.dep names for it.
    """
    report(
        Finding(
            f"{tree.directory}/{path}",
            found="nothing",
            expected=f"the module, as {expected_module} needs it",
            at_boot=f"loading {expected_module} fails: Unknown symbol in module",
            mend=f"add {path} to the modules of the rootfs",
        )
        for tree in map(rootfs.modules, rootfs.module_versions)
        for path in _needed_and_absent(tree, expected_module)
    )


def _needed_and_absent(tree: ModuleTree, name: str) -> list[str]:
    """Paths below the directory of modules."""
    found = tree.find(name)
    relative = {path: relative for relative, path in tree.files.items()}.get(found.path or "") if found else None
    waiting, seen = [relative] if relative else [], set[str]()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(tree.dep.get(path, ()))
    return sorted(seen - tree.files.keys())


@check("EXP-04", severity=ERROR, source="the expectations: units")
def test_required_unit_is_there(rootfs: RootfsTree, required_unit: RequiredUnit) -> None:
    """Guards against a unit that the gate requires and that systemd could not load. Install it, or unmask it."""
    unit = rootfs.unit(required_unit.name)
    require(
        unit is not None and not unit.masked,
        unit.path if unit is not None else f"/usr/lib/systemd/system/{required_unit.name}",
        found="masked" if unit is not None else "no such unit",
        expected=f"{required_unit.name}, required by {required_unit.required_by}",
        at_boot="what the unit starts is not started",
        mend=f"install or unmask {required_unit.name}",
    )


@check("EXP-05", severity=ERROR, expects="packages", source="the expectations: packages")
def test_unwanted_packages_are_absent(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against packages that the gate forbids. Remove them from the rootfs."""
    packages = rootfs.packages
    unwanted = [package.name for package in expectation.packages if package.absent]
    unknown = [name for name in unwanted if packages.answer(name) is Presence.UNKNOWN]
    if unknown:
        raise CouldNotLook(
            f"looking for the packages {', '.join(unknown)}",
            f"the rootfs has no complete list of packages (method: {packages.method})",
            "Judge the rootfs before its database is dropped, or keep rootfs-kit's manifest in it.",
        )
    report(
        _expected(packages.source_path or "/", f"the package {name}", f"no package {name}")
        for name in unwanted
        if packages.answer(name) is Presence.INSTALLED
    )


@check("EXP-06", severity=ERROR, expects="setuid", source="the expectations: setuid; chmod(2)")
def test_only_expected_files_are_setuid(rootfs: RootfsTree, expectation: Expectation) -> None:
    """Guards against programs that give rights away and that nobody agreed to. Clear the bit, or list the file."""
    allowed = expectation.setuid or frozenset()
    report(
        Finding(
            entry.path,
            found=f"mode {entry.mode:04o}",
            expected="no setuid or setgid bit, or a place in the list of the expectations",
            at_boot="any process of the guest can use the rights of the file's owner",
            mend="chmod ug-s it, or add it to setuid in the expectations",
        )
        for entry in rootfs.walk("/", Kind.FILE)
        if entry.mode & SETUID_OR_SETGID and entry.path not in allowed
    )


@check("EXP-07", severity=ERROR, source="the expectations: waivers")
def test_waiver_names_a_check(
    waiver: Waiver, known_checks: frozenset[tuple[str, str]], expectation: Expectation
) -> None:
    """Guards against a waiver with a typing error, which would never take effect. Write the check's id."""
    known = sorted({id for id, _ in known_checks})
    nearest = get_close_matches(waiver.check.upper(), known, n=1)
    require(
        any(waiver.names(nodeid, id) for id, nodeid in known_checks),
        f"{expectation.source}:{waiver.line}",
        found=f'a waiver of "{waiver.check}", which is no check',
        expected="the id of a check, as `rootfs-kit checks` lists them",
        at_boot="",
        mend=f"did you mean {nearest[0]}?" if nearest else "write the id of a check",
    )


@check("EXP-07", severity=ERROR, source="the expectations: waivers")
def test_waiver_has_not_ended(waiver: Waiver, expectation: Expectation) -> None:
    """Guards against a fault that was to be accepted for a while and became a habit. Mend it, or renew the waiver."""
    require(
        waiver.in_force(today()),
        f"{expectation.source}:{waiver.line}",
        found=f"the waiver of {waiver.title} ended on {waiver.until} ({waiver.reason})",
        expected="waivers that are in force",
        at_boot="",
        mend="mend what was waived and remove the waiver, or give it a new date",
    )
