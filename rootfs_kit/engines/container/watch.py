"""A small process beside each container that outlives a build which does not end well, and removes the container.

A container that has run is removed by its engine (--rm). One that was only created is not, and a build that was stopped
in between does not even know whether the engine has created it yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rootfs_kit.backends import Command
from rootfs_kit.engines.container.client import Client
from rootfs_kit.talk import outliving

SECONDS = 15
"""How long it goes on removing: the engine may still be about to create what it was asked for."""

# Its input ends without a word when the build failed, or is no more.
_SCRIPT = f"""\
name=$1
shift
if read -r word; then exit; fi
for second in $(seq {SECONDS}); do
    "$@" rm --force --volumes "$name"
    sleep 1
done
"""


@contextmanager
def watched(client: Client, name: str) -> Iterator[None]:
    """The container `name` goes with the body, unless that ends well: then it has gone by itself."""
    spoken_to = client.command()
    command = Command(("sh", "-c", _SCRIPT, "sh", name, *spoken_to.argv), is_client=True)
    with outliving(command):
        yield
