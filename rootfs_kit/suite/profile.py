"""Which checks a tree is held to: its init mode, what it holds, and the features that it claims.

A gate names the profile and holds the tree to it. Whatever is left open is found out by `detect.py`; nothing here
reads a tree.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import NamedTuple

from rootfs_kit.axes import Content, InitMode
from rootfs_kit.errors import UsageError
from rootfs_kit.suite.check import CheckInfo

AUTO = "auto"
OVERLAY = "overlay"
INIT_WORDS = {"systemd": InitMode.SYSTEMD, "agent-init": InitMode.AGENT}
FEATURES = ("confidential", "debug-console", "image", "initrd", "modules", "policy", "selinux")
WORDS = (AUTO, *INIT_WORDS, OVERLAY, *FEATURES)


class Profile(NamedTuple):
    """What was decided about a tree; `reasons` says why, one sentence for each decision."""

    init: InitMode
    content: Content
    features: frozenset[str] = frozenset()
    reasons: tuple[str, ...] = ()

    def applies(self, info: CheckInfo) -> bool:
        """Whether a tree of this profile is held to the check `info`."""
        return self.content in info.content and self.init in info.init and info.features <= self.features

    @property
    def words(self) -> tuple[str, ...]:
        """The words that `--profile` would name it by."""
        init = next(word for word, mode in INIT_WORDS.items() if mode is self.init)
        content = (OVERLAY,) if self.content is Content.OVERLAY else ()
        return (init, *content, *sorted(self.features))

    def __str__(self) -> str:
        return ",".join(self.words)


class ProfileRequest(NamedTuple):
    """What was named of a profile; None is left to detection."""

    init: InitMode | None = None
    content: Content | None = None
    features: frozenset[str] = frozenset()


def parse_profile(text: str, doing: str = "reading the profile") -> ProfileRequest:
    """The profile that a comma list of words names; naming an init mode alone names a full rootfs.

    Raises UsageError for a word that is not known, and for words that contradict each other.
    """
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in WORDS:
            raise UsageError(doing, f'"{word}" is no profile and no feature', _nearest(word))
    modes = [word for word in words if word in INIT_WORDS]
    _refuse_both(doing, modes)
    if AUTO in words:
        _refuse_both(doing, [AUTO, *modes[:1]])
        _refuse_both(doing, [word for word in (AUTO, OVERLAY) if word in words])
    _refuse_both(doing, [word for word in ("initrd", "image") if word in words])
    init = INIT_WORDS[modes[0]] if modes else None
    content = Content.OVERLAY if OVERLAY in words else Content.FULL if modes else None
    return ProfileRequest(init, content, frozenset(words) & frozenset(FEATURES))


def _refuse_both(doing: str, words: list[str]) -> None:
    if len(set(words)) > 1:
        first, second, *_ = words
        raise UsageError(doing, f"{first} and {second} contradict each other", f"Name {first} or {second}.")


def _nearest(word: str) -> str:
    nearest = get_close_matches(word.lower(), WORDS, n=1)
    return f'Did you mean "{nearest[0]}"?' if nearest else f"The words are {', '.join(WORDS)}, joined by commas."
