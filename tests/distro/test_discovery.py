"""Distributions are found in named directories, in the environment's, in plugins', and built in; the first wins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootfs_kit import plugins
from rootfs_kit.distro import places as places_of_distros
from rootfs_kit.distro.search import discover, find_distro
from rootfs_kit.errors import UsageError
from rootfs_kit.hookspecs import hookimpl
from tests.support.surroundings import planned_build

DESCRIPTION = """\
title = "{title}"
backend = "mmdebstrap"
default-release = "one"
init-modes = ["{init}"]
release = [{{ name = "one" }}]
architectures = {{ x86_64 = "amd64" }}
packages = {{ base = ["bash"] }}
"""


def make(directory: Path, title: str = "Made", init: str = "systemd") -> Path:
    directory.mkdir(parents=True)
    (directory / "distro.toml").write_text(DESCRIPTION.format(title=title, init=init))
    return directory


def test_debian_is_built_in():
    assert "debian" in [distro.name for distro in discover()]
    assert find_distro("debian").found_by == "built in"


def test_a_wheel_never_looks_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path / "site-packages" / "rootfs_kit" / "distros" / "ours")
    make(tmp_path / "site-packages" / "distros" / "theirs")
    places = (tmp_path / "site-packages" / "rootfs_kit" / "distros", tmp_path / "site-packages" / "distros")
    monkeypatch.setattr(places_of_distros, "BUILT_IN_DIRECTORIES", places)
    assert [distro.name for distro in discover()] == ["ours"]
    monkeypatch.setattr(places_of_distros, "BUILT_IN_DIRECTORIES", (tmp_path / "nowhere", places[1]))
    assert [distro.name for distro in discover()] == ["theirs"]


def test_an_unknown_name_gets_the_nearest_and_the_list():
    with pytest.raises(UsageError) as caught:
        find_distro("debain")
    assert caught.value.doing == 'looking for the distribution "debain"'
    assert 'Did you mean "debian"?' in caught.value.hint
    assert "Those that can be built: " in caught.value.hint


@pytest.mark.parametrize("name", ["", "/", "..", "debian/", "a\0b", "\x1b[2J", "../../etc"])
def test_a_name_that_is_none_is_refused_in_words(name: str):
    with pytest.raises(UsageError, match="looking for the distribution"):
        find_distro(name)


def test_a_directory_of_distributions_adds_to_the_built_in_ones(tmp_path: Path):
    make(tmp_path / "zeta")
    make(tmp_path / "alpha")
    (tmp_path / "notes").mkdir()
    names = [distro.name for distro in discover([tmp_path])]
    assert names == sorted(names)
    assert {"alpha", "debian", "zeta"} <= set(names)


def test_a_directory_may_be_one_distribution_itself(tmp_path: Path):
    make(tmp_path / "solo")
    assert find_distro("solo", [tmp_path / "solo"]).title == "Made"


def test_a_distribution_may_be_named_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path / "solo")
    monkeypatch.chdir(tmp_path)
    assert find_distro("./solo").name == "solo"


def test_a_named_directory_wins_over_the_environments_and_that_over_the_built_in(tmp_path: Path):
    make(tmp_path / "named" / "debian", "Named")
    make(tmp_path / "variable" / "debian", "Variable")
    make(tmp_path / "variable" / "other", "Other")
    environ = {"ROOTFS_KIT_DISTROS_PATH": os.pathsep.join(["variable", ""])}
    assert planned_build(tmp_path, environ, os_version="one").distro.title == "Variable"
    both = planned_build(tmp_path, environ, os_version="one", distros_dirs=("named",))
    assert both.distro.title == "Named"
    assert planned_build(tmp_path, environ, distro="other", distros_dirs=("named",)).distro.title == "Other"


def test_the_config_file_may_name_directories_relative_to_itself(tmp_path: Path):
    make(tmp_path / "conf" / "distros" / "mine")
    (tmp_path / "conf" / "build.toml").write_text('distro = "mine"\ndistros-dir = ["distros"]\n')
    assert planned_build(tmp_path, distro=None, config="conf/build.toml").distro.name == "mine"


@pytest.mark.parametrize(("name", "found"), [("none", "no such directory"), ("file", "no directory"), (".", "no dis")])
def test_a_directory_that_holds_none_is_refused(tmp_path: Path, name: str, found: str):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        discover([tmp_path / name])
    assert found in caught.value.found
    assert "--distros-dir" in caught.value.hint


def test_one_wrong_description_does_not_stand_in_the_way_of_the_others(tmp_path: Path):
    (make(tmp_path / "broken") / "distro.toml").write_text("title = 4\n")
    assert find_distro("debian", [tmp_path]).title == "Debian"
    with pytest.raises(UsageError, match="broken"):
        find_distro("broken", [tmp_path])


def test_a_plugin_adds_distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path / "plugged")

    class Plugin:
        @hookimpl
        def rootfs_kit_distros(self):
            return [tmp_path]

    manager = plugins.plugin_manager.__wrapped__()
    manager.register(Plugin())
    monkeypatch.setattr(plugins, "plugin_manager", lambda: manager)
    assert find_distro("plugged").found_by == "a plugin"


def test_a_plugin_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[rootfs_kit]\nbroken = broken_plugin\n")
    (tmp_path / "broken_plugin.py").write_text("import nothing_of_that_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r'loading the plugin "broken" \(broken_plugin\): ModuleNotFoundError'):
        plugins.plugin_manager.__wrapped__()


def test_a_plugin_that_is_installed_adds_distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    metadata = tmp_path / "good-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: good\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[rootfs_kit]\ngood = good_plugin\n")
    make(tmp_path / "distros" / "plugged")
    (tmp_path / "good_plugin.py").write_text(
        "from pathlib import Path\n"
        "from rootfs_kit.hookspecs import hookimpl\n"
        "@hookimpl\n"
        "def rootfs_kit_distros():\n"
        "    return [Path(__file__).parent / 'distros']\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    manager = plugins.plugin_manager.__wrapped__()
    assert manager.hook.rootfs_kit_distros() == [[tmp_path / "distros"]]


@pytest.mark.parametrize("name", ["my distro", "-x", "a\nb"])
def test_a_directory_whose_name_is_no_name_is_refused(tmp_path: Path, name: str):
    make(tmp_path / name)
    with pytest.raises(UsageError, match="no name for a distribution"):
        find_distro(name, [tmp_path])
