"""A build described in TOML: the same names, and mistakes told with file, line and the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_kit.errors import UsageError
from rootfs_kit.request.config import read_config
from rootfs_kit.request.knobs import KNOBS
from rootfs_kit.request.values import OneOf
from rootfs_kit.toml import read_table
from tests.support.surroundings import planned_build, planned_overlay


def write(directory: Path, text: str | bytes) -> Path:
    path = directory / "build.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(directory: Path, text: str | bytes) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_config(write(directory, text))
    assert caught.value.doing == f"reading {directory / 'build.toml'}"
    return caught.value


def test_a_whole_build_is_described_with_the_names_of_the_options(tmp_path: Path):
    write(
        tmp_path,
        """
        distro = "debian"
        os-version = "bookworm"
        agent-bin = "out/kata-agent"
        agent-init = true
        extra-pkgs = ["strace", "jq"]
        components = "main contrib"
        overlay-dir = ["a", "/b"]
        source-date-epoch = 86400
        check = false
        """,
    )
    request = planned_build(tmp_path, distro=None, config="build.toml").request
    assert (request.distro, request.os_version, request.agent_init) == ("debian", "bookworm", True)
    assert request.agent_bin == tmp_path / "out" / "kata-agent"
    assert request.extra_packages == ("strace", "jq")
    assert request.components == ("main", "contrib")
    assert request.overlay_dirs == (tmp_path / "a", Path("/b"))
    assert (request.source_date_epoch, request.check) == (86400, False)


def test_paths_in_a_file_count_from_where_the_file_is(tmp_path: Path):
    (tmp_path / "conf").mkdir()
    write(tmp_path / "conf", 'rootfs-dir = "../out"\nagent-bin = "agent"\n')
    request = planned_build(tmp_path, config="conf/build.toml").request
    assert request.rootfs_dir == tmp_path / "out"
    assert request.agent_bin == tmp_path / "conf" / "agent"


def test_a_distribution_named_by_its_path_counts_from_there_too(tmp_path: Path):
    (tmp_path / "conf/mine").mkdir(parents=True)
    (tmp_path / "conf/mine/distro.toml").write_text('extends = "debian"\n')
    write(tmp_path / "conf", 'distro = "./mine"\n')
    assert planned_build(tmp_path, distro=None, config="conf/build.toml").distro.name == "mine"


def test_the_distribution_on_the_command_line_wins_over_the_files(tmp_path: Path):
    write(tmp_path, 'distro = "nowhere"\n')
    assert planned_build(tmp_path, distro="debian", config="build.toml").request.distro == "debian"


def test_every_knob_may_stand_in_the_file(tmp_path: Path):
    for knob in KNOBS:
        values = {
            "arch": '"x86_64"',
            "mirror": '"http://mirror.example/debian"',
            "agent": '"probe"',
            "engine": '"podman"',
        }
        value = "true" if knob.is_switch else values.get(knob.field, '"word"')
        value = f'"{knob.kind.words[0]}"' if isinstance(knob.kind, OneOf) else value
        value = "1" if knob.field == "source_date_epoch" else value
        layer = read_config(write(tmp_path, f"\n{knob.key} = {value}\n")).layer
        assert layer[knob.field].origin.name == "build.toml:2"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('agent-bin = "a"\nextra-pkgs = [ "x"\nseccomp = true\n', "line 3, column 1: unclosed array"),
        ("agent-bin\n", "line 1, column 10: expected '=' after a key in a key/value pair"),
        ('agent-bin = "a', "line 1, column 15: unterminated string"),
        ("a = 1\na = 2\n", "line 2, column 6: cannot overwrite a value"),
        ("\n\n  = 1\n", "line 3, column 3: invalid statement"),
        ("arch = nul\n", "line 1, column 8: invalid value"),
    ],
)
def test_a_syntax_error_has_line_and_column(tmp_path: Path, text, found):
    assert refusal(tmp_path, text).found == found


def test_bytes_that_are_not_utf8_are_found(tmp_path: Path):
    assert refusal(tmp_path, b'arch = "x"\nmirror = "caf\xe9"\n').found == "line 2, column 14: this is not UTF-8"


@pytest.mark.parametrize(
    ("text", "line", "key", "nearest"),
    [
        ('# x\n\nagent-bim = "a"\n', 3, "agent-bim", "agent-bin"),
        ("agent_init = true\n", 1, "agent_init", "agent-init"),
        ("extra-pkgs = [\n  'a',\n]\nforse = true\n", 4, "forse", "force"),
        ('mirror = """\nx\n"""\n"distor" = "debian"\n', 4, "distor", "distro"),
    ],
)
def test_an_unknown_key_is_shown_with_its_line_and_the_nearest(tmp_path: Path, text, line, key, nearest):
    error = refusal(tmp_path, text)
    assert error.found == f'line {line}: unknown key "{key}"'
    assert error.hint == f'Did you mean "{nearest}"?'


def test_an_unknown_key_that_is_near_nothing_gets_the_whole_list(tmp_path: Path):
    error = refusal(tmp_path, "[qqqqqqqq]\nx = 1\n")
    assert error.found == 'line 1: unknown key "qqqqqqqq"'
    assert "agent-init" in error.hint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('agent-init = "yes"', 'line 1, agent-init: it wants true or false, and holds the string "yes"'),
        ("rootfs-dir = 4", "line 1, rootfs-dir: it wants a string, and holds the number 4"),
        ("extra-pkgs = 4", "line 1, extra-pkgs: it wants a list of strings, and holds the number 4"),
        ("\nextra-pkgs = ['a', 4]", "line 2, extra-pkgs: it wants a list of strings, and holds a list"),
        ("source-date-epoch = '1'", 'line 1, source-date-epoch: it wants a whole number, and holds the string "1"'),
        ("source-date-epoch = true", "line 1, source-date-epoch: it wants a whole number, and holds true"),
        ("arch = {a = 1}", "line 1, arch: it wants a string, and holds a table"),
        ("arch = 2026-01-01", "line 1, arch: it wants a string, and holds the date 2026-01-01"),
        ("distro = 1", "line 1: distro wants a string with something in it, and holds the number 1"),
        ("distros-dir = 'x'", 'line 1: distros-dir wants a list of strings, and holds the string "x"'),
        ("agent-bin = ''", "line 1, agent-bin: the value is empty"),
    ],
)
def test_a_wrong_type_is_named(tmp_path: Path, text, found):
    assert refusal(tmp_path, text).found == found


@pytest.mark.parametrize(
    ("name", "found"), [("none.toml", "there is no such file"), (".", "it is no regular file"), ("/dev/null", "")]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, found: str):
    with pytest.raises(UsageError) as caught:
        planned_build(tmp_path, config=name)
    assert found in caught.value.found


def test_a_huge_file_and_a_deep_one_are_refused(tmp_path: Path):
    assert "bytes" in refusal(tmp_path, "#" * (1 << 20) + "\n").found
    assert refusal(tmp_path, "a = " + "[" * 50_000).found


def test_keys_that_mean_nothing_for_an_overlay_are_told(tmp_path: Path):
    write(tmp_path, "agent-init = true\nextra-pkgs = ['strace']\n")
    planned = planned_overlay(tmp_path, config="build.toml", rootfs_dir="out")
    assert planned.notes == ("build.toml:2: extra-pkgs means nothing for an overlay",)


def test_every_place_in_a_file_is_known_by_line(tmp_path: Path):
    path = write(
        tmp_path,
        "a = 1\nb = [\n 1, # ]\n 2,\n]\nc.d = 1\ns = '''\nx = 1\n'''\n[t]\nk = {x = 1}\n"
        "[[r]]\nn = 1\n[r.sub]\nz = 1\n[[r]]\n[r.sub]\nz = 3\n[[r.q]]\nw = 1\n[[r.q]]\nw = 2\n",
    )
    lines = read_table(path).lines
    assert lines[("a",)] == 1
    assert lines[("b",)] == 2
    assert lines[("c", "d")] == 6
    assert lines[("s",)] == 7
    assert lines[("t", "k", "x")] == 11
    assert lines[("r", 0, "sub", "z")] == 15
    assert lines[("r", 1, "sub", "z")] == 18
    assert lines[("r", 1, "q", 1, "w")] == 22


@given(st.text(alphabet=st.sampled_from("ab-.=[]{}\"'\\#\n ,1"), max_size=60))
def test_any_text_is_either_read_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, text: str):
    path = write(tmp_path_factory.getbasetemp(), text)
    try:
        read_config(path)
    except UsageError as error:
        assert error.found.startswith("line ")
