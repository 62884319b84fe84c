"""A guest in which the suite has as much to read as it can, and pytest runs on it in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.survey import recording
from tests.suite.conftest import here, run, site  # noqa: F401  (fixtures)
from tests.support import trees
from tests.support.verdicts import judged


def rich_guest(root: Path) -> Path:
    """A guest with policy, confidential components, modules, a manifest and dynamically linked programs."""
    trees.confidential_guest(root)
    trees.program(root, "usr/bin/kata-agent", trees.stand_in_policy_agent())
    trees.write(root, "etc/kata-opa/default-policy.rego", "package agent_policy\n\ndefault Any := true\n")
    trees.write(root, "etc/hostname", "localhost\n")
    trees.write(root, "etc/hosts", "127.0.0.1 localhost\n")
    trees.write(root, "etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n")
    trees.write(root, "etc/ld.so.conf.d/local.conf", "/usr/local/lib\n")
    trees.write(root, "etc/ld.so.cache", "")
    manifest = '{"packages": {"method": "dpkg", "requested": ["chrony"], "extra": ["strace"], "installed": []}}'
    trees.write(root, "var/lib/osbuilder/manifest.json", manifest)
    return root


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    return rich_guest(tmp_path / "guest")


@pytest.fixture(scope="session")
def read_by_the_suite(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The guest paths of every file that the suite opens in such a guest."""
    with recording() as opened:
        judged(rich_guest(tmp_path_factory.mktemp("read") / "guest"))
    return tuple(sorted(opened))
