"""The policy that an agent with the agent-policy feature enforces; without one it stops the guest after a second.

The agent reads default-policy.rego (src/agent/policy/src/policy.rs:31); the file itself keeps the name that it was
given under, so that one sees which policy a guest has.
"""

from __future__ import annotations

from pathlib import Path

from rootfs_kit.errors import UsageError
from rootfs_kit.tree import RootfsEditor

DIRECTORY = "/etc/kata-opa"
DEFAULT = "default-policy.rego"
PACKAGE = "package agent_policy"


def require_policy(path: Path) -> None:
    """Raise UsageError for a file that the agent would not take for a policy of its own."""
    doing = f"reading the policy {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(doing, error.strerror or str(error), "Name a file that can be read.") from error
    except UnicodeDecodeError as error:
        raise UsageError(doing, "it is no text", "Name a file in the language Rego.") from error
    if PACKAGE not in [line.partition("#")[0].strip() for line in text.splitlines()]:
        raise UsageError(
            doing, f'it has no line "{PACKAGE}"', "Name a policy for kata-agent, or add that line at its head."
        )


def install_policy(editor: RootfsEditor, policy: Path) -> None:
    """Install the policy under its own name, and let the agent's name for it be a link there."""
    path = f"{DIRECTORY}/{policy.name}"
    if policy.name == DEFAULT:
        editor.remove(path)
    editor.copy_in(policy, path, 0o644)
    if policy.name != DEFAULT:
        editor.symlink(f"{DIRECTORY}/{DEFAULT}", policy.name)
