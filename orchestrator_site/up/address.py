"""Where the site runs: written by `up`, read by `sign_in_link`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.conf import settings

DEFAULT = "http://127.0.0.1:8000"


def remember(address: str) -> None:
    """Keep the address of the site that started last. The file appears whole, however many start at once."""
    draft = _file().with_name(f"site_address.{os.getpid()}.{secrets.token_hex(4)}")
    draft.write_text(address)
    draft.replace(_file())


def recall() -> str:
    """Return the address of the site that started last, or the usual one."""
    try:
        return _file().read_text().strip() or DEFAULT
    except FileNotFoundError:
        return DEFAULT


def _file() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "site_address"
