"""apk: Alpine, by its own package manager, with the signatures of indexes and packages verified.

The options are those of apk-tools 2 and 3 alike (apk(8)). `--allow-untrusted` is never among them: with it, and a
mirror that is reached by http, anybody on the way installs what they like.
"""

from __future__ import annotations

import re

from rootfs_kit.backends import Command, PinnedFile, Plan, Site, Tool
from rootfs_kit.backends.apk_static import INDEX, INDEX_OF_APK_3, ApkStatic
from rootfs_kit.distro import Distro, listed
from rootfs_kit.errors import UsageError
from rootfs_kit.request import BuildRequest

PACKAGES_WITH_APK = {"alpine": "apk-tools"}
# Seconds without progress after which apk gives up on a mirror (apk(8), --timeout).
SILENCE = 30
MILESTONES = (("Installing ", 0.10), (".trigger", 0.90), ("OK: ", 0.98))
COMPLAINTS = ("ERROR: ", "WARNING: ")
# Alpine signs with SHA-1, which the crypto policies of Fedora and its kin forbid; their OpenSSL heeds this variable.
ALLOW_SHA1 = {"OPENSSL_ENABLE_SHA1_SIGNATURES": "1"}
SHA256 = re.compile("[0-9a-f]{64}")


class Apk:
    """Plans the calls of apk(8) that fill an empty directory."""

    name = "apk"

    def plan(self, request: BuildRequest, distro: Distro, site: Site) -> Plan:
        """The calls that fill the tree; pure. Raises UsageError for a release or machine that the distro has not."""
        packages = distro.packages_for(request)
        keys = _keys(distro)
        mirror = site.mirror or _own_mirror(request, distro)
        if mirror is None:
            raise UsageError(
                f"planning a build of {distro.title}",
                "no mirror is named, and apk knows none of its own",
                "Give --mirror URL (REPO_URL), or name mirrors in its distro.toml.",
            )
        addresses = _addresses(request, distro, mirror)
        return Plan(
            commands=_commands(request, distro, site, packages),
            tools=(Tool("apk", PACKAGES_WITH_APK, ApkStatic(addresses, keys, distro.architectures)),),
            packages=packages,
            files={"repositories": _lines(addresses).encode()} | {f"keys/{key.file.name}": key for key in keys},
            settings=_settings(request, distro),
        )

    def index(self, request: BuildRequest, distro: Distro) -> str:
        architecture = distro.architectures[request.arch] if request.arch else ""
        directory = f"{_addresses(request, distro, '')[0]}/{architecture}".lstrip("/")
        return " ".join(f"{directory}/{name}" for name in (INDEX, INDEX_OF_APK_3))


def _commands(request: BuildRequest, distro: Distro, site: Site, packages: tuple[str, ...]) -> tuple[Command, ...]:
    """A new database, the indexes, then the packages.

    `apk add` alone would do, were it not content to warn of an index that is missing or not rightly signed, and to go
    on with the others; `apk update` ends with an error. Its cache keeps them from being fetched twice.
    """
    environment = _environment(request)
    architecture = ("--arch", distro.architectures[request.arch]) if request.arch else ()
    root = ("--root", str(site.tree), "--keys-dir", str(site.files / "keys"), "--no-progress")
    repositories = (
        *("--repositories-file", str(site.files / "repositories")),
        *("--cache-dir", str(site.tree / "var/cache/apk")),
        *("--timeout", str(SILENCE)),
    )
    return (
        Command(("apk", "add", "--initdb", *root, *architecture), environment, (), COMPLAINTS),
        Command(("apk", "update", *root, *repositories), environment, (), COMPLAINTS),
        Command(("apk", "add", *root, *repositories, *packages), environment, MILESTONES, COMPLAINTS),
    )


def _addresses(request: BuildRequest, distro: Distro, mirror: str) -> tuple[str, ...]:
    """Of the repositories of `mirror`, those that were asked for by name, or all."""
    repositories = dict(distro.repositories_for(request, mirror))
    unknown = [name for name in request.components if name not in repositories]
    if unknown or not repositories:
        raise UsageError(
            f"planning a build of {distro.title}",
            f'it has no repository "{unknown[0]}"' if unknown else "its distro.toml names no [[repository]]",
            f"Its repositories are {listed(repositories)}.",
        )
    return tuple(repositories[name] for name in request.components or repositories)


def _own_mirror(request: BuildRequest, distro: Distro) -> str | None:
    """The first mirror that the distribution names for this machine."""
    return next((distro.filled_in(mirror, request) for mirror in distro.mirrors_for(request.arch)), None)


def _settings(request: BuildRequest, distro: Distro) -> dict[str, str]:
    """What the guest's own apk asks: the distribution's mirror, whichever the build was made from."""
    mirror = _own_mirror(request, distro)
    return {} if mirror is None else {"/etc/apk/repositories": _lines(_addresses(request, distro, mirror))}


def _lines(addresses: tuple[str, ...]) -> str:
    return "".join(f"{address}\n" for address in addresses)


def _keys(distro: Distro) -> tuple[PinnedFile, ...]:
    """The distribution's keys, each pinned by its digest."""
    for key in distro.keys:
        if not SHA256.fullmatch(key.fingerprint):
            raise UsageError(
                f"planning a build of {distro.title}",
                f"the fingerprint of {key.file.name} has {len(key.fingerprint)} digits, and a SHA-256 digest has 64",
                f"Give the digest that `sha256sum {key.file}` prints.",
            )
    if not distro.keys:
        raise UsageError(
            f"planning a build of {distro.title}",
            "no key is named, and without one nothing that a mirror gives can be trusted",
            "Add a [[key]] with file and fingerprint to its distro.toml.",
        )
    return tuple(PinnedFile(key.file, key.fingerprint) for key in distro.keys)


def _environment(request: BuildRequest) -> dict[str, str]:
    if request.source_date_epoch is None:
        return ALLOW_SHA1
    return {**ALLOW_SHA1, "SOURCE_DATE_EPOCH": str(request.source_date_epoch)}
