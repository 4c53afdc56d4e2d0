"""Cuts secrets out of what a command printed, before any of it is kept or sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

CUT = "[secret]"
_SHORTEST = 8
_NAMES = r"password|passwd|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key"
_SECRET_NAME = re.compile(rf"{_NAMES}|(^|_)(key|auth|dsn|pat)($|_)|database_url|queue_url", re.IGNORECASE)
_PATTERNS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), CUT),
    (re.compile(r"\A(?:(?!-----BEGIN).)*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), CUT),
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)([\"']?\s*[:=]\s*)"
            r"[\"']?(?:(?:basic|bearer|token|digest) )?[^\s\"'<>]+"
        ),
        rf"\1\2{CUT}",
    ),
    (re.compile(r"(?i)\bbearer [\w.~+/=-]{8,}"), CUT),
    (
        re.compile(
            r"\b(?:mto_|mtr_|gh[opusr]_|github_pat_|glpat-|sk-|xox[abprs]-|AKIA|ASIA|AIza|npm_|pypi-|hf_|dop_v1_"
            r"|eyJ[\w-]{8,500}\.eyJ)[\w.-]{8,}"
        ),
        CUT,
    ),
    (re.compile(r"(/sign-in/)[\w-]{20,}"), rf"\1{CUT}"),
    (re.compile(r"://[^\s/:@\"'<>]{1,200}:[^\s/@\"'<>]{1,200}@"), f"://{CUT}@"),
    (
        re.compile(
            rf"(?i)\b([\w-]{{0,40}}(?:{_NAMES})[\w-]{{0,40}}[\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?)[^\s\"'<>,;&]{{8,}}"
        ),
        rf"\1{CUT}",
    ),
)


def without_secrets(text: str, environ: Mapping[str, str]) -> str:
    """Replace what looks like a secret, and the values of variables that are named like one."""
    text = without_values(text, environ)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def without_values(text: str, environ: Mapping[str, str]) -> str:
    """Replace only the values of variables that are named like a secret: XML stays XML."""
    known = {value for name, value in environ.items() if is_secret(name) and len(value) >= _SHORTEST}
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(value, CUT)
    return text


def is_secret(name: str) -> bool:
    """Whether a variable is named like one that holds a secret."""
    return _SECRET_NAME.search(name) is not None
