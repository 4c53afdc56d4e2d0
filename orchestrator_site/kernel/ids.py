"""Public ids: short and never reused."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

ROOT_PREFIX = "task"
_ROOT_HEX, _SUBTASK_HEX, _WIDEST_HEX = 8, 6, 32
_TRIES_PER_WIDTH = 2

Taken = Callable[[Sequence[str]], set[str]]
"""Return those of some candidate ids that exist already."""


def task_ids(specialists: Sequence[str], *, taken: Taken) -> list[str]:
    """Return an id per task: `task_` + 8 hex if the specialist is empty, else `<specialist>_` + 6 hex.

    Ids that collide with stored ones or each other are drawn again, then widened.
    """
    made = [""] * len(specialists)
    seen: set[str] = set()
    missing = list(range(len(specialists)))
    for widening in range(_WIDEST_HEX):
        for index in missing:
            specialist = specialists[index]
            prefix, width = (specialist, _SUBTASK_HEX) if specialist else (ROOT_PREFIX, _ROOT_HEX)
            made[index] = f"{prefix}_{_hex(width + widening // _TRIES_PER_WIDTH)}"
        seen |= taken([made[index] for index in missing])
        clashing = []
        for index in missing:
            if made[index] in seen:
                clashing.append(index)
            seen.add(made[index])
        if not (missing := clashing):
            return made
    raise RuntimeError("No free public id was found; the source of randomness is broken.")


def artifact_id() -> str:
    return f"artifact_{_hex(8)}"


def upload_id() -> str:
    return f"upload_{_hex(12)}"


def operation_id() -> str:
    return f"operation_{_hex(12)}"


def run_id() -> str:
    return f"run_{_hex(10)}"


def evidence_id() -> str:
    return f"evidence_{_hex(10)}"


def context_id() -> str:
    return f"context_{_hex(10)}"


def suggestion_id() -> str:
    return f"suggestion_{_hex(12)}"


def supervisor_id() -> str:
    return f"supervisor_{_hex(8)}"


def session_id() -> str:
    return f"session_{_hex(12)}"


def _hex(width: int) -> str:
    return secrets.token_hex((width + 1) // 2)[:width]
