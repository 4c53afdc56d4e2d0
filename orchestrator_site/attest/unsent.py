"""Runs that could not be reported: kept in a file that only the user can read, until they are."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.files import write_whole


def keep(task_id: str, pieces: Sequence[Mapping[str, Any]]) -> Path:
    """Raises OSError."""
    folder = Path(settings.ORCHESTRATOR_HOME, "unsent")
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{secrets.token_hex(4)}.json"
    write_whole(file, json.dumps({"task_id": task_id, "pieces": list(pieces)}).encode(), mode=0o600)
    return file


def read_again(file: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return what `keep` has kept. Raises OSError, Invalid."""
    try:
        kept = json.loads(file.read_bytes())
        return str(kept["task_id"]), [dict(piece) for piece in kept["pieces"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{file.name} is no run that was kept.", next="Run the command again.") from error
