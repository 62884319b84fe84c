"""The mirrors of a distribution are tried in turn; the first that gives everything is enough."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.build.builds import Mirror, left_behind


def _with_mirrors(mirror: Mirror, directory: Path, *mirrors: str) -> Path:
    shutil.copytree(mirror.distros, directory)
    description = directory / "debian/distro.toml"
    text = description.read_text()
    assert "mirrors = []" in text
    description.write_text(text.replace("mirrors = []", f"mirrors = {list(mirrors)!r}".replace("'", '"'), 1))
    return directory


def _build(mirror: Mirror, distros: Path, target: Path):
    arguments = mirror.arguments(target)
    at = arguments.index("--mirror")
    del arguments[at : at + 2]
    arguments[arguments.index("--distros-dir") + 1] = str(distros)
    return mirror.run(arguments, target)


def test_a_mirror_that_fails_gives_way_to_the_next(mirror: Mirror, tmp_path: Path) -> None:
    distros = _with_mirrors(mirror, tmp_path / "distros", "http://127.0.0.1:9/none", mirror.url)
    done = _build(mirror, distros, tmp_path / "rootfs")
    assert done.status == 0, done.err
    assert "http://127.0.0.1:9/none" in done.err
    assert (tmp_path / "rootfs/usr/bin/kata-agent").is_file()


def test_where_all_fail_the_last_ones_words_are_told(mirror: Mirror, tmp_path: Path) -> None:
    distros = _with_mirrors(mirror, tmp_path / "distros", "http://127.0.0.1:9/one", "http://127.0.0.1:9/two")
    done = _build(mirror, distros, tmp_path / "rootfs")
    assert done.status == 3
    assert "http://127.0.0.1:9/two" in done.err
    assert not (tmp_path / "rootfs").exists()
    assert left_behind(tmp_path / "rootfs") == []
