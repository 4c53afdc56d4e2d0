"""Logical paths: where an artifact belongs in the user's own tree. They are data, never server paths."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from orchestrator_site.kernel.text import unstorable

PATH_LIMIT = 1024
NAME_LIMIT = 255
PATHS_LIMIT = 100
SENT_LIMIT = 4 * PATH_LIMIT
"""Characters of a path as it is sent."""
_TOO_LONG = f"is too long: {PATH_LIMIT} characters are allowed, {NAME_LIMIT} in one name"
_DRIVE = re.compile(r"^([A-Za-z]:)+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def normalised(path: str) -> str:
    """Fold a path under the project's own tree: `/etc/passwd` is `etc/passwd`, `../../x` is `x`, `C:\\a` is `a`.

    Raises ValueError with the reason where nothing sensible is left.
    """
    if len(path) > SENT_LIMIT:
        raise ValueError(_TOO_LONG)
    if unstorable(path) or _CONTROL.search(path):
        raise ValueError("holds a control character")
    names: list[str] = []
    for part in unicodedata.normalize("NFC", path).replace("\\", "/").split("/"):
        # `/C:/a` and `x/../C:/a` lead to a drive too, so drives are removed wherever a path may begin.
        name = part if names else _DRIVE.sub("", part)
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    if not names:
        raise ValueError("names no file")
    if any(len(name) > NAME_LIMIT for name in names) or len("/".join(names)) > PATH_LIMIT:
        raise ValueError(_TOO_LONG)
    return "/".join(names)


def all_normalised(paths: list[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return normalised paths, each once, and a problem for each that cannot be normalised."""
    if len(paths) > PATHS_LIMIT:
        return [], [{"at": "file_paths", "problem": f"{len(paths)} paths; {PATHS_LIMIT} are allowed"}]
    good: dict[str, None] = {}
    problems: list[dict[str, Any]] = []
    for number, path in enumerate(paths):
        try:
            good[normalised(path)] = None
        except ValueError as why:
            problems.append({"at": f"file_paths[{number}]", "problem": str(why)})
    return list(good), problems
