"""Show a change as a unified diff with secrets masked, including those in the surrounding lines."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from orchestrator_site.kernel.text import visible

_MASK = "•••"
_LONGEST_LINE = 400
_MASKS = (
    (re.compile(r"mto_[\w-]+"), f"mto_{_MASK}"),
    (re.compile(r"(?i)\b(bearer|basic|authorization:\s*\w+)\s+(?!\$)[^\s\"',}]+"), rf"\1 {_MASK}"),
    (re.compile(r"(://[^/\s:@\"']*:)[^/\s@\"']+@"), rf"\1{_MASK}@"),
    # A name that suggests a secret, and its JSON or TOML string value; references to variables stay.
    (
        re.compile(
            r"(?i)([\w.-]*(?:key|token|secret|passw|credential|authorization|auth)[\w.-]*[\"']?\s*[:=]\s*)"
            r"([\"'])(?!\$|Bearer )(?:\\.|(?!\2).)+\2"
        ),
        rf"\1\2{_MASK}\2",
    ),
    (re.compile(r"(?<![\w/\\.-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{28,}(?![\w/\\.-])"), _MASK),
)


def masked(text: str) -> str:
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def diff(path: Path, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), f"{path} (new)", lineterm="")
    shown = (visible(masked(line), besides="\t") for line in lines)  # the file may be a stranger's
    return "".join(f"{line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + ' …'}\n" for line in shown)


def is_readable(before: str) -> bool:
    """Tell whether a diff of the file is useful; it is not if the file is one long line."""
    return all(len(line) <= _LONGEST_LINE for line in before.splitlines())
