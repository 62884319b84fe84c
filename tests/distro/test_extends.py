"""A distro.toml may extend another: what it says takes the other's place, and nothing has to be said twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootfs_kit.axes import InitMode
from rootfs_kit.distro import Distro
from rootfs_kit.distro.search import find_distro
from rootfs_kit.errors import UsageError
from tests.distro.test_description import GOOD, PLACES
from tests.support.config_scripts import describe


def written(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True)
    (directory / "distro.toml").write_text(text)
    return directory


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return written(tmp_path / "mine", GOOD.replace('[[release]]\nname = "one"\n', PLACES, 1))


def child(tmp_path: Path, text: str, name: str = "child") -> Distro:
    written(tmp_path / name, f'extends = "mine"\n{text}')
    return find_distro(name, [tmp_path])


def test_all_is_inherited_but_title_and_aliases(tmp_path: Path, parent: Path) -> None:
    mine, distro = find_distro("mine", [tmp_path]), child(tmp_path, "")
    assert (distro.name, distro.title, distro.aliases) == ("child", "child", ())
    assert (distro.releases, distro.packages, distro.architectures, distro.trim, distro.builder) == (
        mine.releases, mine.packages, mine.architectures, mine.trim, mine.builder,
    )  # fmt: skip
    assert distro.os_release_ids == mine.os_release_ids


def test_its_trees_call_themselves_what_the_others_do(tmp_path: Path) -> None:
    written(tmp_path / "mine", 'extends = "debian"\n')
    assert find_distro("mine", [tmp_path]).os_release_ids == ("debian",)


def test_files_count_from_where_they_are_named(tmp_path: Path, parent: Path) -> None:
    distro = child(tmp_path, "")
    assert distro.keyrings == (parent / "keys/mine.gpg",)
    assert distro.keys[0].file == parent / "keys/mine.pub"
    assert child(tmp_path, 'keyrings = ["own.gpg"]', "other").keyrings == (tmp_path / "other/own.gpg",)


def test_tables_are_merged_and_lists_replaced(tmp_path: Path, parent: Path) -> None:
    distro = child(tmp_path, '[packages]\ninit.agent = ["agent-tools"]\n[trim]\npaths = ["/usr/share/man"]\n')
    assert distro.packages.base == ("bash",)
    assert distro.packages.init == {InitMode.AGENT: ("agent-tools",)}
    assert distro.packages.features == {"seccomp": ("libseccomp",)}
    assert distro.trim == ("/usr/share/man",)


def test_extra_packages_add_up_over_generations(tmp_path: Path, parent: Path) -> None:
    assert child(tmp_path, '[packages]\nextra = ["strace", "bash"]\n').packages.base == ("bash", "strace")
    written(tmp_path / "grandchild", 'extends = "child"\n[packages]\nextra = ["jq"]\n')
    assert find_distro("grandchild", [tmp_path]).packages.base == ("bash", "strace", "jq")
    replaced = child(tmp_path, '[packages]\nbase = ["busybox"]\n', "other")
    assert replaced.packages.base == ("busybox",)


def test_one_of_the_same_name_extends_the_next_of_that_name(tmp_path: Path) -> None:
    written(tmp_path / "debian", 'extends = "debian"\n[packages]\nextra = ["strace"]\n')
    distro = find_distro("debian", [tmp_path])
    assert distro.packages.base == (*find_distro("debian").packages.base, "strace")


def test_named_by_its_path_it_finds_what_lies_beside_it(tmp_path: Path, parent: Path) -> None:
    written(tmp_path / "child", 'extends = "mine"\n')
    assert find_distro(str(tmp_path / "child")).packages.base == ("bash",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('\nextends = "mien"\n', 'line 2: there is no distribution "mien"'),
        ('extends = "child"\n', "line 1: it extends itself: child -> child"),
        ('extends = "other"\n', "line 1: it extends itself: child -> other -> child"),
        ("extends = 4\n", "line 1: extends wants a string"),
        ('extends = "scripted"\n', 'line 1: "scripted" is described by a config.sh'),
        ('extends = "mine"\ndefault-release = "six"\n', 'line 2: there is no [[release]] named "six"'),
        ('extends = "mine"\n[packages]\nbasse = []\n', 'line 3: unknown key "basse"'),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, parent: Path, text: str, found: str) -> None:
    written(tmp_path / "child", text)
    written(tmp_path / "other", 'extends = "child"\n')
    describe(tmp_path / "scripted")
    with pytest.raises(UsageError) as caught:
        find_distro("child", [tmp_path])
    assert found in caught.value.found
    assert str(tmp_path) in caught.value.doing


def test_an_unknown_one_gets_the_nearest(tmp_path: Path, parent: Path) -> None:
    written(tmp_path / "child", 'extends = "debain"\n')
    with pytest.raises(UsageError, match='Did you mean "debian"'):
        find_distro("child", [tmp_path])


def test_a_mistake_of_the_other_is_told_as_the_others(tmp_path: Path) -> None:
    mine = written(tmp_path / "mine", GOOD.replace("init-modes", "init-mode"))
    with pytest.raises(UsageError) as caught:
        child(tmp_path, "")
    assert caught.value.doing == f"reading {mine / 'distro.toml'}"
    assert 'line 4: unknown key "init-mode"' in caught.value.found
