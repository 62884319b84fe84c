"""The contract of Kata's osbuilder: a directory with `config.sh`, and `rootfs_lib.sh` where it needs one.

Its files run in a bash of ours (`run.sh`) that has the functions they may call (`lib.sh`) and sets the variables they
may read. What such a directory may hold is told in docs/adding-a-distro.md.
"""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.backends import Command, PinnedFile, Plan, Site, Tool
from rootfs_kit.distro import ConfigScript, Distro
from rootfs_kit.errors import UsageError
from rootfs_kit.request import BuildRequest
from rootfs_kit.request.script_variables import DNF_CONF, MEASURED_ROOTFS, PKG_MANAGER, mirror_variable

HERE = Path(__file__).parent
OURS = ("run.sh", "load.sh", "lib.sh")
DISTRIBUTIONS = "distros"
HOOKS = ("before_starting_container", "after_stopping_container")

DNF_FILE = "dnf.conf"

FAMILIES = ("debian", "fedora", "alpine", "opensuse", "arch")
BASH = Tool("bash", dict.fromkeys(FAMILIES, "bash"))
DNF = Tool("dnf", dict.fromkeys(FAMILIES, "dnf"))

# rootfs.sh:105: these have no musl target of Rust's.
WITHOUT_MUSL = ("ppc64le", "s390x")


class Shell:
    """Plans one run of a distribution's own `build_rootfs`."""

    name = "shell"

    def plan(self, request: BuildRequest, distro: Distro, site: Site) -> Plan:
        """Pure. Raises UsageError for a distribution that no config.sh describes."""
        script = distro.script
        if script is None:
            raise UsageError(
                f"planning a build of {distro.title}",
                "the shell backend runs a config.sh, and a distro.toml describes it",
                "Name another backend in the distro.toml, or write a config.sh in its place.",
            )
        own = f"{DISTRIBUTIONS}/{distro.name}"
        files: dict[str, bytes | Path | PinnedFile] = {name: HERE / name for name in OURS}
        files |= {f"{DISTRIBUTIONS}/{directory.name}": directory for directory in script.beside}
        files[own] = distro.directory.resolve()
        named = dict(request.script_variables)
        on_host = _environment(request, distro, site)
        environment = dict(on_host)
        if DNF_CONF in named:
            # It goes where the build does, which may be a container.
            files[DNF_FILE] = Path(named[DNF_CONF])
            environment[DNF_CONF] = str(site.files / DNF_FILE)
        build = _call("build_rootfs", site.files / "run.sh", site.files / own, str(site.tree))
        # The hooks run on the host whatever the engine: there the files are where they always were.
        before, after = (_call(hook, HERE / "run.sh", distro.directory.resolve()) for hook in HOOKS)
        return Plan(
            (Command(build, environment),),
            _tools(script, named.get(PKG_MANAGER, "")),
            distro.packages_for(request),
            files,
            before_container=(Command(before, on_host),) if script.has_library else (),
            after_container=(Command(after, on_host),) if script.has_library else (),
        )

    def index(self, request: BuildRequest, distro: Distro) -> str:
        """Empty: what lies where on a mirror is known to the directory's own scripts only."""
        return ""


def _call(function: str, script: Path, directory: Path, *arguments: str) -> tuple[str, ...]:
    return ("bash", str(script), function, str(directory), *arguments)


def _tools(script: ConfigScript, manager: str) -> tuple[Tool, ...]:
    """What osbuilder's own build of a distribution without a rootfs_lib.sh needs, besides the shell.

    `manager` is PKG_MANAGER: a program, perhaps with options.
    """
    if script.has_library:
        return (BASH,)
    program = next(iter(manager.split()), DNF.program)
    return (BASH, DNF if program == DNF.program else Tool(program, dict.fromkeys(FAMILIES, program)))


def _environment(request: BuildRequest, distro: Distro, site: Site) -> dict[str, str]:
    """What osbuilder has in its environment when it reads a config.sh (rootfs.sh:14-60)."""
    machine = str(request.arch)
    return {
        "ROOTFS_DIR": str(site.tree),
        "AGENT_BIN": request.agent_name,
        "BIN_AGENT": request.agent_name,
        "AGENT_INIT": _yes_or_no(request.agent_init),
        "AGENT_POLICY": _yes_or_no(request.agent_policy is not None),
        "ARCH": machine,
        "CONFIDENTIAL_GUEST": _yes_or_no(request.confidential),
        "EXTRA_PKGS": " ".join(request.extra_packages),
        "LIBC": "gnu" if machine in WITHOUT_MUSL else "musl",
        MEASURED_ROOTFS: "no",
        "OSBUILDER_VERSION": request.osbuilder_version,
        "OS_VERSION": distro.release(request.os_version).name,
        "ROOTFS_ONLY": "yes" if request.rootfs_only else "",
        "SECCOMP": _yes_or_no(request.seccomp),
        "SELINUX": _yes_or_no(request.selinux),
        **dict(request.script_variables),
        **_mirror(request, site),
        **({"REPO_COMPONENTS": " ".join(request.components)} if request.components else {}),
        **({"SOURCE_DATE_EPOCH": str(request.source_date_epoch)} if request.source_date_epoch is not None else {}),
    }


def _mirror(request: BuildRequest, site: Site) -> dict[str, str]:
    """The mirror under the name that a config.sh looks for first: the user may have named it for the machine alone."""
    if not site.mirror:
        return {}
    of_machine = mirror_variable(str(request.arch))
    names = ("REPO_URL", *(name for name, _ in request.script_variables if name == of_machine))
    return dict.fromkeys(names, site.mirror)


def _yes_or_no(switch: bool) -> str:
    return "yes" if switch else "no"


def dockerfile(request: BuildRequest, distro: Distro) -> str | None:
    """The Dockerfile of the image that has the package manager: Dockerfile.in, its placeholders filled in.

    None where there is none. No agent is compiled in it, so nothing of Rust's is installed, and a proxy is the
    container engine's business.
    """
    if distro.script is None or distro.script.dockerfile is None:
        return None
    values = {
        "OS_VERSION": distro.release(request.os_version).name,
        "INSTALL_RUST": "",
        "SET_PROXY": "",
        "distro": distro.name,
    }
    text = distro.script.dockerfile
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
