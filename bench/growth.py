"""How time and memory of the suite grow with the number of entries of a rootfs, on made trees; and a drawing of it."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FILES_IN_A_DIRECTORY = 40
LINK_EVERY = 20
JUDGE = """
import json, sys, time
from rootfs_kit.suite.run import judge
begun = time.perf_counter()
verdict = judge(sys.argv[1])
seconds = time.perf_counter() - begun
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
print(json.dumps({"seconds": seconds, "peak_mib": peak, "results": len(verdict.results)}))
"""
WIDTH, HEIGHT, LEFT, TOP, PANEL = 760, 340, 60, 40, 300
COLOUR = "#2f6f9f"


def measure_growth(python: Path, workplace: Path, sizes: list[int]) -> dict[str, dict[str, Any]]:
    """Seconds and peak MiB of one process that judges a tree, by the number of its entries; the tree is warm."""
    figures = {}
    for size in sizes:
        tree = make_tree(workplace / f"made-{size}", size)
        figures[str(size)] = _judge(python, tree)
        shutil.rmtree(tree)
        print(f"{size} entries done", file=sys.stderr)
    return figures


def make_tree(root: Path, entries: int) -> Path:
    """A root with `entries` entries: directories of forty names, every twentieth a link, the others files."""
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text("ID=made\n")
    left, number = entries - 4, 0
    while left > 0:
        directory = root / f"usr/share/group-{number % 100}/directory-{number}"
        directory.mkdir(parents=True)
        for name in range(min(FILES_IN_A_DIRECTORY, left - 1)):
            _make_entry(directory / f"an-ordinary-name-{name}", name)
        left -= FILES_IN_A_DIRECTORY + 1 + (number < 100)
        number += 1
    return root


def _make_entry(path: Path, number: int) -> None:
    if number % LINK_EVERY == LINK_EVERY - 1:
        path.symlink_to("an-ordinary-name-0")
    else:
        path.touch()


def _judge(python: Path, tree: Path) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    output = ""
    for _ in range(2):  # the first fills the caches
        output = subprocess.run(
            [str(python), "-c", JUDGE, str(tree)], env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    measured: dict[str, Any] = json.loads(output)
    return measured


def plot(figures: dict[str, dict[str, Any]]) -> str:
    """An SVG of two panels, both axes logarithmic: a straight line of slope 1 is linear growth."""
    seconds = {int(size): one["seconds"] for size, one in figures.items()}
    memory = {int(size): one["peak_mib"] for size, one in figures.items()}
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
            'font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            *_panel(LEFT, "seconds to judge a tree", seconds),
            *_panel(LEFT + PANEL + 70, "peak memory, MiB", memory),
            "</svg>\n",
        ]
    )


def _panel(left: int, title: str, values: dict[int, float]) -> list[str]:
    low, high = (math.floor(math.log10(min(values.values()))), math.ceil(math.log10(max(values.values()))))
    first, last = math.log10(min(values)), math.log10(max(values))
    bottom = TOP + 240

    def place(size: float, value: float) -> tuple[float, float]:
        across = (math.log10(size) - first) / ((last - first) or 1)
        up = (math.log10(value) - low) / ((high - low) or 1)
        return left + across * PANEL, bottom - up * 240

    lines = [f'<text x="{left}" y="{TOP - 16}" font-size="14">{title}</text>']
    for power in range(low, high + 1):
        y = place(10**first, 10**power)[1]
        lines.append(f'<line x1="{left}" y1="{y:.0f}" x2="{left + PANEL}" y2="{y:.0f}" stroke="#ddd"/>')
        lines.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g}</text>')
    points = [place(size, value) for size, value in values.items()]
    lines.append(
        f'<polyline fill="none" stroke="{COLOUR}" stroke-width="2" points="'
        + " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        + '"/>'
    )
    for (x, y), (size, value) in zip(points, values.items(), strict=True):
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOUR}"/>')
        lines.append(f'<text x="{x:.1f}" y="{y - 10:.1f}" text-anchor="middle">{value:.3g}</text>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{size:,}</text>')
    return lines
