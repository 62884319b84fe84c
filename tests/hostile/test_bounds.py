"""Small files that stand for endless work: each is refused, or answered, in good time and little memory."""

from __future__ import annotations

import struct
import tracemalloc
from functools import partial
from pathlib import Path

import pytest

from rootfs_kit.errors import CouldNotLook
from rootfs_kit.suite import judging
from rootfs_kit.suite.check import LONGEST_TEXT, MOST_FINDINGS, Finding, RuleBroken, Severity, clipped, report
from rootfs_kit.suite.patience import patience
from rootfs_kit.suite.verdict import State
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.elf import CorruptElf, ElfFile
from rootfs_kit.tree.module_file import VERMAGIC, read_identity
from rootfs_kit.tree.module_index import CorruptIndex, read_index
from rootfs_kit.tree.units import requirement_closure
from tests.hostile.survey import states, survey
from tests.support import trees
from tests.support.limits import within
from tests.support.programs import dynamic_program
from tests.support.requirements import needs_program

MIB = 1 << 20


def elf64(dynamic: list[tuple[int, int]], strings: bytes, interpreter: bytes = b"/lib/ld.so\0") -> bytes:
    """A program of nothing but headers, a dynamic section and its strings, mapped where it lies in the file."""
    start = 64 + 3 * 56
    tags = b"".join(struct.pack("<QQ", *tag) for tag in [*dynamic, (5, start), (10, len(strings)), (0, 0)])
    place = start + len(strings)
    end = place + len(tags) + len(interpreter)

    def segment(kind: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, size, size, 8)

    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    segments = segment(1, 0, end) + segment(2, place, len(tags)) + segment(3, place + len(tags), len(interpreter))
    return header + segments + strings + tags + interpreter


def test_made_program_is_read_as_it_was_made() -> None:
    elf = ElfFile(elf64([(1, 1), (29, 9)], b"\0libfoo.\0/opt/lib\0"))
    assert (elf.needed, elf.runpath, elf.interpreter) == (("libfoo.",), ("/opt/lib",), "/lib/ld.so")


def test_names_of_libraries_that_overlap_are_not_read_without_end() -> None:
    """Ten thousand needs that each begin one byte further in one long name would be gigabytes of text."""
    content = elf64([(1, number) for number in range(9000)], b"a" * MIB + b"\0")
    tracemalloc.start()
    with within(60), pytest.raises(CorruptElf, match="refer to each other without end"):
        _ = ElfFile(content).needed
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * MIB


def test_search_path_of_a_million_directories_is_refused() -> None:
    with within(30), pytest.raises(CorruptElf, match="more than 1000 directories"):
        _ = ElfFile(elf64([(29, 1)], b"\0" + b"a:" * 300_000 + b"\0")).runpath


def test_name_of_a_loader_that_no_kernel_takes_is_refused() -> None:
    with within(30), pytest.raises(CorruptElf, match="which no kernel takes"):
        _ = ElfFile(elf64([], b"\0", b"/lib/ld-musl-" * MIB)).interpreter


def test_version_magic_that_never_ends_is_no_version_magic(tmp_path: Path) -> None:
    with within(20):
        assert VERMAGIC.search(b"vermagic=1" * 400_000) is None
    import gzip
    import io

    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 0, 0, 64, 0, 0, 64, 0, 0)
    with within(60):
        identity = read_identity(io.BytesIO(gzip.compress(head + b"vermagic=1" * 600_000)), "made.ko")
    assert identity.vermagic is None


def test_index_whose_nodes_overlap_is_refused() -> None:
    """Each child begins one byte further in the same run of letters, which is its prefix and its value."""
    nodes = 250
    table = struct.pack(">BB", 1, nodes)
    start = 12 + 2 + 4 * nodes
    references = b"".join(struct.pack(">I", 0xC0000000 | (start + number)) for number in range(nodes))
    content = struct.pack(">III", 0xB007F457, 0x20001, 0x20000000 | 12) + table + references
    content += b"k" * MIB + b"\0" + struct.pack(">I", 1) + struct.pack(">I", 0) + b"v\0"
    with within(20), pytest.raises(CorruptIndex):
        read_index(content, "modules.dep.bin")


def test_template_whose_instances_require_ever_more_instances_has_an_end(tmp_path: Path) -> None:
    trees.write(tmp_path, "usr/lib/systemd/system/a@.service", "[Unit]\nRequires=a@%i0.service a@%i1.service\n")
    with within(60), pytest.raises(CouldNotLook, match="more than 5000 units"):
        requirement_closure(open_rootfs(tmp_path), "a@0.service")


def test_includes_of_the_loader_that_include_each_other_have_an_end(tmp_path: Path) -> None:
    for number in range(3000):
        trees.write(tmp_path, f"etc/{number}.conf", f"include /etc/{number + 1}.conf\n/lib/{number}\n")
    trees.write(tmp_path, "etc/ld.so.conf", "include /etc/0.conf\n")
    trees.write(tmp_path, "etc/ld.so.cache")
    from rootfs_kit.tree.elf_search import search_of

    with within(30):
        assert "/lib/0" in search_of(open_rootfs(tmp_path), ElfFile(elf64([], b"\0"))).configured  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["\n" * MIB, " " * MIB, "package\n" * 100_000, "package" + " " * MIB])
def test_policy_of_blanks_is_searched_in_good_time(tmp_path: Path, text: str) -> None:
    trees.write(tmp_path, "etc/kata-opa/default-policy.rego", text)
    trees.write(tmp_path, "etc/os-release", "ID=made\n")
    with within(40):
        verdict = survey(tmp_path, profile="systemd,policy")
    assert "POL-01" in states(verdict, State.FAILED)


def test_pattern_that_goes_through_its_text_again_and_again_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "patience", partial(patience, seconds=0.5))
    trees.write(tmp_path, "guest/etc/os-release", "ID=made\n")
    trees.write(tmp_path, "guest/etc/hosts", "a" * 60 + "b\n")
    (tmp_path / "expect.toml").write_text("[files.'/etc/hosts']\npattern = '^(a+)+$'\n")
    verdict = survey(tmp_path / "guest", expect=tmp_path / "expect.toml")
    (unknown,) = (result for result in verdict.of(State.UNKNOWN) if result.check == "EXP-02")
    assert unknown.unknown is not None and "0.5 seconds of processor time" in unknown.unknown.found
    assert verdict.of(State.PASSED), "the checks after it ran"


def test_patience_is_of_work_and_not_of_waiting() -> None:
    import time

    with patience("waiting", seconds=0.2):
        time.sleep(0.5)
    with pytest.raises(CouldNotLook, match="working: it took more than"), patience("working", seconds=0.2):
        while True:
            pass


def test_patience_leaves_a_profiler_its_signal() -> None:
    import signal

    def profile(*_: object) -> None: ...

    before = signal.signal(signal.SIGPROF, profile)
    try:
        with patience("anything", seconds=0.01):
            assert signal.getsignal(signal.SIGPROF) is profile
    finally:
        signal.signal(signal.SIGPROF, before)


def finding(number: int, severity: Severity | None = None) -> Finding:
    return Finding(f"/{number}", "found", "expected", "at boot", "mend", severity)


def test_a_million_findings_are_a_thousand_and_a_count() -> None:
    with pytest.raises(RuleBroken) as raised:
        report(finding(number) for number in range(1_000_000))
    last = raised.value.findings[-1]
    assert len(raised.value.findings) == MOST_FINDINGS + 1
    assert (last.path, last.found, last.severity) == ("/", "999000 more of the same kind", None)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("rest", "severity"),
    [
        ([Severity.WARN, Severity.WARN], Severity.WARN),
        ([Severity.WARN, Severity.ERROR], Severity.ERROR),
        ([None, Severity.WARN], Severity.ERROR),
    ],
)
def test_findings_that_are_counted_weigh_no_less_than_the_gravest(
    rest: list[Severity | None], severity: Severity
) -> None:
    shown = [finding(number, Severity.INFO) for number in range(MOST_FINDINGS)]
    with pytest.raises(RuleBroken) as raised:
        report([*shown, *(finding(0, one) for one in rest)])
    assert raised.value.findings[-1].severity is severity


def test_texts_of_a_finding_are_cut_and_say_so() -> None:
    long = Finding("/a", "x" * 5000, "y", "z", "m", Severity.WARN)
    cut = clipped(long)
    assert cut.found == "x" * LONGEST_TEXT + "… (3000 characters more)"
    assert (cut.path, cut.expected, cut.severity) == ("/a", "y", Severity.WARN)
    assert clipped(finding(1)) == finding(1)


@needs_program("cc", "depmod")
def test_many_thousand_links_and_files_are_judged_in_little_memory(tmp_path: Path) -> None:
    guest = trees.systemd_guest(tmp_path / "guest")
    for number in range(20_000):
        (guest / f"usr/share/{number % 50}").mkdir(parents=True, exist_ok=True)
        (guest / f"usr/share/{number % 50}/link-{number}").symlink_to("nowhere/" * 200)
    tracemalloc.start()
    verdict = survey(guest)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (noted,) = (result for result in verdict.of(State.NOTED) if result.check == "LAY-05")
    assert noted.findings[-1].finding.found == "19000 more of the same kind"
    assert peak < 150 * MIB


@needs_program("cc")
def test_program_with_more_sections_than_memory_is_refused(tmp_path: Path) -> None:
    content = bytearray(dynamic_program("liba.so.1").read_bytes())
    place = tmp_path / "usr/bin/program"
    place.parent.mkdir(parents=True)
    content[60:62] = bytes(2)  # e_shnum 0: the count stands in the first section header
    sections = struct.unpack_from("<Q", content, 40)[0]
    content[sections + 32 : sections + 40] = struct.pack("<Q", 1 << 32)
    place.write_bytes(content)
    with place.open("r+b") as file:
        file.truncate(1 << 40)
    with within(20), pytest.raises(CorruptElf, match="speak of a part of"):
        _ = open_rootfs(tmp_path).elf("/usr/bin/program").sections
