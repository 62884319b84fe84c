"""The part of SARIF 2.1.0's schema that our reports use: for each object the keys that it may have, and must have.

Written from the OASIS standard (sections named beside each); the schema forbids every key that it does not list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

LEVELS = {"none", "note", "warning", "error"}  # 3.27.10
URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")  # RFC 3986

ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    # object: (required, optional)
    "log": ({"version", "runs"}, {"$schema", "properties", "inlineExternalProperties"}),  # 3.13
    "run": ({"tool"}, {"invocations", "originalUriBaseIds", "results", "artifacts", "properties"}),  # 3.14
    "driver": ({"name"}, {"version", "semanticVersion", "informationUri", "rules", "fullName", "properties"}),  # 3.19
    "rule": (  # 3.49
        {"id"},
        {"name", "shortDescription", "fullDescription", "help", "helpUri", "defaultConfiguration", "properties"},
    ),
    "result": (  # 3.27
        {"message"},
        {
            "ruleId", "ruleIndex", "level", "kind", "locations", "partialFingerprints", "fingerprints", "suppressions",
            "properties",
        },
    ),
    "location": (set(), {"physicalLocation", "logicalLocations", "message", "properties"}),  # 3.28
    "artifactLocation": (set(), {"uri", "uriBaseId", "index", "description", "properties"}),  # 3.4
    "suppression": ({"kind"}, {"status", "justification", "location", "guid", "properties"}),  # 3.35
    "invocation": (  # 3.20
        {"executionSuccessful"},
        {"toolExecutionNotifications", "toolConfigurationNotifications", "commandLine", "exitCode", "properties"},
    ),
    "notification": ({"message"}, {"level", "descriptor", "locations", "properties"}),  # 3.58
    "message": (set(), {"text", "markdown", "id", "arguments"}),  # 3.11
}  # fmt: skip


def violations(log: dict[str, Any]) -> list[str]:
    """What the schema would refuse in `log`; nothing for a sound one."""
    return list(_log(log))


def _keys(kind: str, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{kind} is no object: {value!r}"
        return
    required, optional = ALLOWED[kind]
    yield from (f"{kind} lacks {key}" for key in sorted(required - value.keys()))
    yield from (f"{kind} has an unknown key {key}" for key in sorted(value.keys() - required - optional))


def _log(log: dict[str, Any]) -> Iterator[str]:
    yield from _keys("log", log)
    if log.get("version") != "2.1.0":
        yield f"version is {log.get('version')!r}"
    for run in log.get("runs", []):
        yield from _keys("run", run)
        yield from _driver(run["tool"]["driver"])
        bases = run.get("originalUriBaseIds", {})
        for base in bases.values():
            yield from _keys("artifactLocation", base)
        rules = run["tool"]["driver"].get("rules", [])
        for result in run.get("results", []):
            yield from _result(result, rules, bases)
        for invocation in run.get("invocations", []):
            yield from _invocation(invocation)


def _driver(driver: dict[str, Any]) -> Iterator[str]:
    yield from _keys("driver", driver)
    rules = driver.get("rules", [])
    ids = [rule.get("id") for rule in rules]
    if len(set(ids)) != len(ids):
        yield f"rules are named twice: {ids}"  # 3.19.23: unique
    for rule in rules:
        yield from _keys("rule", rule)
        for key in ("shortDescription", "fullDescription", "help"):
            if key in rule and not rule[key].get("text"):
                yield f"{key} of {rule['id']} has no text"
        if rule.get("defaultConfiguration", {}).get("level", "none") not in LEVELS:
            yield f"level of {rule['id']}"


def _result(result: dict[str, Any], rules: list[dict[str, Any]], bases: dict[str, Any]) -> Iterator[str]:
    yield from _keys("result", result)
    yield from _message(result.get("message"))
    if result.get("level") not in LEVELS:
        yield f"level {result.get('level')!r}"
    index = result.get("ruleIndex", -1)
    if index >= len(rules) or (index >= 0 and rules[index]["id"] != result.get("ruleId")):
        yield f"ruleIndex {index} is not {result.get('ruleId')}"
    for location in result.get("locations", []):
        yield from _keys("location", location)
        yield from _artifact(location["physicalLocation"]["artifactLocation"], bases)
    if not all(isinstance(value, str) for value in result.get("partialFingerprints", {}).values()):
        yield "a fingerprint is no text"
    for suppression in result.get("suppressions", []):
        yield from _keys("suppression", suppression)
        if suppression["kind"] not in ("inSource", "external"):
            yield f"kind {suppression['kind']!r}"
        if suppression.get("status", "accepted") not in ("accepted", "underReview", "rejected"):
            yield f"status {suppression['status']!r}"


def _artifact(artifact: dict[str, Any], bases: dict[str, Any]) -> Iterator[str]:
    yield from _keys("artifactLocation", artifact)
    if not URI_REFERENCE.fullmatch(artifact.get("uri", "")):
        yield f"{artifact['uri']!r} is no URI reference"
    if artifact.get("uriBaseId") not in (None, *bases):
        yield f"the base {artifact['uriBaseId']} is not defined"
    if artifact.get("uri", "").startswith("/") and "uriBaseId" in artifact:
        yield "a URI with a base must be relative"  # 3.4.4


def _invocation(invocation: dict[str, Any]) -> Iterator[str]:
    yield from _keys("invocation", invocation)
    if not isinstance(invocation.get("executionSuccessful"), bool):
        yield "executionSuccessful is no truth value"
    for notification in invocation.get("toolExecutionNotifications", []):
        yield from _keys("notification", notification)
        yield from _message(notification.get("message"))
        if notification.get("level", "warning") not in LEVELS:
            yield f"level {notification['level']!r}"


def _message(message: Any) -> Iterator[str]:
    yield from _keys("message", message)
    if not isinstance(message, dict) or not isinstance(message.get("text"), str) or not message["text"]:
        yield "a message has no text"
