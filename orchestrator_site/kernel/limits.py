"""Length limits of strings, and whether they can be stored."""

from __future__ import annotations

from typing import Any

from orchestrator_site.kernel.errors import invalid
from orchestrator_site.kernel.text import unstorable

TEXT_LIMIT = 200_000
STRING_LIMIT = 4096
"""Characters of a string that is no text: a name, an id, a path, a cursor."""
KEY_LIMIT = 200
"""Characters of an idempotency key."""
LIMITS = {
    "title": 300,
    "summary": 20_000,
    "reason": 10_000,
    "answer": 10_000,
    "note": 4_000,
    "because": 4_000,
    "instead_of": 4_000,
    "key": 100,
    "estimated_effort": 200,
    "effort": 200,
}


def check_texts(texts: dict[str, str], *, at: str = "") -> list[dict[str, Any]]:
    """Return a problem for every string that cannot be stored; `at` is the prefix of the names."""
    problems: list[dict[str, Any]] = []
    for name, text in texts.items():
        limit = LIMITS.get(name, TEXT_LIMIT)
        why = unstorable(text) or (
            f"has {len(text):,} characters, {limit:,} are allowed" if len(text) > limit else None
        )
        if why:
            problems.append({"at": f"{at}{name}", "problem": why})
    return problems


def require_texts(**texts: str) -> None:
    problems = check_texts(texts)
    if problems:
        raise invalid(problems, next="Shorten or fix these; long texts belong in an artifact.")
