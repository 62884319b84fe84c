"""Every knob of a build, in one table: what it is called on the command line, in the environment and in TOML.

`--help`, the reading of options, environment and files, and `rootfs-kit show` are all driven by this table. The
environment names are those of Kata's osbuilder (rootfs.sh); built-in defaults are BuildRequest's own. In a TOML
file a knob has the name of its long option without the dashes in front.
"""

from __future__ import annotations

from rootfs_kit.request import AUTO_ENGINE, PROBE_AGENT, Format
from rootfs_kit.request.knob import BUILD_ONLY, Knob, Section
from rootfs_kit.request.values import Epoch, File, Files, Given, Machine, OneOf, Output, Switch, Text, Words

# The characters of package names, versions and relations; a name may not pass for an option of a package manager,
# nor for one of apt's search patterns, which begin with `?` and `~`.
_PACKAGE = r"[A-Za-z0-9][A-Za-z0-9.+:~=/_^-]*"
_WORD = r"[A-Za-z0-9][A-Za-z0-9._+/-]*"

_YES_OR_NO = Switch()
_PACKAGES = Words("names of packages", "NAMES", _PACKAGE)
_COMPONENTS = Words("names of components", "NAMES", _WORD)
_VERSION = Text("the name or number of a release", "VERSION", _WORD)
_MACHINE = Machine()
_URL = Text("an http, https or file URL", "URL", r"(?:https?://[^\s/\x00-\x1f]\S*|file:///\S*)")
_FILE_NAME = Text("a file name without a slash", "NAME", r"(?!\.{1,2}$)[A-Za-z0-9._+-]+")
_PROBE = Text(f'the word "{PROBE_AGENT}"', PROBE_AGENT, PROBE_AGENT)
_ONE_LINE = Text("one line of text")
_NEW_PATH = File("a path", "PATH")
_FILE = File("an existing file", "FILE", must_be="file")
_DIRECTORY = File("an existing directory", "DIR", must_be="directory")

KNOBS = (
    Knob(
        "rootfs_dir",
        Section.WHAT,
        ("-r", "--rootfs-dir"),
        Output("a path, or - for standard output", "PATH"),
        "Where the rootfs goes: a directory, or the file or - for an archive.",
        "ROOTFS_DIR",
        default_words="./rootfs-DISTRO",
    ),
    Knob(
        "format",
        Section.WHAT,
        ("--format",),
        OneOf(tuple(Format)),
        "A directory, a tar, or a cpio to boot as initramfs; compressed where PATH ends in .gz, .xz, .zst or .tgz.",
    ),
    Knob(
        "os_version",
        Section.WHAT,
        ("--os-version",),
        _VERSION,
        "Release of the distribution: a name (trixie), a number (13) or an alias (stable).",
        "OS_VERSION",
        default_words="the distribution's stable release",
        commands=BUILD_ONLY,
    ),
    Knob(
        "arch",
        Section.WHAT,
        ("--arch",),
        _MACHINE,
        "Architecture of the guest, by the kernel's name or the distribution's own.",
        "ARCH",
        default_words="this host's",
    ),
    Knob(
        "mirror",
        Section.WHAT,
        ("--mirror",),
        _URL,
        "Package archive to install from.",
        "REPO_URL",
        has_machines=True,
        default_words="the distribution's own",
        commands=BUILD_ONLY,
    ),
    Knob(
        "components",
        Section.WHAT,
        ("--components",),
        _COMPONENTS,
        "Parts of the archive to use, parted by spaces or commas.",
        "REPO_COMPONENTS",
        default_words="the distribution's",
        commands=BUILD_ONLY,
    ),
    Knob(
        "extra_packages",
        Section.WHAT,
        ("--extra-pkgs",),
        _PACKAGES,
        "Packages to install besides those that a guest needs, parted by spaces or commas; repeatable.",
        "EXTRA_PKGS",
        commands=BUILD_ONLY,
    ),
    Knob(
        "agent_bin",
        Section.AGENT,
        ("--agent-bin",),
        _FILE,
        "The kata-agent program to install.",
        "AGENT_SOURCE_BIN",
    ),
    Knob(
        "agent_tarball",
        Section.AGENT,
        ("--agent-tarball",),
        _FILE,
        "A tar archive with the agent and its units, laid over the rootfs.",
        "AGENT_TARBALL",
    ),
    Knob(
        "agent",
        Section.AGENT,
        ("--agent",),
        _PROBE,
        "Instead of kata-agent, a small diagnostic agent compiled on this host; for trying things out.",
    ),
    Knob(
        "agent_name",
        Section.AGENT,
        ("--agent-name",),
        _FILE_NAME,
        "File name of the agent in the guest's /usr/bin.",
        "AGENT_BIN",
    ),
    Knob(
        "agent_init",
        Section.AGENT,
        ("--agent-init",),
        _YES_OR_NO,
        "The agent is the guest's init process; no systemd.",
        "AGENT_INIT",
    ),
    Knob(
        "agent_policy",
        Section.AGENT,
        ("--agent-policy",),
        _FILE,
        "Rego policy that the agent enforces, installed in /etc/kata-opa.",
        "AGENT_POLICY_FILE",
        switched_by="AGENT_POLICY",
    ),
    Knob(
        "kernel_modules",
        Section.GUEST,
        ("--kernel-modules",),
        _DIRECTORY,
        "Modules of the guest's kernel: a directory such as /lib/modules/VERSION.",
        "KERNEL_MODULES_DIR",
    ),
    Knob(
        "seccomp",
        Section.GUEST,
        ("--seccomp",),
        _YES_OR_NO,
        "Install what an agent with seccomp support needs.",
        "SECCOMP",
    ),
    Knob(
        "selinux",
        Section.GUEST,
        ("--selinux",),
        _YES_OR_NO,
        "Install an SELinux policy; not with --agent-init.",
        "SELINUX",
    ),
    Knob(
        "confidential",
        Section.GUEST,
        ("--confidential",),
        _YES_OR_NO,
        "Prepare for a confidential guest: a /run with room for images that are pulled inside.",
        "CONFIDENTIAL_GUEST",
    ),
    Knob(
        "coco_tarball",
        Section.GUEST,
        ("--coco-tarball",),
        _FILE,
        "A tar archive of the confidential containers' guest components.",
        "COCO_GUEST_COMPONENTS_TARBALL",
    ),
    Knob(
        "pause_tarball",
        Section.GUEST,
        ("--pause-tarball",),
        _FILE,
        "A tar archive of the pause image's bundle.",
        "PAUSE_IMAGE_TARBALL",
    ),
    Knob(
        "guest_hooks_tarball",
        Section.GUEST,
        ("--guest-hooks-tarball",),
        _FILE,
        "A tar archive of OCI hooks that run inside the guest.",
        "GUEST_HOOKS_TARBALL",
    ),
    Knob(
        "overlay_dirs",
        Section.CHANGES,
        ("--overlay-dir",),
        Files(_DIRECTORY),
        "A directory whose content is copied over the rootfs; repeatable, in order.",
    ),
    Knob(
        "run_scripts",
        Section.CHANGES,
        ("--run",),
        Files(_FILE),
        "A script that runs inside the rootfs at the end; repeatable, in order.",
        commands=BUILD_ONLY,
    ),
    Knob(
        "delete_units",
        Section.CHANGES,
        ("-d", "--delete-units"),
        _YES_OR_NO,
        "Delete systemd units and generators that a guest does without (rootfs.sh -d).",
    ),
    Knob(
        "rootfs_only",
        Section.CHANGES,
        ("--rootfs-only",),
        _YES_OR_NO,
        "Stop after the distribution's packages: no agent, nothing of Kata's.",
        "ROOTFS_ONLY",
        commands=BUILD_ONLY,
    ),
    Knob(
        "osbuilder_version",
        Section.CHANGES,
        ("-o", "--osbuilder-version"),
        _ONE_LINE,
        "The version that osbuilder.yaml names.",
        "OSBUILDER_VERSION",
    ),
    Knob(
        "source_date_epoch",
        Section.CHANGES,
        ("--source-date-epoch",),
        Epoch(),
        "No time in the rootfs is later than this one, in seconds since 1970.",
        "SOURCE_DATE_EPOCH",
    ),
    Knob(
        "engine",
        Section.WORK,
        ("--engine",),
        Text(
            "auto, host, userns, docker or podman, the last two also with an address: docker:ssh://user@host",
            "ENGINE",
            rf"{AUTO_ENGINE}|host|userns|(?:docker|podman)(?::[a-z]+://\S+)?",
        ),
        "Where the packages are installed: host (as root), userns (as root of a user namespace), docker or podman, "
        "these two also elsewhere (docker:ssh://user@host). auto takes what this user and this host can.",
        environment_words=(("USE_DOCKER", "docker"), ("USE_PODMAN", "podman")),
        commands=BUILD_ONLY,
    ),
    Knob(
        "owner",
        Section.WORK,
        ("--owner",),
        Text("the name or number of a user", "USER", r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?"),
        "Give the result to this user: an archive, or a directory as if the user had built it. Only root can.",
        default_words="who builds",
    ),
    Knob(
        "builder_image",
        Section.WORK,
        ("--builder-image",),
        Text("the name of an image", "IMAGE", r"[A-Za-z0-9][A-Za-z0-9._:/@-]*"),
        "With docker or podman: a ready image that has the package manager, instead of one that is built for it.",
        commands=BUILD_ONLY,
    ),
    Knob(
        "image_registry",
        Section.WORK,
        ("--image-registry",),
        Text("the name of a registry", "REGISTRY", r"[A-Za-z0-9][A-Za-z0-9._:/-]*"),
        "With docker or podman: where the base image of the builder image is pulled from.",
        "IMAGE_REGISTRY",
        default_words="the image's own",
        commands=BUILD_ONLY,
    ),
    Knob(
        "container_runtime",
        Section.WORK,
        ("--container-runtime",),
        Text("the name of an OCI runtime", "NAME", r"[A-Za-z0-9][A-Za-z0-9._/-]*"),
        "With docker or podman: the OCI runtime, runc or crun.",
        "DOCKER_RUNTIME",
        default_words="the engine's",
        commands=BUILD_ONLY,
    ),
    Knob(
        "force",
        Section.WORK,
        ("--force",),
        _YES_OR_NO,
        "Replace a directory that rootfs-kit did not make.",
    ),
    Knob(
        "keep_failed",
        Section.WORK,
        ("--keep-failed",),
        _YES_OR_NO,
        "Leave the unfinished tree of a failed build for a look.",
    ),
    Knob(
        "wait",
        Section.WORK,
        ("--wait",),
        _YES_OR_NO,
        "Wait while another build of the same rootfs runs.",
    ),
    Knob(
        "graceful_exit",
        Section.WORK,
        ("--graceful-exit",),
        Given(),
        "Count a failure as success where the distribution's config.sh says BUILD_CAN_FAIL, and leave DISTRO_fail.",
        "GRACEFUL_EXIT",
        commands=BUILD_ONLY,
    ),
    Knob(
        "check",
        Section.WORK,
        ("--check",),
        _YES_OR_NO,
        "Let the conformance suite judge the rootfs before it is published.",
    ),
    Knob(
        "allow_probe_agent",
        Section.WORK,
        ("--allow-probe-agent",),
        _YES_OR_NO,
        "The suite accepts the diagnostic agent as an agent.",
        default_words="yes with --agent probe, else no",
    ),
    Knob(
        "log",
        Section.WORK,
        ("--log",),
        _NEW_PATH,
        "Write all that the build says, and its tools' output, to this file.",
    ),
)

BY_FIELD = {knob.field: knob for knob in KNOBS}
