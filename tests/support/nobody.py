"""A child of this process as an ordinary user, for what root would be allowed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

NOBODY = 65534


def as_nobody(answer: Callable[[], Any]) -> Any:
    """What `answer` returns for a user without rights, by way of JSON.

    A child and not another program: the interpreter may lie where only root can read it, so whoever calls this has
    imported before all that `answer` needs.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, json.dumps(answer()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert told, "the child ended in an error"
    return json.loads(told)
