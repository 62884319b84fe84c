"""What a distribution is: its releases, packages, architectures and habits.

Where descriptions are found is `places.py`, how they are read `file.py`; how a package manager is driven is a
backend's business (`rootfs_kit/backends/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.axes import InitMode
from rootfs_kit.errors import UsageError

if TYPE_CHECKING:
    from rootfs_kit.request import BuildRequest

# The machines that Kata Containers runs on, by their kernel's name; a distribution excludes those it does not list.
KATA_MACHINES = ("aarch64", "ppc64le", "riscv64", "s390x", "x86_64")

# What stands in braces in mirrors, suites, repositories' paths and images, and is filled in by `Distro.filled_in`.
PLACEHOLDERS = ("release", "version", "arch")

BUILT_IN = "built in"
BACKENDS = ("apk", "dnf", "mmdebstrap", "shell", "tdnf", "zypper")
"""rootfs-kit's own, by their names; plugins bring others (backends/registry.py)."""
NONE: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Repository(NamedTuple):
    """One repository of a mirror. `path` is relative to it, with `{release}`, `{version}` and `{arch}` in it."""

    name: str
    path: str


class SigningKey(NamedTuple):
    """A public key that packages or indexes are signed with, and the fingerprint that it must have.

    The fingerprint is the OpenPGP one, or for other keys the SHA-256 digest of the file; both in hexadecimal.
    `releases` are the names of those that it signs; none means all.
    """

    file: Path
    fingerprint: str
    releases: tuple[str, ...] = ()


class Builder(NamedTuple):
    """The container image that has the package manager: a base `image`, with placeholders as in Repository, and more.

    `install` is the shell command that installs `packages` there, with `{packages}` in it.
    """

    image: str
    install: str
    packages: tuple[str, ...] = ()


class Release(NamedTuple):
    """One release of a distribution. `name` is what its archive calls it, `version` its number, if it has one.

    `repositories` and `ids`, where there are any, take the place of the distribution's; `packages` are those that
    only this release needs; `database` is where its package manager keeps the list of what is installed, a guest path.
    """

    name: str
    version: str = ""
    end_of_life: date | None = None
    aliases: tuple[str, ...] = ()
    without_architectures: tuple[str, ...] = ()
    repositories: tuple[Repository, ...] = ()
    ids: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    database: str = ""

    @property
    def title(self) -> str:
        """The name with the number: `trixie (13)`."""
        return f"{self.name} ({self.version})" if self.version and self.version != self.name else self.name

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that it answers to."""
        return tuple(word for word in (self.name, self.version, *self.aliases) if word)

    def is_called(self, word: str) -> bool:
        """Whether a tree that calls its release `word` (os-release(5): VERSION_ID or VERSION_CODENAME) is one of it.

        That may be a point release, as 3.20.3 is one of 3.20. A release without a number, as a rolling one is, goes by
        whatever the next number will be.
        """
        has_number = bool(self.version) or self.name[0].isdigit()
        return not has_number or any(word == each or word.startswith(f"{each}.") for each in self.words)

    def has_ended(self, today: date) -> bool:
        """Whether its security updates have stopped by `today`."""
        return self.end_of_life is not None and self.end_of_life < today


class PackageRules(NamedTuple):
    """Which packages a guest needs: always, per init mode, and per feature (a name of `axes.FEATURES`)."""

    base: tuple[str, ...]
    init: Mapping[InitMode, tuple[str, ...]] = MappingProxyType({})
    features: Mapping[str, tuple[str, ...]] = NONE


class ConfigScript(NamedTuple):
    """What a distribution has that a `config.sh` describes instead of a `distro.toml` (`config_script.py`).

    `variables` are those that it set, each with its value or values; `may_fail` is BUILD_CAN_FAIL; `beside` are the
    directories of other distributions, which it may read through script_dir; `dockerfile` is its Dockerfile.in, for
    the image that has its package manager.
    """

    variables: Mapping[str, tuple[str, ...]]
    may_fail: bool = False
    has_library: bool = False
    dockerfile: str | None = None
    beside: tuple[Path, ...] = ()


class Distro(NamedTuple):
    """One distribution as its `distro.toml` tells it.

    `architectures` maps the kernel's name of a machine (`uname -m`) to the distribution's own; `trim` lists guest
    paths (glob patterns) that a guest never reads; `databases` the package manager's own state, dropped once the
    package list is in the manifest; `signed_indexes` says that each repository's index is signed, besides the packages;
    `mirrors` are tried in turn, empty where the backend knows its own default, and `architecture_mirrors` take their
    place for some machines; `suites` are what an apt archive has of a release, its updates among them, with
    placeholders; `ids` are what its os-release(5) may call itself;
    `found_by` says which search turned it up; `script` is there where a `config.sh` describes it;
    `tested` says how its builds are tested.
    """

    name: str
    title: str
    directory: Path
    backend: str
    default_version: str
    releases: tuple[Release, ...]
    init_modes: tuple[InitMode, ...]
    architectures: Mapping[str, str]
    packages: PackageRules
    mirrors: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    keyrings: tuple[Path, ...] = ()
    trim: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    found_by: str = BUILT_IN
    aliases: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    architecture_mirrors: Mapping[str, tuple[str, ...]] = NONE
    repositories: tuple[Repository, ...] = ()
    keys: tuple[SigningKey, ...] = ()
    signed_indexes: bool = False
    builder: Builder | None = None
    script: ConfigScript | None = None
    tested: str = ""

    @property
    def os_release_ids(self) -> tuple[str, ...]:
        """What ID= of a tree of this distribution may say."""
        return self.ids or (self.name,)

    def mirrors_for(self, machine: str | None) -> tuple[str, ...]:
        """The mirrors that have packages for `machine`, by the kernel's name."""
        return self.architecture_mirrors.get(machine or "", self.mirrors)

    def filled_in(self, text: str, request: BuildRequest) -> str:
        """`text` with its placeholders replaced by what `request` asks for. Raises UsageError."""
        release = self.release(request.os_version)
        arch = self.architectures.get(request.arch or "", request.arch or "")
        return text.format(release=release.name, version=release.version or release.name, arch=arch)

    def repositories_for(self, request: BuildRequest, mirror: str) -> tuple[tuple[str, str], ...]:
        """Name and address of each repository of `mirror` that a build of `request` uses. Raises UsageError."""
        chosen = self.release(request.os_version).repositories or self.repositories
        root = mirror.rstrip("/")
        return tuple((each.name, f"{root}/{self.filled_in(each.path, request).lstrip('/')}") for each in chosen)

    def keys_for(self, request: BuildRequest) -> tuple[SigningKey, ...]:
        """The keys that sign the release that is asked for. Raises UsageError."""
        release = self.release(request.os_version)
        return tuple(key for key in self.keys if not key.releases or release.name in key.releases)

    def release(self, version: str | None = None) -> Release:
        """The release that `version` (a name, a number or an alias) means; None means the default.

        Raises UsageError with the nearest name.
        """
        wanted = version or self.default_version
        for release in self.releases:
            if wanted in release.words:
                return release
        if self.script is not None:
            return self._release_of_script(wanted)
        raise UsageError(
            f"choosing the release of {self.title}",
            f'there is no release "{wanted}"',
            did_you_mean(wanted, [word for release in self.releases for word in release.words])
            + f"Its releases are {listed(release.title for release in self.releases)}.",
        )

    def _release_of_script(self, wanted: str) -> Release:
        """A config.sh knows no list of releases: it takes whatever it is told."""
        if wanted:
            return Release(wanted)
        raise UsageError(
            f"choosing the release of {self.title}",
            "its config.sh names none, and wants to be told",
            "Give --os-version NAME (OS_VERSION).",
        )

    def machine(self, arch: str, release: Release | None = None) -> str:
        """The kernel's name of the machine `arch`, which may be written as the kernel or as the distribution does.

        Raises UsageError when the distribution, or that release of it, is not made for such a machine.
        """
        offered = self.machines(release)
        for machine in offered:
            if arch in (machine, self.architectures[machine]):
                return machine
        what = f"{self.title} {release.title}" if release else self.title
        raise UsageError(
            f"choosing the architecture of {what}",
            f'it is not made for "{arch}"',
            did_you_mean(arch, offered) + f"Its architectures are {listed(offered)}.",
        )

    def machines(self, release: Release | None = None) -> tuple[str, ...]:
        """The machines that it (or that release of it) is made for, by the kernel's names."""
        lacking = release.without_architectures if release else ()
        return tuple(machine for machine in self.architectures if machine not in lacking)

    def excluded_machines(self, release: Release | None = None) -> tuple[str, ...]:
        """The machines of Kata's that it is not made for: ARCH_EXCLUDE_LIST of osbuilder."""
        offered = self.machines(release)
        return tuple(machine for machine in KATA_MACHINES if machine not in offered)

    def packages_for(self, request: BuildRequest) -> tuple[str, ...]:
        """What a build of `request` installs: what a guest needs of this distribution, then the extra packages."""
        return tuple(self.package_reasons(request))

    def package_reasons(self, request: BuildRequest) -> dict[str, str]:
        """Each package that a build of `request` installs, in order, with what it is needed for."""
        reasons = dict.fromkeys((*self.release(request.os_version).packages, *self.packages.base), "every guest")
        for package in self.packages.init.get(request.init_mode, ()):
            reasons.setdefault(package, f"init: {request.init_mode}")
        for feature in request.features:
            for package in self.packages.features.get(feature, ()):
                reasons.setdefault(package, feature)
        for package in request.extra_packages:
            reasons.setdefault(package, "extra")
        return reasons

    def require_support(self, request: BuildRequest) -> None:
        """Raise UsageError when the distribution cannot give what `request` asks for."""
        release = self.release(request.os_version)
        if request.arch is not None:
            self.machine(request.arch, release)
        if request.init_mode not in self.init_modes:
            self._refuse_init_mode(request.init_mode)
        if request.selinux and "selinux" not in self.packages.features:
            raise UsageError(
                f"planning a build of {self.title} with SELinux",
                "no packages with an SELinux policy are known for it",
                "Leave out --selinux (SELINUX=yes), or add packages.features.selinux to a distro.toml of your own.",
            )

    def _refuse_init_mode(self, mode: InitMode) -> None:
        if mode is InitMode.SYSTEMD:
            found = "it has no systemd: the agent itself must be its init process"
            hint = "Give --agent-init (AGENT_INIT=yes), or choose a distribution with systemd (`rootfs-kit list`)."
        else:
            found = "it is not meant to run with the agent as its init process"
            hint = "Leave out --agent-init (AGENT_INIT=no)."
        raise UsageError(f"planning a build of {self.title}", found, hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean "x"? `, to go before another sentence, or nothing when nothing is near."""
    from difflib import get_close_matches

    nearest = get_close_matches(word.lower(), list(known), n=1)
    return f'Did you mean "{nearest[0]}"? ' if nearest else ""


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them: `a, b and c`."""
    *most, last = list(words) or ["none"]
    return f"{', '.join(most)} and {last}" if most else last
