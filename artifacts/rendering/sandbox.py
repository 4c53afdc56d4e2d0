"""Rendering in a process apart: at most two at a time, each ended when its time is over, and the results kept."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import zlib
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.core.cache import caches

logger = logging.getLogger(__name__)

RENDERER = 4
"""Raise it when the same text is to be rendered otherwise: what is kept then counts no more."""
SECONDS = 10.0
OUTPUT_BYTES = 8 * 1024 * 1024
KEPT_SECONDS = 30 * 24 * 3600
FAILURE_KEPT_SECONDS = 600
"""How long it is remembered that something could not be rendered, which costs the most."""
FAILED = "failed"
_DAMAGE = (
    OSError, EOFError, zlib.error, pickle.UnpicklingError, ArithmeticError, AttributeError, ImportError, LookupError,
    MemoryError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What reading a file may end in that is not what was written: unpickling promises no error of its own."""

_places = BoundedSemaphore(2)


def kept(key: tuple[str, ...], what: str, **task: Any) -> Any | None:
    """Return what the rendering process makes of a task, from the cache where it is known by the key.

    None where it took too long or became too large. Call it outside any transaction.
    """
    name = sha256(json.dumps([RENDERER, _packages(), what, *key]).encode()).hexdigest()
    found = _read(name)
    if found is None:
        if not _places.acquire(timeout=SECONDS):
            return None
        try:
            found = _run({"what": what, **task})
        finally:
            _places.release()
        _keep(name, found)
    return None if found == FAILED else json.loads(found)


def _run(task: dict[str, Any]) -> str:
    """Return the answer as JSON, or FAILED."""
    paths = filter(None, (str(settings.BASE_DIR), os.environ.get("PYTHONPATH")))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "artifacts.rendering.sandbox_main"],
            input=json.dumps({"most": OUTPUT_BYTES, **task}).encode(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
            env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)},
        )
    except subprocess.TimeoutExpired:
        logger.warning("Rendering %s took longer than %s s; the text is shown plainly.", task["what"], SECONDS)
        return FAILED
    except subprocess.CalledProcessError as error:
        reason = error.stderr[-300:].decode(errors="replace")
        logger.warning("Rendering %s failed; the text is shown plainly: %s", task["what"], reason)
        return FAILED
    except OSError as error:
        logger.warning("Rendering %s could not begin; the text is shown plainly: %s", task["what"], error)
        return FAILED
    return done.stdout.decode()


def _read(name: str) -> str | None:
    """A file that cannot be read is no reason to show nothing."""
    with suppress(*_DAMAGE):
        found: str | None = caches["rendered"].get(name)
        if found is not None and found != FAILED:
            json.loads(found)
        return found
    return None


def _keep(name: str, found: str) -> None:
    """A full disk is no reason either."""
    with suppress(OSError):
        caches["rendered"].set(name, found, FAILURE_KEPT_SECONDS if found == FAILED else KEPT_SECONDS)


@cache
def _packages() -> list[str]:
    """The versions that the outcome depends on."""
    return [version(name) for name in ("markdown-it-py", "nh3", "pygments")]
