"""The address of the site that started last."""

from __future__ import annotations

from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from django.conf import settings

from orchestrator_site.kernel.files import write_whole

DEFAULT = "http://127.0.0.1:8000"


def remember(address: str) -> None:
    write_whole(_file(), address.encode())


def recall() -> str:
    try:
        return _file().read_text().strip() or DEFAULT
    except FileNotFoundError:
        return DEFAULT


def is_reachable(url: str) -> bool:
    """Tell whether anything answers, without a proxy: the site is on this machine, or its own proxy is."""
    try:
        build_opener(ProxyHandler({})).open(url, timeout=3).close()
    except HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _file() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "site_address"
