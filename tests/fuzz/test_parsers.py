"""Parsers of texts and trees under hypothesis. Those of package databases are in tests/tree_packages, those of
archives in tests/archives, single ELF files, modules and units beside their own tests.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootfs_kit.distro.file import load_distro
from rootfs_kit.distro.places import BUILT_IN_DIRECTORIES, Location
from rootfs_kit.errors import CouldNotLook, UsageError
from rootfs_kit.suite.anatomy import MANIFEST, manifest
from rootfs_kit.suite.bounds import parse_bounds
from rootfs_kit.suite.clock import read_chrony
from rootfs_kit.suite.expectation_file import read_expectation
from rootfs_kit.suite.profile import WORDS, parse_profile
from rootfs_kit.suite.summary_document import SUMMARY, NoSummary, field, read_summary
from rootfs_kit.tree import open_rootfs
from rootfs_kit.tree.elf import NotElf
from rootfs_kit.tree.elf_closure import closure_problems
from rootfs_kit.tree.elf_search import LD_SO_CACHE, LD_SO_CONF
from rootfs_kit.tree.packages.version import compare
from tests.hostile.survey import survey
from tests.suite.test_expectation_file import EVERYTHING
from tests.support import trees
from tests.support.damage import damaged, damaged_text
from tests.support.limits import within
from tests.support.programs import dynamic_program
from tests.support.requirements import needs_program

FUZZING = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SECONDS = 60

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["packages", "agent", "name", "requested", "extra", "installed", "content", "init", "deleted_units", "x"]
    ), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
MODULE_LISTS = ("modules.dep", "modules.alias", "modules.softdep", "modules.builtin", "modules.order")


def is_told(error: Exception) -> bool:
    """Three parts, each with something in it, as every error has."""
    return all(isinstance(part, str) and part for part in error.args) and len(error.args) == 3


@FUZZING
@given(text=damaged_text(EVERYTHING))
def test_expectations_are_read_or_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "expect.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with within(SECONDS):
        try:
            read_expectation(file)
        except UsageError as error:
            assert is_told(error)


@FUZZING
@given(data=damaged(EVERYTHING.encode()))
def test_expectations_of_damaged_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "expect.toml").write_bytes(data)
    with within(SECONDS):
        try:
            read_expectation(tmp_path / "expect.toml")
        except UsageError as error:
            assert is_told(error)


@cache
def described() -> list[Path]:
    return sorted(path for place in BUILT_IN_DIRECTORIES for path in place.glob("*/distro.toml"))


@FUZZING
@given(data=st.data())
def test_descriptions_of_distributions_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(described()))
    place = tmp_path / source.parent.name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    text = data.draw(damaged_text(source.read_text()))
    (place / "distro.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with within(SECONDS):
        try:
            load_distro(Location(place.name, place, "a test"))
        except UsageError as error:
            assert is_told(error)


@FUZZING
@given(words=st.lists(st.sampled_from(WORDS) | st.text(max_size=10), max_size=5))
def test_profiles_are_read_or_refused(words: list[str]) -> None:
    try:
        assert parse_profile(",".join(words)).features <= set(WORDS)
    except UsageError as error:
        assert is_told(error)


@FUZZING
@given(text=st.text(alphabet="<>=!, ~^:1a.\n\0é", max_size=20))
def test_bounds_are_read_or_refused(text: str) -> None:
    try:
        parse_bounds(text)
    except UsageError as error:
        assert is_told(error)


@FUZZING
@given(document=JSON, data=st.data())
def test_manifest_is_read_or_unknown(tmp_path: Path, document: Any, data: st.DataObject) -> None:
    text = json.dumps(document).encode()
    content = data.draw(st.one_of(st.just(text), damaged(text)))
    place = tmp_path / MANIFEST.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    tree = open_rootfs(tmp_path)
    for ask in (lambda: manifest(tree), lambda: tree.packages):
        try:
            ask()
        except CouldNotLook as error:
            assert is_told(error)


@FUZZING
@given(data=damaged(trees.OSBUILDER_YAML.encode()))
def test_summary_is_read_or_none(tmp_path: Path, data: bytes) -> None:
    place = tmp_path / SUMMARY.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    try:
        document = read_summary(open_rootfs(tmp_path))
        assert field(document, "osbuilder.url") is None or isinstance(field(document, "osbuilder.url"), str)
    except NoSummary as error:
        assert str(error)


@FUZZING
@given(text=damaged_text("server a iburst\n! comment\ninclude /etc/chrony/*.conf\nconfdir /etc/chrony /nowhere\n"))
def test_clock_configuration_is_always_read(tmp_path: Path, text: str) -> None:
    trees.write(tmp_path, "etc/chrony/chrony.conf")
    (tmp_path / "etc/chrony/chrony.conf").write_bytes(text.encode("utf-8", "surrogatepass"))
    configuration = read_chrony(open_rootfs(tmp_path))
    assert configuration is not None and configuration.path == "/etc/chrony/chrony.conf"


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.systemd_guest(tmp_path_factory.mktemp("fuzzed") / "guest")


@needs_program("cc", "depmod")
@settings(FUZZING, max_examples=80)
@given(data=st.data())
def test_lists_of_modules_are_read_or_told(guest: Path, data: st.DataObject) -> None:
    place = guest / "lib/modules" / trees.KERNEL / data.draw(st.sampled_from(MODULE_LISTS))
    before = place.read_bytes()
    try:
        place.write_bytes(data.draw(damaged(before)))
        with within(SECONDS):
            modules = open_rootfs(guest).modules(trees.KERNEL)
            problems = modules.problems()
            assert all(str(problem) for problem in problems)
            assert modules.dependencies("made_user") is not None and modules.aliases is not None
            assert modules.softdeps is not None and modules.find("made_builtin") in (None, modules.find("made-builtin"))
    finally:
        place.write_bytes(before)


@needs_program("cc")
@settings(FUZZING, max_examples=200)
@given(data=st.data())
def test_programs_and_libraries_that_need_each_other_are_judged_or_unknown(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The closure of a program of which one part is damaged, or where the loader looks is."""
    root = _linked_guest(tmp_path_factory)
    place = root / data.draw(st.sampled_from(["usr/bin/program", "usr/lib/liba.so.1", LD_SO_CONF.lstrip("/")]))
    before = place.read_bytes()
    try:
        place.write_bytes(data.draw(damaged(before)))
        with within(SECONDS):
            try:
                problems = closure_problems(open_rootfs(root), "/usr/bin/program")
                assert all(str(problem).isprintable() for problem in problems)
            except (NotElf, CouldNotLook) as error:
                assert is_told(error)
    finally:
        place.write_bytes(before)


_made: dict[str, Path] = {}


def _linked_guest(factory: pytest.TempPathFactory) -> Path:
    if "linked" not in _made:
        root = factory.mktemp("linked")
        program = dynamic_program("liba.so.1")
        trees.program(root, "usr/bin/program", program)
        trees.program(root, "usr/lib/liba.so.1", program.with_name("liba.so.1"))
        trees.write(root, LD_SO_CONF.lstrip("/"), "include /etc/ld.so.conf.d/*.conf\n/usr/lib\n")
        trees.write(root, LD_SO_CACHE.lstrip("/"))
        _made["linked"] = root
    return _made["linked"]


@pytest.mark.slow
@needs_program("cc", "depmod")
@settings(FUZZING, max_examples=60)
@given(data=st.data())
def test_guest_with_any_file_damaged_is_judged(guest: Path, data: st.DataObject) -> None:
    files = sorted(path for path in guest.rglob("*") if path.is_file() and not path.is_symlink())
    place = data.draw(st.sampled_from(files))
    before = place.read_bytes()
    try:
        place.write_bytes(data.draw(damaged(before)))
        survey(guest)
    finally:
        place.write_bytes(before)


VERSION_WORDS = st.lists(
    st.sampled_from(["0", "1", "10", "01", "a", "rc", "~", "^", ".", "_", "+", "_alpha", "-r1", ":", "p"]),
    min_size=1, max_size=5,
).map("".join)  # fmt: skip


@pytest.mark.parametrize("kind", ["dpkg", "rpm", "apk"])
@settings(max_examples=500, deadline=None)
@given(versions=st.lists(VERSION_WORDS | st.text(max_size=6), min_size=3, max_size=3))
def test_versions_have_one_order(kind: Any, versions: list[str]) -> None:
    """Total, antisymmetric and transitive; pacman's is not, as it takes 1-1 and 1-2 both for equal to 1."""
    one, two, three = versions
    assert compare(kind, one, one) == 0
    assert compare(kind, one, two) == -compare(kind, two, one)
    if compare(kind, one, two) <= 0 and compare(kind, two, three) <= 0:
        assert compare(kind, one, three) <= 0
    if compare(kind, one, two) == 0:
        assert compare(kind, one, three) == compare(kind, two, three)


@pytest.mark.parametrize(
    ("line", "words"),
    [(f'size-budget = "{"9" * 400} GiB"', "size-budget wants"), ("size-budget = " + "9" * 5000, "number without end")],
)
def test_numbers_without_end_are_refused(tmp_path: Path, line: str, words: str) -> None:
    """Found by the tests above: an OverflowError, and a ValueError of tomllib's that is no TOMLDecodeError."""
    (tmp_path / "expect.toml").write_text(line + "\n")
    with pytest.raises(UsageError, match=words):
        read_expectation(tmp_path / "expect.toml")
