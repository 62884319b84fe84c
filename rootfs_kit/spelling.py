"""How to tell somebody of an option of the suite: its two doors spell it differently, and a message may leave by both.

`rootfs-kit check` has its options to itself; among those of pytest they begin with `rootfs-`.
"""

from __future__ import annotations


def spelt(option: str) -> str:
    """The option `arch`, say, as each door spells it: `--arch (with pytest --rootfs-arch)`."""
    return f"--{option} (with pytest --rootfs-{option})"
