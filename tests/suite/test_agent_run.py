"""AGT-05: the agent is started only when that is asked for, and can do nothing but say who it is."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from rootfs_kit.suite.agent_run import ask_agent
from rootfs_kit.suite.verdict import Result, State, Verdict
from rootfs_kit.tree import open_rootfs
from tests.support import trees
from tests.support.agents import foreign_agent
from tests.support.programs import compile_c
from tests.support.requirements import needs_mount_namespace, needs_program
from tests.support.verdicts import judged

pytestmark = [needs_program("cc", "depmod"), needs_mount_namespace()]

PROGRAM = """
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>
const char *const constants[] = {{"grpc.AgentService", "ttRPC server started", "/run/kata-containers"}};
int main(int count, char **arguments) {{
    if (count != 2 || strcmp(arguments[1], "--version") || *(const char *const volatile *) constants == 0) return 9;
    {body}
}}
"""
ANSWER = (
    'puts("kata-agent version 3.20.0 (api version: 0.0.1, commit version: 7c6ba40, type: rust, '
    'extra-features: [\\"agent-policy\\", \\"seccomp\\"])"); return 0;'
)


@pytest.fixture(scope="module")
def good_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.systemd_guest(tmp_path_factory.mktemp("good") / "tree")


@pytest.fixture
def tree(good_tree: Path, tmp_path: Path) -> Path:
    return trees.copy(good_tree, tmp_path / "tree")


def with_agent(tree: Path, name: str, body: str) -> Path:
    """`tree` with an agent whose main function goes on with `body`."""
    program = compile_c(PROGRAM.format(body=body), f"speaking-agent-{name}", "-static", "-s", "-Os")
    (tree / "usr/bin/kata-agent").unlink()
    shutil.copy(program, tree / "usr/bin/kata-agent")
    return tree


def answers(verdict: Verdict) -> dict[str, Result]:
    """The results of AGT-05, by test."""
    found = {result.nodeid.rpartition("::")[2].partition("[")[0]: result for result in verdict.results}
    return {name: result for name, result in found.items() if result.check == "AGT-05"}


def said(result: Result) -> str:
    return " ".join(judged.finding.found for judged in result.findings)


def test_nothing_is_started_unless_asked(tree: Path) -> None:
    assert answers(judged(with_agent(tree, "answering", ANSWER))) == {}


def test_version_and_features_are_recorded(tree: Path) -> None:
    found = answers(judged(with_agent(tree, "answering", ANSWER), run_agent=True))
    assert found["test_agent_runs"].state is State.PASSED
    assert found["test_agent_tells_its_features"].state is State.NOTED
    assert said(found["test_agent_tells_its_features"]) == "version 3.20.0, features: agent-policy, seccomp"


@pytest.mark.parametrize(
    ("name", "body", "tells"),
    [
        (
            "failing",
            'puts("kata-agent version unknown"); return 3;',
            "status 3, and it said: kata-agent version unknown",
        ),
        ("silent", "return 0;", "status 0, and it said: nothing"),
        ("crashing", "__builtin_trap();", "status 1"),
    ],
)
def test_agent_that_does_not_answer_is_a_warning(tree: Path, name: str, body: str, tells: str) -> None:
    result = answers(judged(with_agent(tree, name, body), run_agent=True))["test_agent_runs"]
    assert result.state is State.WARNED
    assert tells in said(result)


@pytest.mark.slow
def test_agent_that_never_ends_is_ended(tree: Path) -> None:
    begun = time.monotonic()
    body = "if (fork() == 0) for (;;) pause(); for (;;) pause();"
    result = answers(judged(with_agent(tree, "lasting", body), run_agent=True))["test_agent_runs"]
    assert said(result) == "no answer within 5 s"
    assert time.monotonic() - begun < 60


def test_agent_that_floods_its_output_is_cut_off(tree: Path) -> None:
    result = answers(judged(with_agent(tree, "flooding", 'for (;;) puts("again");'), run_agent=True))["test_agent_runs"]
    assert result.state is State.WARNED
    assert len(said(result)) < 1000


ATTEMPTS = """
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0x7f000001)}};
    printf("pid %d\\n", getpid() == 1);
    printf("write %d\\n", open("/var/lib/osbuilder/osbuilder.yaml", O_WRONLY) >= 0);
    printf("create %d\\n", open("/made", O_WRONLY | O_CREAT, 0644) >= 0);
    printf("remount %d\\n", mount("none", "/", "", MS_REMOUNT | MS_BIND, "") == 0);
    printf("escape %d\\n", chroot("usr") == 0);
    errno = 0;
    connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *) &there, sizeof there);
    printf("network %d\\n", errno != ENETUNREACH);
    return 7;
"""


def test_agent_can_do_no_harm(tree: Path) -> None:
    guest = with_agent(tree, "harmful", ATTEMPTS)
    before = trees.fingerprint(guest)
    answer = ask_agent(open_rootfs(guest), "/usr/bin/kata-agent")
    assert answer.status == 7
    assert answer.text.splitlines() == ["pid 0", "write 0", "create 0", "remount 0", "escape 0", "network 0"]
    assert trees.fingerprint(guest) == before


def test_other_version_than_expected_is_an_error(tree: Path, tmp_path: Path) -> None:
    expect = tmp_path / "expect.toml"
    expect.write_text('agent-version = "3.21.0"\n')
    guest = with_agent(tree, "answering", ANSWER)
    result = answers(judged(guest, run_agent=True, expect=expect))["test_agent_is_of_the_expected_version"]
    assert (result.state, said(result)) == (State.FAILED, "version 3.20.0")
    expect.write_text('agent-version = "3.20.0"\n')
    result = answers(judged(guest, run_agent=True, expect=expect))["test_agent_is_of_the_expected_version"]
    assert result.state is State.PASSED


def test_expected_version_is_unknown_where_the_agent_may_not_be_started(tree: Path, tmp_path: Path) -> None:
    expect = tmp_path / "expect.toml"
    expect.write_text('agent-version = "3.21.0"\n')
    result = answers(judged(tree, expect=expect))["test_agent_is_of_the_expected_version"]
    assert result.state is State.UNKNOWN
    assert result.unknown is not None and "--rootfs-run-agent" in result.unknown.hint


def test_agent_of_another_machine_is_not_started(tree: Path) -> None:
    (tree / "usr/bin/kata-agent").unlink()
    shutil.copy(foreign_agent(), tree / "usr/bin/kata-agent")
    os.chmod(tree / "usr/bin/kata-agent", 0o755)
    result = answers(judged(tree, run_agent=True))["test_agent_runs"]
    assert result.state is State.UNKNOWN
