"""Guests in miniature, built by root and by an ordinary user, and what each looks like from inside."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.build.builds import look
from tests.support.ordinary_user import Ended, OrdinaryUser

EPOCH = "1700000000"
SECURITY_CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw=ep, version 2


@dataclass(frozen=True)
class Guests:
    """How to build the guest in miniature."""

    user: OrdinaryUser
    url: str
    distros: Path
    tarball: Path

    def arguments(self, target: Path | str, *more: str) -> list[str]:
        return [
            "build", "debian", "--quiet", "--distros-dir", str(self.distros), "--mirror", self.url,
            "--agent-tarball", str(self.tarball), "--rootfs-dir", str(target), *more,
        ]  # fmt: skip

    def by_user(self, target: Path | str, *more: str, **environ: str) -> Ended:
        return self.user.run(*self.arguments(target, *more), **environ)

    def by_root(self, target: Path | str, *more: str, **environ: str) -> Ended:
        return self.user.run_as_root(*self.arguments(target, *more), **environ)

    def seen_by_user(self, root: Path) -> dict[str, tuple[object, ...]]:
        """As `look`, with the owners that the user's namespace gives them."""
        found = {}
        for path, (mode, uid, gid, *rest) in look(root).items():
            assert isinstance(uid, int)
            assert isinstance(gid, int)
            *facts, attributes = rest
            assert isinstance(attributes, dict)
            capability = attributes.get("security.capability")
            if capability is not None:
                attributes["security.capability"] = self._capability_inside(capability)
            found[path] = (mode, *self.user.inside(uid, gid), *facts, attributes)
        return found

    def _capability_inside(self, value: bytes) -> bytes:
        """On disk it names the root user that it holds for: version 3 of linux/capability.h, else version 2."""
        flags, *masks, root = struct.unpack("<6I", value)
        assert (flags >> 24, root) == (3, self.user.uid)
        return struct.pack("<5I", 2 << 24 | flags & 0xFFFFFF, *masks)


def tarball_of_all_sorts(agent: Path, place: Path) -> Path:
    """An agent's tarball with owners, modes, links and attributes that are easily lost on the way."""
    members: dict[str, dict[str, object]] = {
        "usr/bin/kata-agent": {"mode": 0o755},
        "opt/somebodys": {"uid": 1234, "gid": 5678, "mode": 0o640},
        "opt/nobodys": {"uid": 65534, "gid": 65534},
        "opt/setuid": {"mode": 0o4755, "gid": 42},
        "opt/with-capability": {"mode": 0o755, "xattr": ("security.capability", SECURITY_CAPABILITY)},
        "opt/with-attribute": {"xattr": ("user.origin", b"\xff\0made")},
        "opt/somebodys-own/file": {"uid": 1234, "gid": 5678, "mode": 0o600},
        "opt/caf\udce9": {},
        "opt/" + "long-name-" * 20: {},
    }
    hidden = tarfile.TarInfo("opt/somebodys-own")
    hidden.type, hidden.mode, hidden.uid, hidden.gid = tarfile.DIRTYPE, 0o755, 1234, 5678
    with tarfile.open(place, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(hidden)
        for name, facts in members.items():
            content = agent.read_bytes() if name.endswith("kata-agent") else name.encode(errors="surrogateescape")
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_600_000_000
            info.mode, info.uid, info.gid = (int(str(facts.get(key, default))) for key, default in _DEFAULTS)
            if "xattr" in facts:
                attribute, value = facts["xattr"]  # type: ignore[misc]
                info.pax_headers = {f"SCHILY.xattr.{attribute}": value.decode("utf-8", "surrogateescape")}
            tar.addfile(info, io.BytesIO(content))
        other = tarfile.TarInfo("opt/other-name")
        other.type, other.linkname = tarfile.LNKTYPE, "opt/somebodys"
        tar.addfile(other)
    return place


def differing_members(one: bytes, other: bytes) -> list[str]:
    """What two tars have otherwise, for a message that can be read."""
    first, second = _members(one), _members(other)
    names = sorted(first.keys() | second.keys())
    return [f"{name}: {first.get(name)} {second.get(name)}" for name in names if first.get(name) != second.get(name)]


def _members(content: bytes) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            digest = hashlib.sha256(file.read()).hexdigest() if file is not None else ""
            found[member.name] = {**member.get_info(), "content": digest, "records": member.pax_headers}
    return found


_DEFAULTS = (("mode", 0o644), ("uid", 0), ("gid", 0))
