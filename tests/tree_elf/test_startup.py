"""Would this program start in this guest? Where a guest can be run, the real kernel and loader are asked as well."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rootfs_kit.tree import RootfsTree, open_rootfs
from rootfs_kit.tree.elf import NotElf
from rootfs_kit.tree.elf_closure import ElfProblem, ElfProblemKind, closure_problems
from tests.support.requirements import needs_program, third_party_data
from tests.tree_elf.workshop import (
    CAN_RUN_GUESTS,
    DEEPER,
    FORWARDING,
    LIBRARY,
    LIBRARY_THAT_USES_LIBC,
    Guest,
    compile_c,
)

pytestmark = needs_program("cc")

Kind = ElfProblemKind
APP = "/usr/bin/app"


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path / "root", tmp_path / "shelf")


def library_in(directory: str, *flags: str) -> Callable[[Guest], None]:
    def build(guest: Guest) -> None:
        library = guest.library("libanswer.so.1")
        guest.install(library, directory)
        guest.program(APP, str(library), *flags)

    return build


def static(guest: Guest) -> None:
    guest.program(APP, "-static", source="int main(void) { return 0; }")


def static_pie(guest: Guest) -> None:
    guest.program(APP, "-static-pie", source="int main(void) { return 0; }")


def through_a_second_library(guest: Guest) -> None:
    """The first library finds the second by its own RUNPATH, relative to itself."""
    deeper = guest.library("libdeeper.so.1", DEEPER)
    first = guest.library("libanswer.so.1", FORWARDING, str(deeper), "-Wl,--enable-new-dtags,-rpath,$ORIGIN/private")
    guest.install(first, "/opt/app")
    guest.install(deeper, "/opt/app/private")
    guest.program(APP, str(first), "-Wl,--enable-new-dtags,-rpath,/opt/app", "-Wl,-rpath-link", str(guest.shelf))


def rpath_is_inherited(guest: Guest) -> None:
    """An RPATH of the program serves its libraries too."""
    deeper = guest.library("libdeeper.so.1", DEEPER)
    first = guest.library("libanswer.so.1", FORWARDING, str(deeper))
    guest.install(first, "/opt/app")
    guest.install(deeper, "/opt/app")
    guest.program(APP, str(first), "-Wl,--disable-new-dtags,-rpath,/opt/app", "-Wl,-rpath-link", str(guest.shelf))


def already_loaded_by_soname(guest: Guest) -> None:
    """The library that needs libdeeper finds it loaded already, though no directory of its own holds it."""
    deeper = guest.library("libdeeper.so.1", DEEPER)
    first = guest.library("libanswer.so.1", FORWARDING, str(deeper))
    guest.install(first, "/opt/app")
    guest.install(deeper, "/opt/app")
    guest.program(APP, str(first), str(deeper), "-Wl,--enable-new-dtags,-rpath,/opt/app")


def behind_a_link_that_starts_at_the_root(guest: Guest) -> None:
    library_in("/opt/real")(guest)
    guest.place("/usr/lib/libanswer.so.1").symlink_to("/opt/real/libanswer.so.1")


def version_offered(guest: Guest) -> None:
    library = versioned(guest, "ANSWER_1.0", "ANSWER_2.0")
    guest.install(library, "/usr/lib")
    guest.program(APP, str(library))


def library_that_lost_its_versions(guest: Guest) -> None:
    """The loader warns, and goes on (glibc, elf/dl-version.c)."""
    guest.program(APP, str(versioned(guest, "ANSWER_1.0", "ANSWER_2.0")))
    guest.install(guest.library("libanswer.so.1", LIBRARY_THAT_USES_LIBC), "/usr/lib")


GOOD = {
    "a static program": static,
    "a static PIE": static_pie,
    "a library in a default directory": library_in("/usr/lib"),
    "a library on the RUNPATH": library_in("/opt/app", "-Wl,--enable-new-dtags,-rpath,/opt/app"),
    "a library on the RPATH": library_in("/opt/app", "-Wl,--disable-new-dtags,-rpath,/opt/app"),
    "a library beside the program": library_in("/usr/bin", "-Wl,-rpath,${ORIGIN}"),
    "a RUNPATH that goes up from the program": library_in("/usr/private", "-Wl,-rpath,$ORIGIN/../private"),
    "a library that brings a second one": through_a_second_library,
    "an RPATH that is inherited": rpath_is_inherited,
    "a library that is loaded already": already_loaded_by_soname,
    "an absolute link to a library": behind_a_link_that_starts_at_the_root,
    "a symbol version that is there": version_offered,
    "a library that lost its versions": library_that_lost_its_versions,
}


@pytest.mark.parametrize("build", GOOD.values(), ids=GOOD.keys())
def test_a_program_that_starts_has_no_problem(guest: Guest, build: Callable[[Guest], None]) -> None:
    build(guest)
    assert problems(guest) == ()
    if CAN_RUN_GUESTS:
        assert guest.run(APP).returncode == 0, guest.run(APP).stderr


def versioned(guest: Guest, *versions: str) -> Path:
    """A library whose function belongs to the last of these versions."""
    script = guest.shelf / "versions.map"
    names = list(versions)
    last = names.pop()
    script.write_text("".join(f"{name} {{ }};\n" for name in names) + f"{last} {{ global: answer; local: *; }};\n")
    return guest.library("libanswer.so.1", LIBRARY, f"-Wl,--version-script,{script}")


def no_loader(guest: Guest) -> None:
    library_in("/usr/lib")(guest)
    guest.place(guest.loader).unlink()


def loader_not_executable(guest: Guest) -> None:
    library_in("/usr/lib")(guest)
    guest.place(guest.loader).chmod(0o644)


def loader_is_a_text(guest: Guest) -> None:
    library_in("/usr/lib")(guest)
    guest.place(guest.loader).write_text("see the other package\n")


def no_library(guest: Guest) -> None:
    guest.program(APP, str(guest.library("libanswer.so.1")))


def no_second_library(guest: Guest) -> None:
    through_a_second_library(guest)
    guest.place("/opt/app/private/libdeeper.so.1").unlink()


def runpath_is_not_inherited(guest: Guest) -> None:
    """The RUNPATH of a program is for its own needs only (ld.so(8)); many have learnt this at run time."""
    deeper = guest.library("libdeeper.so.1", DEEPER)
    first = guest.library("libanswer.so.1", FORWARDING, str(deeper))
    guest.install(first, "/opt/app")
    guest.install(deeper, "/opt/app")
    guest.program(APP, str(first), "-Wl,--enable-new-dtags,-rpath,/opt/app", "-Wl,-rpath-link", str(guest.shelf))


def library_link_leads_to_the_host(guest: Guest) -> None:
    """The link's target is there on the machine that built the guest, and not in the guest."""
    guest.program(APP, str(guest.library("libanswer.so.1")))
    guest.place("/usr/lib/libanswer.so.1").symlink_to(guest.shelf / "libanswer.so.1")


def library_is_a_linker_script(guest: Guest) -> None:
    guest.program(APP, str(guest.library("libanswer.so.1")))
    guest.write("/usr/lib/libanswer.so.1", "GROUP ( libc.so.6 )\n")


def library_cut_short_in_its_headers(guest: Guest) -> None:
    _cut_short(guest, 100)


def library_cut_short_in_its_code(guest: Guest) -> None:
    """It is mapped, and the program dies of SIGBUS."""
    _cut_short(guest, 4096)


def _cut_short(guest: Guest, length: int) -> None:
    library = guest.library("libanswer.so.1")
    guest.program(APP, str(library))
    guest.place("/usr/lib/libanswer.so.1").write_bytes(library.read_bytes()[:length])


def library_of_another_machine(guest: Guest) -> None:
    library = guest.library("libanswer.so.1")
    guest.program(APP, str(library))
    content = bytearray(library.read_bytes())
    content[18:20] = (22 if content[18] != 22 else 62).to_bytes(2, "little")
    guest.place("/usr/lib/libanswer.so.1").write_bytes(content)


def version_not_offered(guest: Guest) -> None:
    new = versioned(guest, "ANSWER_1.0", "ANSWER_2.0")
    guest.program(APP, str(new))
    guest.install(versioned(guest, "ANSWER_1.0"), "/usr/lib")


def library_without_a_version_table(guest: Guest) -> None:
    """The loader's own assertion fails (glibc, elf/dl-lookup.c)."""
    guest.program(APP, str(versioned(guest, "ANSWER_1.0", "ANSWER_2.0")))
    guest.install(guest.library("libanswer.so.1"), "/usr/lib")


def configured_but_never_cached(guest: Guest) -> None:
    """ld.so.conf is read by ldconfig only: without the cache that it writes, the loader does not look there."""
    library_in("/opt/app")(guest)
    guest.write("/etc/ld.so.conf", "/opt/app\n")


ANSWER = "libanswer.so.1"
BAD = {
    "no loader": (no_loader, Kind.LOADER_MISSING, None),
    "a loader that may not be executed": (loader_not_executable, Kind.LOADER_NOT_EXECUTABLE, None),
    "a loader that is a text": (loader_is_a_text, Kind.CORRUPT, None),
    "no library": (no_library, Kind.LIBRARY_MISSING, ANSWER),
    "no second library": (no_second_library, Kind.LIBRARY_MISSING, "libdeeper.so.1"),
    "a RUNPATH that is not inherited": (runpath_is_not_inherited, Kind.LIBRARY_MISSING, "libdeeper.so.1"),
    "a link into the host": (library_link_leads_to_the_host, Kind.LIBRARY_MISSING, ANSWER),
    "a linker script for a library": (library_is_a_linker_script, Kind.CORRUPT, ANSWER),
    "a library that is cut short in its headers": (library_cut_short_in_its_headers, Kind.CORRUPT, ANSWER),
    "a library that is cut short in its code": (library_cut_short_in_its_code, Kind.CORRUPT, ANSWER),
    "a library of another machine": (library_of_another_machine, Kind.WRONG_MACHINE, ANSWER),
    "a symbol version that is missing": (version_not_offered, Kind.VERSION_MISSING, ANSWER),
    "a library without a version table": (library_without_a_version_table, Kind.VERSION_MISSING, ANSWER),
    "ld.so.conf without its cache": (configured_but_never_cached, Kind.LIBRARY_MISSING, ANSWER),
}


@pytest.mark.parametrize(("build", "kind", "needed"), BAD.values(), ids=BAD.keys())
def test_a_program_that_cannot_start_says_why(
    guest: Guest, build: Callable[[Guest], None], kind: ElfProblemKind, needed: str | None
) -> None:
    build(guest)
    found = problems(guest)
    assert [(one.kind, one.needed) for one in found] == [(kind, needed or guest.loader)]
    assert (needed or guest.loader) in str(found[0])
    if CAN_RUN_GUESTS:
        assert guest.run(APP).returncode != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to run ldconfig in the guest")
@needs_program("ldconfig")
def test_directories_of_ld_so_conf_count_once_ldconfig_has_run(guest: Guest) -> None:
    library_in("/opt/app")(guest)
    guest.write("/etc/ld.so.conf", "# local\ninclude ld.so.conf.d/*.conf\n")
    guest.write("/etc/ld.so.conf.d/app.conf", "/opt/app\ninclude /etc/ld.so.conf\n")
    subprocess.run(["ldconfig", "-r", guest.root], check=True, capture_output=True)
    assert problems(guest) == ()
    assert guest.run(APP).returncode == 0


def test_a_program_that_is_cut_short_is_told_before_it_dies_of_sigbus(guest: Guest) -> None:
    static(guest)
    place = guest.place(APP)
    place.write_bytes(place.read_bytes()[:8192])
    (problem,) = problems(guest)
    assert (problem.kind, problem.path) == (Kind.CORRUPT, APP)
    assert "ends before what is to be mapped" in str(problem)


def test_the_machine_that_a_foreign_loader_is_for_is_named(guest: Guest) -> None:
    library_in("/usr/lib")(guest)
    place = guest.place(guest.loader)
    content = bytearray(place.read_bytes())
    content[18:20] = (22 if content[18] != 22 else 62).to_bytes(2, "little")
    place.write_bytes(content)
    (problem,) = problems(guest)
    assert problem.kind is Kind.WRONG_MACHINE
    assert guest.loader in str(problem)


def test_several_missing_libraries_are_all_named(guest: Guest) -> None:
    first, second = guest.library("libanswer.so.1"), guest.library("libother.so.1", DEEPER)
    guest.program(APP, str(first), str(second))
    assert [one.needed for one in problems(guest)] == ["libanswer.so.1", "libother.so.1"]


def test_a_name_with_a_newline_cannot_forge_a_line_of_output(guest: Guest) -> None:
    library = guest.library("libevil\nPASSED.so.1")
    guest.program(APP, str(library))
    (problem,) = problems(guest)
    assert "\n" not in str(problem)


def test_a_script_is_no_elf_file_and_says_so(guest: Guest) -> None:
    guest.write(APP, "#!/bin/sh\nexit 0\n")
    with pytest.raises(NotElf, match="script"):
        problems(guest)


def test_the_answer_for_a_link_is_that_for_its_target(guest: Guest) -> None:
    no_library(guest)
    guest.place("/usr/bin/alias").symlink_to("/usr/bin/app")
    tree = open_rootfs(guest.root)
    assert closure_problems(tree, "/usr/bin/alias") == closure_problems(tree, APP) != ()


@needs_program("musl-gcc")
def test_musl_takes_its_own_names_for_itself_and_ignores_versions(tmp_path: Path) -> None:
    root = musl_guest(tmp_path)
    assert closure_problems(open_rootfs(root), APP) == ()


@needs_program("musl-gcc")
def test_musl_reads_its_path_file(tmp_path: Path) -> None:
    root = musl_guest(tmp_path)
    (root / "lib/libanswer.so.1").rename(root / "opt/libanswer.so.1")
    assert [one.kind for one in closure_problems(open_rootfs(root), APP)] == [Kind.LIBRARY_MISSING]
    (root / "etc").mkdir()
    (loader,) = (root / "lib").glob("ld-musl-*")
    machine = loader.name.removeprefix("ld-musl-").removesuffix(".so.1")
    (root / f"etc/ld-musl-{machine}.path").write_text("/lib:/nowhere\n/opt\n")
    assert closure_problems(open_rootfs(root), APP) == ()


def musl_guest(tmp_path: Path) -> Path:
    """A program linked by musl-gcc, its library in /lib, and a loader in the place that it names."""
    root = tmp_path / "root"
    for directory in ("usr/bin", "lib", "opt"):
        (root / directory).mkdir(parents=True)
    library = compile_c(LIBRARY, root / "lib/libanswer.so.1", "-shared", "-fPIC", "-Wl,-soname,libanswer.so.1")
    app = root / "usr/bin/app"
    source = tmp_path / "app.c"
    source.write_text("int answer(void); int main(void) { return answer() - 42; }\n")
    subprocess.run(["musl-gcc", "-o", app, source, library, "-Wl,--no-as-needed"], check=True)
    loader = open_rootfs(root).elf(APP).interpreter
    assert loader is not None
    (root / loader.lstrip("/")).write_bytes(Path(loader).resolve().read_bytes())
    (root / loader.lstrip("/")).chmod(0o755)
    return root


@pytest.mark.parametrize("release", ["3.19.4", "3.20.3"])
def test_every_program_of_a_real_alpine_would_start(release: str, tmp_path: Path) -> None:
    archive = third_party_data() / f"alpine/alpine-minirootfs-{release}-x86_64.tar.gz"
    if not archive.exists():
        pytest.skip(f"needs {archive.name}")
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path, "--no-same-owner"], check=True)
    tree = open_rootfs(tmp_path)
    programs = elf_files(tree)
    assert "/bin/busybox" in programs
    assert {path: closure_problems(tree, path) for path in programs} == dict.fromkeys(programs, ())
    (tmp_path / "lib/ld-musl-x86_64.so.1").unlink()
    (problem,) = closure_problems(open_rootfs(tmp_path), "/bin/busybox")
    assert problem.kind is Kind.LOADER_MISSING


def elf_files(tree: RootfsTree) -> list[str]:
    with_magic = (entry.path for entry in tree.walk() if entry.is_file and entry.size)
    return [path for path in with_magic if tree.read_bytes(path, limit=4) == b"\x7fELF"]


def problems(guest: Guest) -> tuple[ElfProblem, ...]:
    return closure_problems(open_rootfs(guest.root), APP)
