"""The user's own changes: directories copied over the rootfs, scripts run inside it; in order, and without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rootfs_kit.errors import BuildFailed, UsageError
from rootfs_kit.guest.changes import lay_directories_over, run_scripts
from rootfs_kit.guest.inputs import require_usable_inputs
from rootfs_kit.tree import RootfsEditor
from tests.guest.made import request
from tests.support.trees import write


def test_later_directories_win_over_earlier_ones(editor: RootfsEditor, tmp_path: Path) -> None:
    write(tmp_path, "one/etc/motd", "one")
    write(tmp_path, "one/bin/tool", "one", 0o755)
    write(tmp_path, "two/etc/motd", "two")
    is_link = editor.lstat("/bin").is_symlink  # type: ignore[union-attr]
    for _ in range(2):
        lay_directories_over(editor, (tmp_path / "one", tmp_path / "two"))
        assert editor.read_text("/etc/motd") == "two"
        assert editor.is_executable("/bin/tool")
        assert editor.lstat("/bin").is_symlink is is_link  # type: ignore[union-attr]


def test_scripts_run_in_order_by_their_own_names_and_are_gone_after(merged: RootfsEditor, tmp_path: Path) -> None:
    scripts = [write(tmp_path, name, f"#!/bin/sh\n# {name}\n") for name in ("b.sh", "a.sh")]
    ran: list[str] = []

    def run_inside(argv: Sequence[str]) -> None:
        (inside,) = argv
        assert merged.is_executable(inside)
        ran.append(merged.read_text(inside).split()[-1])

    before = merged.listdir("/")
    run_scripts(merged, scripts, run_inside)
    assert ran == ["b.sh", "a.sh"]
    assert merged.listdir("/") == before


def test_a_script_that_fails_ends_the_build_and_is_gone_too(merged: RootfsEditor, tmp_path: Path) -> None:
    def run_inside(argv: Sequence[str]) -> None:
        raise BuildFailed("running", "it failed", "mend it")

    before = merged.listdir("/")
    with pytest.raises(BuildFailed, match="it failed"):
        run_scripts(merged, [write(tmp_path, "a.sh", "#!/bin/sh\n")], run_inside)
    assert merged.listdir("/") == before


@pytest.mark.parametrize(
    ("knob", "said"),
    [
        ({"run_scripts": "plain"}, "#!/bin/sh"),
        ({"run_scripts": "missing"}, "No such file"),
        ({"overlay_dirs": "plain"}, "no directory"),
        ({"overlay_dirs": "missing"}, "does not exist"),
        ({"pause_tarball": "missing"}, "No such file"),
        ({"agent_policy": "plain"}, "package agent_policy"),
        ({"kernel_modules": "missing"}, "No such file"),
    ],
)
def test_unusable_inputs_are_refused_before_anything_is_built(tmp_path: Path, knob: dict[str, str], said: str) -> None:
    write(tmp_path, "plain", "echo hello\n", 0o755)
    ((name, file),) = knob.items()
    value: object = tmp_path / file
    if name in ("run_scripts", "overlay_dirs"):
        value = (value,)
    with pytest.raises(UsageError, match=said):
        require_usable_inputs(request(tmp_path, **{name: value}))


def test_usable_inputs_are_accepted(tmp_path: Path) -> None:
    script = write(tmp_path, "run.sh", "#!/bin/sh\n")
    policy = write(tmp_path, "allow.rego", "package agent_policy # ours\n")
    require_usable_inputs(request(tmp_path, run_scripts=(script,), agent_policy=policy, overlay_dirs=(tmp_path,)))


def test_a_private_directory_leaves_those_above_it_open(editor: RootfsEditor) -> None:
    editor.make_directory("/srv/made/private", 0o700)
    modes = {path: entry.mode for path in ("/srv/made", "/srv/made/private") if (entry := editor.lstat(path))}
    assert modes == {"/srv/made": 0o755, "/srv/made/private": 0o700}
