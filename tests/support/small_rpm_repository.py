"""A repository of RPM packages in miniature: made by rpmbuild and createrepo_c, and really signed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which

NEEDED_TOOLS = ("dnf", "rpmbuild", "rpmsign", "createrepo_c", "gpg")


@dataclass(frozen=True)
class RpmRepository:
    """`url` is where it lies, `key` the public key of its packages, `stranger` one that signed nothing."""

    url: str
    key: Path
    stranger: Path


def make_repository(directory: Path, packages: Mapping[str, Path | None]) -> RpmRepository:
    """Packages by name, each with the files of a tree, or none."""
    repository = directory / "repository"
    repository.mkdir()
    home, key = _make_key(directory, "ours")
    for name, tree in packages.items():
        package = _build(directory / "work", name, tree, repository)
        # Debian's rpm looks for a gpg2 that Debian does not have.
        define = [
            f"--define=_gpg_name {name_of('ours')}",
            f"--define=_gpg_path {home}",
            f"--define=__gpg {which('gpg')}",
        ]
        _run("rpmsign", "--addsign", *define, str(package))
    _run("createrepo_c", "--quiet", str(repository))
    return RpmRepository(f"file://{repository}", key, _make_key(directory, "stranger")[1])


def name_of(key: str) -> str:
    return f"{key}@example.org"


def _build(work: Path, name: str, tree: Path | None, repository: Path) -> Path:
    spec = work / f"{name}.spec"
    work.mkdir(exist_ok=True)
    copy = f"cp -a {tree}/. %{{buildroot}}" if tree else "true"
    spec.write_text(
        f"Name: {name}\nVersion: 1\nRelease: 1\nSummary: made by the tests\nLicense: none\nAutoReqProv: no\n"
        "%global __os_install_post %{nil}\n%global debug_package %{nil}\n%global _build_id_links none\n"
        f"%description\nmade by the tests\n%install\n{copy}\n%files\n{'/*' if tree else ''}\n"
    )
    _run("rpmbuild", "-bb", "--quiet", f"--define=_topdir {work}", f"--define=_rpmdir {repository}", str(spec))
    return next(repository.rglob(f"{name}-1-1.*.rpm"))


def _make_key(directory: Path, name: str) -> tuple[Path, Path]:
    home = directory / f"gpg-{name}"
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback")
    _run(*gpg, "--passphrase", "", "--quick-gen-key", name_of(name), "rsa2048", "sign", "never")
    key = home / "public.asc"
    _run(*gpg, "--armor", "--output", str(key), "--export")
    return home, key


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)
