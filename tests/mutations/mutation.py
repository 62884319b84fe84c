"""What a mutation is: one line in a table."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.defects import Defect


@dataclass(frozen=True)
class Mutation:
    """A defect, and the id of the check that must find it; `features` are what the tree is held to besides."""

    story: str
    check: str
    defect: Defect
    features: tuple[str, ...] = ()

    @property
    def room(self) -> str:
        """The first part of the check's id."""
        return self.check.partition("-")[0]
