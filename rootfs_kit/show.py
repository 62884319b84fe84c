"""`rootfs-kit show`: everything that a build would use, and where each value comes from.

`facts` is the document that `--format json` prints; `pages` lays the same document out for people.
"""

from __future__ import annotations

import shlex
import textwrap
from datetime import date
from pathlib import Path
from typing import Any

from rootfs_kit.axes import InitMode
from rootfs_kit.backends import Plan
from rootfs_kit.backends.registry import find_backend
from rootfs_kit.distro import Release, listed
from rootfs_kit.engines.choice import choose_engine
from rootfs_kit.errors import HostLacks, UsageError
from rootfs_kit.mirrors import mirrors_of, site_to_show
from rootfs_kit.planning import PlannedBuild, missing_inputs
from rootfs_kit.request.knobs import BY_FIELD
from rootfs_kit.request.settings import Setting

Facts = dict[str, Any]

INIT_PROCESSES = {InitMode.SYSTEMD: "systemd", InitMode.AGENT: "kata-agent"}


def facts(planned: PlannedBuild, today: date) -> Facts:
    """What the build `planned` would use. Raises UsageError where its backend cannot plan it."""
    request, distro = planned.request, planned.distro
    plan = find_backend(distro.backend).plan(request, distro, site_to_show(request, distro))
    return {
        "format": 1,
        "distro": _distro_facts(planned, distro.release(request.os_version), today),
        "engine": _engine_facts(planned, plan),
        "settings": _setting_facts(planned),
        "packages": [{"name": name, "for": reason} for name, reason in distro.package_reasons(request).items()],
        "tools": sorted(tool.program for tool in plan.tools),
        "commands": _command_facts(plan),
        "trim": list(distro.trim),
        "databases": list(distro.databases),
        "notes": [*planned.notes, *(error.found for error in missing_inputs(planned.settings))],
    }


def pages(facts: Facts, width: int) -> str:
    """`facts` for a terminal that is `width` columns wide."""
    sections = [
        (facts["distro"]["title"], _distro_page(facts["distro"], facts["engine"], width)),
        ("Settings", _settings_page(facts["settings"], width)),
        ("Packages, besides what these depend on", _packages_page(facts["packages"], width)),
        (f"Commands, with {listed(facts['tools'])}", _commands_page(facts["commands"], width)),
        *_variables_section(facts["distro"]["variables"]),
        ("Removed from the guest", _folded(facts["trim"] + facts["databases"], width)),
    ]
    texts = [f"{title}\n{'=' * len(title)}\n{body}" for title, body in sections]
    texts += [f"note: {note}" for note in facts["notes"]]
    return "\n\n".join(texts)


def _variables_section(variables: Facts) -> list[tuple[str, str]]:
    """What a config.sh set, where one describes the distribution; arrays as a shell writes them."""
    if not variables:
        return []
    shown = {name: shlex.join(values) for name, values in variables.items()}
    return [("Set by config.sh", "\n".join(f"{name}={value}" for name, value in shown.items()))]


def _distro_facts(planned: PlannedBuild, release: Release, today: date) -> Facts:
    request, distro = planned.request, planned.distro
    machine = str(request.arch)
    return {
        "name": distro.name,
        "title": f"{distro.title} {release.title}",
        "release": release.name,
        "version": release.version,
        "end_of_life": release.end_of_life.isoformat() if release.end_of_life else None,
        "ended": release.has_ended(today),
        "machine": machine,
        "architecture": distro.architectures[machine],
        "excluded_machines": list(distro.excluded_machines(release)),
        "init_process": INIT_PROCESSES[request.init_mode],
        "init_modes": [str(mode) for mode in distro.init_modes],
        "backend": distro.backend,
        "mirrors": [mirror for mirror in mirrors_of(request, distro) if mirror is not None],
        "keyrings": [str(file) for file in (*distro.keyrings, *(key.file for key in distro.keys_for(request)))],
        "directory": str(distro.directory),
        "found_by": distro.found_by,
        "variables": {
            name: list(values) for name, values in (distro.script.variables if distro.script else {}).items()
        },
    }


def _engine_facts(planned: PlannedBuild, plan: Plan) -> Facts:
    """Where it would be built and why; without a name where this host cannot."""
    try:
        choice = choose_engine(planned.request, planned.distro, plan)
    except (HostLacks, UsageError) as error:
        return {"name": None, "reason": f"{error.found}: {error.hint}"}
    return {"name": choice.engine.name, "reason": choice.reason}


def _setting_facts(planned: PlannedBuild) -> list[Facts]:
    named = Setting(planned.request.distro, planned.distro_origin)
    settings = {BY_FIELD[field].key: setting for field, setting in planned.settings.items()}
    return [
        {
            "name": name,
            "value": _plain(setting.value),
            "shown": setting.shown,
            "source": str(setting.origin.source),
            "origin": setting.origin.name,
            "from": str(setting.origin),
        }
        for name, setting in {"distro": named, **settings}.items()
    ]


def _command_facts(plan: Plan) -> list[Facts]:
    return [{"argv": list(command.argv), "environment": dict(command.environment)} for command in plan.commands]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _distro_page(facts: Facts, engine: Facts, width: int) -> str:
    updates = f"until {facts['end_of_life']}" if facts["end_of_life"] else "no end announced"
    rows = {
        "init process": facts["init_process"],
        "architecture": f"{facts['machine']} ({facts['architecture']} to {facts['name']})",
        "excluded architectures": " ".join(facts["excluded_machines"]) or "none",
        "init modes": " or ".join(facts["init_modes"]),
        "security updates": "ended " + facts["end_of_life"] if facts["ended"] else updates,
        "backend": facts["backend"],
        "engine": f"{engine['name'] or 'none'} ({engine['reason']})",
        "mirrors": "\n".join(facts["mirrors"]) or f"{facts['backend']}'s own",
        "keyrings": "\n".join(facts["keyrings"]) or f"{facts['backend']}'s own",
        "described in": f"{facts['directory']} ({facts['found_by']})",
    }
    label = max(map(len, rows))
    return _table(list(rows.items()), (), "plain", [label, max(width - label - 2, 20)])


def _settings_page(settings: list[Facts], width: int) -> str:
    rows = [(each["name"], each["shown"], each["from"]) for each in settings]
    name = max(len(row[0]) for row in rows)
    origin = min(max(len(row[2]) for row in rows), max((width - name) // 2, 16))
    return _table(rows, ("name", "value", "from"), "simple", [name, max(width - name - origin - 4, 16), origin])


def _packages_page(packages: list[Facts], width: int) -> str:
    reasons: dict[str, list[str]] = {}
    for package in packages:
        reasons.setdefault(package["for"], []).append(package["name"])
    label = max(map(len, reasons), default=0)
    rows = [(reason, " ".join(names)) for reason, names in reasons.items()]
    return _table(rows, (), "plain", [label, max(width - label - 2, 20)])


def _commands_page(commands: list[Facts], width: int) -> str:
    return "\n".join(_command_lines(command, width) for command in commands)


def _command_lines(command: Facts, width: int) -> str:
    """A command as it can be pasted into a shell, folded between its words."""
    words = [f"{name}={shlex.quote(value)}" for name, value in command["environment"].items()]
    lines = [""]
    for word in (*words, *map(shlex.quote, command["argv"])):
        if len(lines[-1]) + len(word) + 3 > width and lines[-1].strip():
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return " \\\n".join(lines)


def _folded(words: list[str], width: int) -> str:
    return textwrap.fill(" ".join(words), width, break_long_words=False, break_on_hyphens=False)


def _table(rows: list[tuple[str, str]] | list[tuple[str, str, str]], headers: Any, style: str, widths: Any) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers, tablefmt=style, maxcolwidths=widths, disable_numparse=True)
