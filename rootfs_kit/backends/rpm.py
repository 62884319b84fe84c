"""What dnf and zypper have in common: repository files, the keys that are trusted, and where rpm keeps its database.

Everything that they read is laid beside the tree, so that neither repositories, plugins and variables of this host nor
its keys take part, and nothing of the build's own stays in the guest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from rootfs_kit.backends import Site
from rootfs_kit.distro import Distro
from rootfs_kit.errors import UsageError
from rootfs_kit.request import BuildRequest

# Where Fedora and SUSE keep it; Debian's rpm would put it into root's home (Debian bug 1004863).
DATABASE = "/usr/lib/sysimage/rpm"
HOME = "home"
MACROS = f"{HOME}/.rpmmacros"
ANOTHER = "\n        "
"""What stands between two values of one key."""


def macros(request: BuildRequest, distro: Distro) -> bytes:
    """rpm's macros of the build, for the file that rpm reads last of all: ~/.rpmmacros.

    Before rpm 6 an unsigned package is well to rpm itself, and so to tdnf: the level says that it is not.
    """
    database = distro.release(request.os_version).database or DATABASE
    return f"%_dbpath {database}\n%_pkgverify_level all\n".encode()


def environment(request: BuildRequest, site: Site) -> dict[str, str]:
    """A home of the build's own, for rpm's macros, and the time that a reproducible build goes by."""
    variables = {"HOME": str(site.files / HOME)}
    if request.source_date_epoch is not None:
        variables["SOURCE_DATE_EPOCH"] = str(request.source_date_epoch)
    return variables


def key_files(request: BuildRequest, distro: Distro) -> dict[str, Path]:
    """The keys that sign the release, by the place that they are laid at."""
    return {f"keys/{key.file.name}": key.file for key in distro.keys_for(request)}


def repository_sections(
    request: BuildRequest, distro: Distro, site: Site, settings: Mapping[str, str], endings: tuple[str, ...] = ("",)
) -> str:
    """The release's repositories as dnf.conf(5) and zypper write them, `settings` in each. Raises UsageError.

    Each address is given once with each of `endings`, for a tool that goes on to a repository's next one by itself.
    """
    if site.mirror is None:
        raise UsageError(
            f"planning a build of {distro.title}",
            "its description names no mirror",
            "Name one: --mirror URL (REPO_URL), or mirrors = […] in its distro.toml.",
        )
    keys = " ".join(_file_url(site.files / name) for name in key_files(request, distro))
    common = "".join(f"{key}={value}\n" for key, value in {**settings, "gpgkey": keys}.items())
    repositories = distro.repositories_for(request, site.mirror)
    return "\n".join(
        f"[{name}]\nname={name}\nbaseurl={ANOTHER.join(url + ending for ending in endings)}\nenabled=1\n{common}"
        for name, url in repositories
    )


def foreign_machine(request: BuildRequest, distro: Distro, site: Site) -> str | None:
    """The distribution's name for the machine that is built for, where it is not the one that builds."""
    if request.arch is None or request.arch == site.machine:
        return None
    return distro.architectures[request.arch]


def index(request: BuildRequest, distro: Distro) -> str:
    """The first repository's index, relative to a mirror."""
    repository = next(iter(distro.repositories_for(request, "")), ("", ""))[1]
    return f"{repository.strip('/')}/repodata/repomd.xml".lstrip("/")


def _file_url(path: Path) -> str:
    return f"file://{quote(str(path))}"
