"""Render in processes of their own, at most two at a time, each killed when its time is over; results are cached."""

from __future__ import annotations

import atexit
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
from queue import Empty, LifoQueue
from threading import Timer
from typing import Any

from django.conf import settings
from django.core.cache import caches

logger = logging.getLogger(__name__)

RENDERER = 5
"""Raise it when the same text is to be rendered differently; results in the cache no longer count then."""
SECONDS = 10.0
OUTPUT_BYTES = 8 * 1024 * 1024
CACHED_SECONDS = 30 * 24 * 3600
FAILURE_CACHED_SECONDS = 600
"""How long a failure is cached, since failures cost the most."""
FAILED = "failed"
SUCCESS = "="
"""How the answer of a worker begins, unless it says what went wrong."""
_DAMAGE = (
    OSError, EOFError, zlib.error, pickle.UnpicklingError, ArithmeticError, AttributeError, ImportError, LookupError,
    MemoryError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What reading a damaged cache file may raise: unpickling promises no error of its own."""


def render(key: tuple[str, ...], what: str, cache: str = "rendered", **task: Any) -> Any | None:
    """Return the result of a rendering task, from the cache where its key is known.

    None where it failed, took too long or became too large. Call it outside any transaction.
    """
    name = sha256(json.dumps([RENDERER, _packages(), what, *key]).encode()).hexdigest()
    found = _cached(cache, name)
    if found is None:
        try:
            worker = _workers.get(timeout=SECONDS)
        except Empty:
            return None
        try:
            found = worker.run({"what": what, "most": OUTPUT_BYTES, **task})
        finally:
            _workers.put(worker)
        with suppress(OSError):  # a full disk is no reason to show nothing
            caches[cache].set(name, found, FAILURE_CACHED_SECONDS if found == FAILED else CACHED_SECONDS)
    return None if found == FAILED else json.loads(found)


class _Worker:
    """A process that renders one task after the other. It is started when needed, and ends when its input does."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, task: dict[str, Any]) -> str:
        """Return the result as JSON, or FAILED; after a failure the next task gets a new process."""
        try:
            answer = self._ask(json.dumps(task).encode())
        except OSError as error:
            answer = str(error)
        if answer.startswith(SUCCESS):
            return answer.removeprefix(SUCCESS)
        reason = answer.strip() or f"it was ended, or took longer than {SECONDS} s"
        logger.warning("Rendering %s failed; the text is shown plainly: %s", task["what"], reason)
        self.stop()
        return FAILED

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, task: bytes) -> str:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            paths = filter(None, (str(settings.BASE_DIR), os.environ.get("PYTHONPATH")))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "artifacts.rendering.sandbox_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)},
            )
        process = self._process
        assert process.stdin and process.stdout  # noqa: S101 -- for the type checker
        timer = Timer(SECONDS, process.kill)
        timer.start()
        try:
            process.stdin.write(task + b"\n")
            process.stdin.flush()
            return process.stdout.readline().decode()
        finally:
            timer.cancel()


def two_workers() -> LifoQueue[_Worker]:
    """Return workers of which the one that was used last is taken first, so that the other may never start."""
    workers: LifoQueue[_Worker] = LifoQueue()
    for _ in range(2):
        worker = _Worker()
        atexit.register(worker.stop)
        workers.put(worker)
    return workers


_workers = two_workers()


def _cached(cache: str, name: str) -> str | None:
    """Read the cache. A damaged file is treated as absent."""
    with suppress(*_DAMAGE):
        found: str | None = caches[cache].get(name)
        if found is not None and found != FAILED:
            json.loads(found)
        return found
    return None


@cache
def _packages() -> list[str]:
    return [version(name) for name in ("markdown-it-py", "nh3", "pygments")]
