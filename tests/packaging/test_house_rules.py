"""What every file of the project keeps to, so that nobody has to remember it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MOST_LINES = 400
MOST_FUNCTION_LINES = 40
# Where packages of registries live, and this project's own machines: neither belongs into a file of the project.
PLACES = re.compile(
    "|".join((r"deb\.debian" r"\.org", r"security\.debian" r"\.org", r"pypi" r"\.org", r"files\.pythonhosted" r"\.org",
              r"crates" r"\.io", r"registry\.npmjs" r"\.org", r"/work" r"/main", r"/work" r"/shared"))
)  # fmt: skip


def _tracked(pattern: str = "*") -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("needs a git checkout")
    return [PROJECT / name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()]


def _modules() -> list[Path]:
    return [path for path in _tracked("*.py") if "tests" not in path.relative_to(PROJECT).parts]


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _outside(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(PROJECT)) for path in paths]


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    assert _outside([path for path in _modules() if len(path.read_text().splitlines()) > MOST_LINES]) == []


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(PROJECT)}:{function.lineno} {function.name}"
        for path in _modules()
        for function in _functions(path)
        if (function.end_lineno or function.lineno) - function.lineno >= MOST_FUNCTION_LINES
    ]
    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    modules = [path for path in _modules() if path.read_text().strip()]
    assert _outside([path for path in modules if not ast.get_docstring(ast.parse(path.read_text()))]) == []


def test_no_file_names_a_registry_or_a_place_of_this_machine() -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(PROJECT)}: {match.group()}" for match in PLACES.finditer(text)]
    assert found == []


def test_checks_read_the_rootfs_through_its_one_door() -> None:
    forbidden = {"os", "pathlib", "subprocess", "shutil", "io"}
    found = []
    for path in _tracked("checks/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name} imports {name}" for name in names if name.partition(".")[0] in forbidden]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                found.append(f"{path.name} opens a file")
    assert found == []


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
    code = [path for path in _tracked() if path.suffix in (".py", ".c", ".toml", "")]
    assert _outside([path for path in code if path.name != "LICENSE" and marks.search(path.read_text())]) == []


def test_every_test_file_is_collected() -> None:
    """pytest passes over directories of certain names, `build` among them, without a word."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    collected = {line.partition("::")[0] for line in listed.stdout.splitlines() if "::" in line}
    # An example for the documentation, which runs inside a rootfs's own session.
    files = [path for path in _tracked("tests/**/test_*.py") if "plugin_example" not in path.parts]
    assert [name for name in _outside(files) if name not in collected] == []
