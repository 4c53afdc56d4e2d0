"""Which processes serve the data folder now: supervisors of sites, and the proxies of assistants over stdio."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import psutil
from django.conf import settings

from orchestrator_site.mcp.stdio.process import WORKER_MODULE
from orchestrator_site.up.pdeathsig import OPTION


def supervisors() -> list[int]:
    own = f":{settings.ORCHESTRATOR_HOME}"
    words = [word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or ()]
    named = {word.removeprefix(OPTION).removesuffix(own) for word in words if word.startswith(OPTION)}
    return sorted(int(pid) for pid in named if pid.isdigit() and psutil.pid_exists(int(pid)))


def proxies() -> list[int]:
    workers = [each for each in psutil.process_iter(["cmdline"]) if WORKER_MODULE in (each.info["cmdline"] or ())]
    return sorted({pid for each in workers if (pid := _proxy_of(each)) is not None})


def _proxy_of(worker: psutil.Process) -> int | None:
    """Return the parent of a worker that serves this data folder; None where it serves another one or has gone."""
    try:
        home, parent = worker.environ().get("ORCHESTRATOR_HOME", ""), worker.parent()
        is_proxy = parent is not None and "mcp_serve" in parent.cmdline()
    except psutil.Error:
        return None
    serves = Path(home or platformdirs.user_data_dir("mcp-task-orchestrator", appauthor=False))
    return parent.pid if parent and is_proxy and serves == settings.ORCHESTRATOR_HOME else None
