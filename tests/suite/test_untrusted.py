"""A rootfs under test may hold files that steer pytest. What each way of naming it does with them.

`--rootfs DIR`, with a space, is the form that cannot be made safe: pytest reads its configuration from DIR before it
loads any plugin. That is why nothing in the documentation uses it, and it is shown here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite.conftest import CHECKOUT, Pytest, environment, run_pytest
from tests.support.trees import fingerprint

CHECKS = "rootfs-kit/test_init.py"
EVIL = "import os\nopen(os.environ['EVIL_WAS_HERE'], 'w').close()\nos._exit(0)\n"
STEERING = "addopts = -p evil\npythonpath = ."

HOSTILE = {
    "pytest.ini": f"[pytest]\n{STEERING}\n",
    "tox.ini": f"[pytest]\n{STEERING}\n",
    "setup.cfg": f"[tool:pytest]\n{STEERING}\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p evil"\npythonpath = "."\n',
    "conftest.py": EVIL,
    "setup.py": EVIL,
}
CONFIGURATION = ("pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml")

JUDGE = """
import sys
from rootfs_kit.suite.run import judge
verdict = judge(sys.argv[1])
print(len(verdict.results), "results,", "INI-01" in {result.check for result in verdict.results})
"""


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that exists once code of the rootfs ran."""
    return tmp_path / "evil-was-here"


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, rootfs_dir: Path) -> str:
    """The name of the hostile file in the rootfs."""
    (rootfs_dir / "evil.py").write_text(EVIL)
    (rootfs_dir / "conftest.py").write_text(EVIL)
    (rootfs_dir / request.param).write_text(HOSTILE[request.param])
    name: str = request.param
    return name


@pytest.mark.usefixtures("hostile")
def test_equals_form_obeys_nothing_in_the_rootfs(run: Pytest, rootfs_dir: Path, mark: Path) -> None:
    before = fingerprint(rootfs_dir)
    ended = run(f"--rootfs={rootfs_dir}", CHECKS, EVIL_WAS_HERE=str(mark))
    assert ended.status == 0, ended.text
    assert "passed" in ended.text
    assert not mark.exists()
    assert fingerprint(rootfs_dir) == before, "nothing is written into the rootfs"


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("inside", [False, True], ids=["from outside", "from inside the rootfs"])
def test_hermetic_run_obeys_nothing_in_the_rootfs(
    site: Path, tmp_path: Path, rootfs_dir: Path, mark: Path, inside: bool
) -> None:
    """What `rootfs-kit check` and a build do."""
    script = tmp_path / "judge.py"
    script.write_text(JUDGE)
    before = fingerprint(rootfs_dir)
    done = subprocess.run(
        [sys.executable, str(script), str(rootfs_dir)],
        cwd=rootfs_dir if inside else tmp_path,
        env=environment(site, EVIL_WAS_HERE=str(mark), PYTEST_ADDOPTS="-p evil", PYTEST_PLUGINS="evil"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("results, True\n"), done.stderr
    assert not mark.exists()
    assert fingerprint(rootfs_dir) == before, "nothing is written into the rootfs"


@pytest.mark.skipif(
    not hasattr(pytest.Config, "_configure_python_path"), reason="needs a pytest that applies pythonpath before -p"
)
def test_space_form_runs_code_of_the_rootfs_and_is_green(
    run: Pytest, rootfs_dir: Path, mark: Path, hostile: str
) -> None:
    ended = run("--rootfs", str(rootfs_dir), EVIL_WAS_HERE=str(mark))
    assert mark.exists() == (hostile in CONFIGURATION)
    if hostile in CONFIGURATION:
        assert ended.status == 0 and ended.text == "", "green, and no check ran"
    elif hostile == "setup.py":
        assert ended.status == 4 and "rootdir is inside the rootfs" in ended.text


@pytest.mark.parametrize("name", CONFIGURATION)
def test_space_form_with_an_honest_configuration_is_refused(run: Pytest, rootfs_dir: Path, name: str) -> None:
    (rootfs_dir / name).write_text(HOSTILE[name].replace("-p evil", "-ra"))
    before = fingerprint(rootfs_dir)
    ended = run("--rootfs", str(rootfs_dir))
    assert ended.status == 4
    assert "pytest's configuration file is inside the rootfs" in ended.text
    assert "--rootfs=DIR" in ended.text
    assert fingerprint(rootfs_dir) == before


def test_run_from_inside_the_rootfs_is_refused(run: Pytest, rootfs_dir: Path, mark: Path) -> None:
    (rootfs_dir / "conftest.py").write_text(EVIL)
    before = fingerprint(rootfs_dir)
    for form in (f"--rootfs={rootfs_dir}", "--rootfs=.", "--rootfs=.."):
        ended = run(form, cwd=rootfs_dir / "etc" if form.endswith("..") else rootfs_dir, EVIL_WAS_HERE=str(mark))
        assert ended.status == 4, ended.text
        assert "is inside the rootfs" in ended.text
    assert not mark.exists()
    assert fingerprint(rootfs_dir) == before


def test_rootfs_reached_through_a_link_is_the_same_rootfs(run: Pytest, rootfs_dir: Path, here: Path) -> None:
    (here / "link").symlink_to(rootfs_dir)
    ended = run(f"--rootfs={here / 'link'}", cwd=rootfs_dir)
    assert ended.status == 4


@pytest.mark.parametrize(
    "options",
    [
        ["--rootfs-report=TREE/report.json"],
        ["--junitxml=TREE/junit.xml"],
        ["--junit-xml=$TREE/junit.xml"],
        ["--basetemp=TREE/tmp/x"],
        ["--log-file=TREE/etc/log.txt"],
        ["-o", "log_file=TREE/etc/log.txt"],
        ["--debug=TREE/etc/debug.txt"],
        ["-o", "cache_dir=TREE/etc"],
        ["-o", "cache_dir=$TREE/etc"],
        ["-o", "cache_dir=../rootfs/var/cache"],
    ],
    ids=" ".join,
)
def test_nothing_is_written_into_the_rootfs_on_request_either(
    run: Pytest, rootfs_dir: Path, options: list[str]
) -> None:
    before = fingerprint(rootfs_dir)
    said = [option.replace("=$TREE", "=${TREE}").replace("=TREE", f"={rootfs_dir}") for option in options]
    ended = run(f"--rootfs={rootfs_dir}", *said, TREE=str(rootfs_dir))
    assert ended.status == 4, ended.text
    assert "would be written into it" in ended.text
    assert fingerprint(rootfs_dir) == before


def test_nothing_is_written_either_where_the_plugin_comes_with_a_conftest(rootfs_dir: Path, here: Path) -> None:
    """pytest opens the file of --debug before it tells such a plugin what was asked for."""
    (here / "conftest.py").write_text('pytest_plugins = ["rootfs_kit.pytest_plugin"]\n')
    before = fingerprint(rootfs_dir)
    debug = f"--debug={rootfs_dir}/etc/debug.txt"
    ended = run_pytest(f"--rootfs={rootfs_dir}", debug, cwd=here, env=environment(CHECKOUT))
    assert ended.status == 4, ended.text
    assert "pytest's debug log would be written into it" in ended.text
    assert fingerprint(rootfs_dir) == before
    assert run_pytest("--debug=debug.txt", cwd=here, env=environment(CHECKOUT)).status == 5


@pytest.mark.parametrize("setting", ["cache_dir", "log_file"])
def test_configuration_that_writes_into_the_rootfs_is_refused(
    run: Pytest, rootfs_dir: Path, here: Path, setting: str
) -> None:
    (here / "pytest.ini").write_text(f"[pytest]\n{setting} = {rootfs_dir}/var/pc\n")
    before = fingerprint(rootfs_dir)
    ended = run(f"--rootfs={rootfs_dir}")
    assert ended.status == 4, ended.text
    assert "would be written into it" in ended.text
    assert fingerprint(rootfs_dir) == before


@pytest.mark.parametrize("variable", ["PYTEST_DEBUG_TEMPROOT", "TMPDIR"])
def test_temporary_files_in_the_rootfs_are_refused(run: Pytest, rootfs_dir: Path, variable: str) -> None:
    ended = run(f"--rootfs={rootfs_dir}", **{variable: str(rootfs_dir / "etc")})
    assert ended.status == 4, ended.text
    assert "the directory for temporary files would be written into it" in ended.text


def test_what_pytest_would_not_write_is_not_refused(run: Pytest, rootfs_dir: Path) -> None:
    unused = ["-p", "no:cacheprovider", "-o", f"cache_dir={rootfs_dir}/etc"]
    ended = run(f"--rootfs={rootfs_dir}", "--log-file=log.txt", "--debug=debug.txt", *unused, CHECKS)
    assert ended.status == 0, ended.text


def test_names_in_the_rootfs_cannot_write_to_the_terminal(run: Pytest, rootfs_dir: Path) -> None:
    evil = "evil\x1b]0;owned\x07\n::error::\udcff"
    (rootfs_dir / "usr/sbin/init").unlink()
    (rootfs_dir / "usr/sbin/init").symlink_to(f"/lib/{evil}")
    (rootfs_dir / "usr/lib/modules" / evil).mkdir(parents=True)
    for arguments in (
        [],
        ["-v"],
        ["-n1"],
        ["-v", "-o", "disable_test_id_escaping_and_forfeit_all_rights_to_community_support=1"],
    ):
        ended = run(f"--rootfs={rootfs_dir}", "-ra", *arguments, GITHUB_ACTIONS="true")
        assert ended.status == 1
        assert "\x1b]" not in ended.text and "\x07" not in ended.text
        assert not [line for line in ended.text.splitlines() if line.strip().startswith("::error::")]
        assert "evil\\x1b]0;owned\\x07\\n" in ended.text
