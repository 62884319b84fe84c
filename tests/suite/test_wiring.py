"""`pytest --rootfs=DIR` finds the packaged checks from anywhere, under one name, whatever surrounds it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.suite.conftest import CHECKOUT, NO_CACHES, Pytest, environment, run_pytest, write_metadata

INIT = "rootfs-kit/test_init.py"
EXECUTABLE = f"{INIT}::test_init_is_executable"


def collected(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match(r"rootfs-kit/test_\w+\.py::", line)]


def test_rootfs_alone_collects_the_packaged_checks(run: Pytest, rootfs_dir: Path) -> None:
    ended = run(f"--rootfs={rootfs_dir}", "--co", "-q")
    assert ended.status == 0
    assert EXECUTABLE in collected(ended.text)
    assert len({line.partition("::")[0] for line in collected(ended.text)}) > 5


def test_without_rootfs_nothing_of_the_suite_shows(run: Pytest) -> None:
    ended = run()
    assert ended.status == 5
    assert not ended.lines_with("rootfs:") and not ended.lines_with("rootfs-kit:")


def test_ids_are_the_same_from_every_directory(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    deep = here / "a" / "b"
    deep.mkdir(parents=True)
    (here / "pytest.ini").write_text("[pytest]\n")
    one = run(f"--rootfs={rootfs_dir}", "--junitxml=junit.xml", INIT, cwd=deep)
    two = run(f"--rootfs={rootfs_dir}", "--junitxml=junit.xml", INIT)
    assert one.status == two.status == 0, one.text + two.text
    named = [
        [(case.get("classname"), case.get("name")) for case in ElementTree.parse(place / "junit.xml").iter("testcase")]
        for place in (deep, here)
    ]
    assert named[0] == named[1]
    assert ("rootfs-kit.test_init", "test_init_is_executable") in named[0]


def test_checkout_that_is_not_installed_runs_them(rootfs_dir: Path, here: Path) -> None:
    ended = run_pytest(
        "-p", "rootfs_kit.pytest_plugin", f"--rootfs={rootfs_dir}", "-v", INIT, cwd=here, env=environment(CHECKOUT)
    )
    assert ended.status == 0, ended.text
    assert ended.lines_with(f"{EXECUTABLE} PASSED")


def test_names_in_junit_are_those_of_a_wheel_in_a_checkout_too(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    run(f"--rootfs={rootfs_dir}", "--junitxml=wheel.xml")
    arguments = ("-p", "rootfs_kit.pytest_plugin", f"--rootfs={rootfs_dir}", "--junitxml=checkout.xml")
    run_pytest(*arguments, cwd=here, env=environment(CHECKOUT))
    wheel, checkout = (
        [(case.get("classname"), case.get("name")) for case in ElementTree.parse(here / name).iter("testcase")]
        for name in ("wheel.xml", "checkout.xml")
    )
    assert wheel == checkout and len(wheel) > 50


def test_plugin_that_comes_with_a_conftest_runs_them(rootfs_dir: Path, here: Path) -> None:
    (here / "conftest.py").write_text('pytest_plugins = ["rootfs_kit.pytest_plugin"]\n')
    ended = run_pytest(f"--rootfs={rootfs_dir}", "--co", "-q", cwd=here, env=environment(CHECKOUT))
    assert EXECUTABLE in collected(ended.text), ended.text


def test_editable_installation_runs_them(rootfs_dir: Path, here: Path, tmp_path: Path) -> None:
    """An editable installation: the entry point is installed, the code and the checks lie in the checkout."""
    write_metadata(tmp_path / "editable", tomllib.loads((CHECKOUT / "pyproject.toml").read_text()))
    env = environment(tmp_path / "editable", CHECKOUT)
    ended = run_pytest(f"--rootfs={rootfs_dir}", "-v", INIT, cwd=here, env=env)
    assert ended.status == 0, ended.text
    assert ended.lines_with(f"{EXECUTABLE} PASSED")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a conftest.py at its top, as ours has, that nobody's own run could do with."""
    place = tmp_path / "checkout"
    for directory in ("rootfs_kit", "checks", "distros"):
        shutil.copytree(CHECKOUT / directory, place / directory, ignore=NO_CACHES)
    for directory in (place, place / "checks"):
        (directory / "conftest.py").write_text('raise RuntimeError("loaded from above the checks")\n')
    write_metadata(place / "metadata", tomllib.loads((CHECKOUT / "pyproject.toml").read_text()))
    return place


@pytest.mark.parametrize(
    "paths", [[], [EXECUTABLE], ["rootfs-kit", "tests/"], [EXECUTABLE, "tests/", "-n1"]], ids=" ".join
)
def test_no_conftest_above_the_checks_is_loaded(rootfs_dir: Path, here: Path, checkout: Path, paths: list[str]) -> None:
    if "-n1" in paths:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    (here / "tests").mkdir()
    (here / "tests/conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef mine(): return 1\n")
    (here / "tests/test_mine.py").write_text("def test_mine(rootfs, mine): assert mine\n")
    env = environment(checkout / "metadata", checkout)
    ended = run_pytest(f"--rootfs={rootfs_dir}", "-v", *paths, "-k", "mine or init_is_exec", cwd=here, env=env)
    assert ended.status == 0, ended.text
    assert bool(ended.lines_with("test_mine")) == ("tests/" in paths)
    assert ended.lines_with("test_init_is_executable")


def test_tests_beside_the_checks_of_a_checkout_have_their_conftest(
    rootfs_dir: Path, here: Path, checkout: Path
) -> None:
    (checkout / "conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef mine(): return 1\n")
    (checkout / "mine").mkdir()
    (checkout / "mine/test_mine.py").write_text("def test_mine(rootfs, mine): assert mine\n")
    env = environment(checkout / "metadata", checkout)
    ended = run_pytest(f"--rootfs={rootfs_dir}", "-v", EXECUTABLE, f"{checkout}/mine", cwd=here, env=env)
    assert ended.status == 0, ended.text
    assert "2 passed" in ended.text


def test_plugin_named_twice_is_registered_once(run: Pytest, rootfs_dir: Path) -> None:
    assert run("-p", "rootfs_kit.pytest_plugin", f"--rootfs={rootfs_dir}", INIT).status == 0


@pytest.mark.parametrize("argument", [EXECUTABLE, f"../{EXECUTABLE}"])
def test_printed_id_is_an_argument(run: Pytest, rootfs_dir: Path, argument: str) -> None:
    ended = run(f"--rootfs={rootfs_dir}", "-v", argument)
    assert ended.status == 0, ended.text
    assert "1 passed" in ended.text


def test_one_case_of_a_check_is_an_argument(run: Pytest, rootfs_dir: Path) -> None:
    ended = run(f"--rootfs={rootfs_dir}", "rootfs-kit/test_layout.py::test_mount_point_is_there[/proc]")
    assert "1 passed" in ended.text


def test_directory_of_that_name_is_the_users_own(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    own = here / "rootfs-kit" / "test_init.py"
    own.parent.mkdir()
    own.write_text("def test_of_my_own(rootfs): assert rootfs.exists('/etc')\n")
    ended = run(f"--rootfs={rootfs_dir}", "-v", "rootfs-kit/test_init.py")
    assert ended.lines_with("test_of_my_own PASSED")
    assert "test_init_is_executable" not in ended.text


@pytest.mark.parametrize(
    "arguments",
    [
        ["-n2"],
        ["--import-mode=importlib"],
        ["--import-mode=append"],
        ["--strict-markers", "--strict-config"],
        ["-W", "error"],
        ["-p", "no:cacheprovider"],
        ["-p", "no:terminal"],
        ["-W", "error", "-n2"],
    ],
    ids=" ".join,
)
def test_checks_run_under(run: Pytest, rootfs_dir: Path, arguments: list[str]) -> None:
    if "-n2" in arguments:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    ended = run(f"--rootfs={rootfs_dir}", *arguments, INIT)
    assert ended.status == 0, ended.text


def test_selection_by_keyword_id_and_marker(run: Pytest, rootfs_dir: Path) -> None:
    by_name = run(f"--rootfs={rootfs_dir}", "--co", "-q", "-k", "init_is_executable")
    by_id = run(f"--rootfs={rootfs_dir}", "--co", "-q", "-k", "INI-01")
    assert collected(by_name.text) == collected(by_id.text) == [EXECUTABLE]
    none = run(f"--rootfs={rootfs_dir}", "--co", "-q", "-m", "not rootfs_check")
    assert collected(none.text) == []
    deselected = run(f"--rootfs={rootfs_dir}", "--co", "-q", f"--deselect={EXECUTABLE}")
    assert EXECUTABLE not in collected(deselected.text)


def test_last_failed_runs_the_failed_ones_again(run: Pytest, rootfs_dir: Path) -> None:
    (rootfs_dir / "sbin/init").unlink()
    rooms = [INIT, "rootfs-kit/test_layout.py"]
    assert run(f"--rootfs={rootfs_dir}", *rooms).status == 1
    again = run(f"--rootfs={rootfs_dir}", "--lf", "-v", *rooms)
    assert again.lines_with(f"{EXECUTABLE} FAILED")
    assert not again.lines_with("PASSED")


def test_paths_run_the_users_own_tests_only(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    (here / "test_mine.py").write_text(
        'def test_init(rootfs):\n    assert rootfs.file("/sbin/init").is_executable\n'
        "def test_profile(profile):\n    assert profile.words == ('systemd',)\n"
    )
    ended = run(f"--rootfs={rootfs_dir}", "-v", "test_mine.py")
    assert ended.status == 0, ended.text
    assert "2 passed" in ended.text


@pytest.mark.parametrize("packaged", ["rootfs-kit", INIT])
def test_packaged_and_own_tests_run_together(run: Pytest, rootfs_dir: Path, here: Path, packaged: str) -> None:
    (here / "tests").mkdir()
    (here / "tests/test_mine.py").write_text("def test_of_my_own(rootfs): pass\n")
    ended = run(f"--rootfs={rootfs_dir}", "-q", "--co", packaged, "tests/")
    assert EXECUTABLE in collected(ended.text)
    assert "tests/test_mine.py::test_of_my_own" in ended.text


def test_checks_named_by_their_file_have_the_same_ids(run: Pytest, rootfs_dir: Path, site: Path) -> None:
    for path in ("rootfs_kit/checks", "rootfs_kit/checks/test_init.py"):
        assert EXECUTABLE in collected(run(f"--rootfs={rootfs_dir}", "-q", "--co", str(site / path)).text)
    assert EXECUTABLE in collected(run(f"--rootfs={rootfs_dir}", "-q", "--co", "--pyargs", "rootfs_kit.checks").text)


def test_own_test_without_rootfs_says_what_to_do(run: Pytest, here: Path) -> None:
    (here / "test_mine.py").write_text("def test_init(rootfs): pass\n")
    ended = run("test_mine.py")
    assert ended.status == 1
    assert "run pytest --rootfs=DIR" in ended.text


def test_users_configuration_does_not_reach_the_checks(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    (here / "pytest.ini").write_text(
        "[pytest]\npython_files = check_*.py\npython_functions = check_*\npython_classes = Check\n"
        "usefixtures = of_my_own\ntestpaths = tests\nempty_parameter_set_mark = fail_at_collect\n"
    )
    (here / "tests").mkdir()
    (here / "tests/check_mine.py").write_text("def check_nothing(): pass\n")
    (here / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(autouse=True)\ndef of_my_own(): raise RuntimeError('not for the checks')\n"
        "@pytest.fixture\ndef rootfs(): raise RuntimeError('not for the checks')\n"
    )
    ended = run(f"--rootfs={rootfs_dir}", "-k", "test_init")
    assert "not for the checks" not in ended.text
    assert ended.status == 0, ended.text
    assert run(f"--rootfs={rootfs_dir}", "--co", "-q").status == 0


def test_modules_of_the_user_do_not_shadow_the_checks(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    (here / "checks").mkdir()
    (here / "checks/__init__.py").write_text("raise RuntimeError('shadowed')\n")
    (here / "checks/test_init.py").write_text("raise RuntimeError('shadowed')\n")
    assert run(f"--rootfs={rootfs_dir}", INIT).status == 0


def test_checks_that_do_not_apply_are_not_collected(run: Pytest, rootfs_dir: Path) -> None:
    systemd = collected(run(f"--rootfs={rootfs_dir}", "--co", "-q").text)
    agent = collected(run(f"--rootfs={rootfs_dir}", "--rootfs-profile=agent-init", "--co", "-q").text)
    assert f"{INIT}::test_systemd_is_executable" in systemd
    assert f"{INIT}::test_systemd_is_executable" not in agent
    assert f"{INIT}::test_init_is_the_agent" in agent
    assert not [nodeid for nodeid in systemd if "module" in nodeid], "there are no modules in this tree"


def test_header_says_what_was_decided_and_why(run: Pytest, rootfs_dir: Path) -> None:
    ended = run(f"--rootfs={rootfs_dir}", INIT)
    assert ended.lines_with("rootfs profile: systemd")
    assert ended.lines_with("init: systemd (/sbin/init is systemd)")
    assert ended.lines_with("content: full (/etc/os-release is there)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rootfs=nowhere"], "nowhere"),
        (["--rootfs="], "it names nothing"),
        (["--rootfs=empty"], "the rootfs is empty"),
        (["--rootfs=/"], "--rootfs-allow-host"),
        (["--rootfs=TREE", "--rootfs-profile=sytemd"], 'Did you mean "systemd"?'),
        (["--rootfs=TREE", "--rootfs-profile=systemd,agent-init"], "contradict"),
        (["--rootfs=TREE", "--rootfs-expect=nothing.toml"], "there is no such file"),
        (["--rootfs=TREE", "--rootfs-report=report.txt"], ".json or a .sarif"),
        (["--rootfs=TREE", "--rootfs-report=nowhere/report.json"], "there is no directory"),
    ],
)
def test_bad_usage_is_one_message_and_status_4(
    run: Pytest, rootfs_dir: Path, here: Path, arguments: list[str], message: str
) -> None:
    (here / "empty").mkdir()
    ended = run(*(argument.replace("TREE", str(rootfs_dir)) for argument in arguments))
    assert ended.status == 4, ended.text
    assert message in ended.text
    assert "Traceback" not in ended.text


def test_import_of_the_plugin_is_cheap(site: Path, here: Path) -> None:
    """Every pytest run of the environment imports it: it may load pytest and nothing else."""
    import subprocess

    code = (
        "import pytest, sys; before = set(sys.modules); import rootfs_kit.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(site), cwd=here, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["rootfs_kit", "rootfs_kit.pytest_plugin"]


def test_this_machine_lends_its_tree_to_tests_of_ones_own(run: Pytest, here: Path) -> None:
    """Everything is inside of it, the working directory too; that is no reason to refuse it once it was allowed."""
    (here / "test_mine.py").write_text("def test_mine(rootfs): assert rootfs.file('/etc/passwd').is_file\n")
    refused = run("--rootfs=/", "test_mine.py")
    assert refused.status == 4 and refused.lines_with("the root of this machine"), refused.text
    allowed = run("--rootfs=/", "--rootfs-allow-host", "test_mine.py", "--junitxml=junit.xml")
    assert allowed.status == 0, allowed.text


@pytest.mark.slow
def test_this_machine_is_judged_where_that_is_allowed(site: Path, here: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "rootfs_kit", "check", "/", "--allow-host"],
        cwd=here, env=environment(site), capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ended.returncode in (0, 1, 2), ended.stderr
    assert ended.stdout.splitlines()[-2].split()[1] == "checks", ended.stdout + ended.stderr
