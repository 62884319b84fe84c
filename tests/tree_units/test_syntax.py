"""The text of unit files, as systemd.syntax(7) has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_kit.tree.unit_syntax import (
    parse_unit,
    split_commands,
    split_words,
    template_of,
    unescape,
    with_specifiers,
)
from tests.support.requirements import needs_program
from tests.tree_units.workshop import Units


def values(text: str) -> list[tuple[str, str, str]]:
    return [(one.section, one.key, one.value) for one in parse_unit(text, "/x.service")[0]]


def test_sections_keys_and_values_are_trimmed() -> None:
    assert values("[Unit]\n  Description = two  words \n[Service]\nType=simple\r\n") == [
        ("Unit", "Description", "two  words"),
        ("Service", "Type", "simple"),
    ]


def test_a_value_may_hold_equals_signs() -> None:
    assert values("[Service]\nEnvironment=A=B C=D\n") == [("Service", "Environment", "A=B C=D")]


def test_comments_and_empty_lines_are_passed_over() -> None:
    assert values("# one\n; two\n\n[Unit]\n  # three\nAfter=a.target # no comment\n") == [
        ("Unit", "After", "a.target # no comment")
    ]


def test_a_backslash_joins_lines_with_a_space() -> None:
    assert values("[Unit]\nAfter=a.target \\\n  b.target\\\nc.target\nX=1\n") == [
        ("Unit", "After", "a.target  b.target c.target"),
        ("Unit", "X", "1"),
    ]


def test_a_comment_in_the_midst_of_continuations_is_no_part_of_them() -> None:
    assert values("[Unit]\nAfter=a.target \\\n# note\n; note\n  b.target\n") == [
        ("Unit", "After", "a.target  b.target")
    ]


def test_a_continuation_may_end_with_the_file() -> None:
    assert values("[Unit]\nAfter=a.target \\") == [("Unit", "After", "a.target")]


def test_a_byte_order_mark_is_no_part_of_the_first_section() -> None:
    assert values("\ufeff[Unit]\nA=b\n") == [("Unit", "A", "b")]


def test_only_newlines_end_lines() -> None:
    assert values("[Unit]\nA=one\x0btwo\u2028three\n") == [("Unit", "A", "one\x0btwo\u2028three")]


def test_garbage_is_complained_of_with_its_line_and_passed_over() -> None:
    assignments, complaints = parse_unit("Early=1\n[Unit]\nnonsense\n=value\nA=1\n[Broken\nB=2\n[Unit]\nC=3\n", "/x")
    assert [(one.key, one.value) for one in assignments] == [("A", "1"), ("C", "3")]
    assert [one.line for one in complaints] == [1, 3, 4, 6, 7]
    assert str(complaints[0]) == "/x, line 1: an assignment outside of every section"


@needs_program("systemd-analyze")
def test_systemd_complains_of_the_same_lines(tmp_path: Path) -> None:
    text = "Early=1\n[Unit]\nnonsense\n[Service]\nExecStart=/bin/true \\\n  more\nanother\n\n=x\n"
    units = Units(tmp_path)
    units.write("bad.service", text)
    assert units.systemd_complains("bad.service") == [one.line for one in units.unit("bad.service").complaints]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("'it is \"so\"'", ['it is "so"']),
        ("'' x", ["", "x"]),
        (r"a\x20b \101 \u00e9 \s", ["a b", "A", "é", " "]),
        (r"tab\there", ["tab\there"]),
        (r"\q stays", [r"\q", "stays"]),
        (r"nul\x00stays", [r"nul\x00stays"]),
        ("'never closed", ["never closed"]),
        ("", []),
    ],
)
def test_words(value: str, words: list[str]) -> None:
    assert split_words(value) == words


@pytest.mark.parametrize(
    ("value", "program", "arguments", "prefixes"),
    [
        ("/usr/bin/kata-agent", "/usr/bin/kata-agent", (), ""),
        ("-/bin/sync", "/bin/sync", (), "-"),
        ("!/usr/sbin/chronyd $DAEMON_OPTS", "/usr/sbin/chronyd", ("$DAEMON_OPTS",), "!"),
        ("@/usr/bin/dbus-daemon @dbus-daemon --system", "/usr/bin/dbus-daemon", ("--system",), "@"),
        ("+:-/bin/sh -c 'a && b'", "/bin/sh", ("-c", "a && b"), "+:-"),
        ("!!/bin/x ${A}b %i", "/bin/x", ("${A}b", "%i"), "!!"),
        ('"/opt/my app/run" x', "/opt/my app/run", ("x",), ""),
    ],
)
def test_a_command_line_is_taken_apart(value: str, program: str, arguments: tuple[str, ...], prefixes: str) -> None:
    (line,) = split_commands(value)
    assert (line.program, line.arguments, line.prefixes) == (program, arguments, prefixes)
    assert line.may_fail == ("-" in prefixes)


def test_a_bare_semicolon_separates_commands() -> None:
    """Kata's own unit: ExecStop=/bin/sync ; /usr/bin/systemctl --force poweroff."""
    lines = split_commands(r"/bin/sync ; /usr/bin/systemctl --force poweroff ; /bin/echo \; ';' a;b")
    assert [line.program for line in lines] == ["/bin/sync", "/usr/bin/systemctl", "/bin/echo"]
    assert lines[-1].arguments == (";", ";", "a;b")


@pytest.mark.parametrize(
    ("text", "name", "expanded"),
    [
        ("%n %N", "a-b@x.service", "a-b@x.service a-b@x"),
        ("%p %j", "a-b@x.service", "a-b b"),
        ("%i", "getty@tty1.service", "tty1"),
        ("%I", r"mount@dev-disk\x2dby.service", "dev/disk-by"),
        ("100%% %H %", "a.service", "100% %H %"),
        ("%i", "plain.service", ""),
    ],
)
def test_specifiers_that_the_name_decides(text: str, name: str, expanded: str) -> None:
    assert with_specifiers(text, name) == expanded


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("getty@tty1.service", "getty@.service"),
        ("a@b.c.service", "a@.service"),
        ("getty@.service", None),
        ("plain.service", None),
        ("@x.service", None),
    ],
)
def test_templates(name: str, template: str | None) -> None:
    assert template_of(name) == template


LINES = st.lists(st.sampled_from(["[Unit]", "[X", "A=", "A=b", "  A = 'c d' \\", "# x", "\\", "=", "", "B=\\x4", "é="]))


@settings(max_examples=300, deadline=2000)
@given(text=st.one_of(st.text(max_size=200), LINES.map("\n".join), st.binary(max_size=200).map(
    lambda raw: raw.decode(errors="surrogateescape"))))  # fmt: skip
def test_no_text_breaks_the_parser(text: str) -> None:
    assignments, complaints = parse_unit(text, "/x.service")
    assert len(assignments) + len(complaints) <= text.count("\n") + 1
    for one in assignments:
        assert one.key and one.key == one.key.strip()
        assert one.value == one.value.strip()
        for line in split_commands(one.value):
            assert with_specifiers(line.program, "a@b.service") is not None


@settings(max_examples=300, deadline=2000)
@given(words=st.lists(st.text(st.characters(exclude_characters="\\\"'", exclude_categories=["Cs"]), min_size=1)))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    assert split_words(" ".join(f'"{word}"' for word in words)) == words


def test_a_very_long_value_takes_no_longer_than_it_must() -> None:
    assert len(split_words("x" * 1_000_000)[0]) == 1_000_000


def test_escaped_paths() -> None:
    assert unescape(r"dev-disk-by\x2dlabel") == "dev/disk/by-label"
