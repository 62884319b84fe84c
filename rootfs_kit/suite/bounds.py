"""Version bounds as an expectation writes them: ">= 1.2, < 2", one version, or "*" for any.

How versions compare, and what a bound means, is the package format's business (`rootfs_kit.tree.packages.version`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rootfs_kit.errors import CouldNotLook

if TYPE_CHECKING:
    from rootfs_kit.tree.packages import PackageSet

OPERATORS = tuple("<=>!")


class Bounds(NamedTuple):
    """Bounds that must all hold; an empty text is no bound."""

    text: str = ""

    def accept(self, packages: PackageSet, name: str) -> bool:
        """Whether the installed version of `name` is within the bounds.

        Raises CouldNotLook where the rootfs tells that it is installed, but not which version.
        """
        if not self.text:
            return True
        answer = packages.satisfies(name, self.text)
        if answer is None:
            raise CouldNotLook(
                f"looking for the version of {name}",
                f"the rootfs does not tell it (asked of: {packages.method})",
                "Judge the rootfs before its package database is dropped, or leave the version open.",
            )
        return answer

    def __str__(self) -> str:
        return self.text or "of any version"


ANY_VERSION = Bounds()


def parse_bounds(text: str) -> Bounds:
    """The bounds that `text` writes. Raises UsageError, with the part at fault, for anything else."""
    from rootfs_kit.tree.packages import version

    text = text.strip()
    if text == "*":
        return ANY_VERSION
    bounds = text if text.startswith(OPERATORS) else f"= {text}"
    version.parse_bounds(bounds)
    return Bounds(bounds)
