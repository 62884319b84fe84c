"""The archive in miniature, as for single builds."""

from __future__ import annotations

from tests.build.conftest import archive, mirror, mounts_stay_as_they_were

__all__ = ["archive", "mirror", "mounts_stay_as_they_were"]
