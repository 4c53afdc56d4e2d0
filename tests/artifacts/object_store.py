"""An object store that speaks S3, as a process of its own on loopback."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.request import Request, urlopen


@contextmanager
def object_store() -> Iterator[str]:
    """Start one with a bucket `works`, and return its address."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            address = _address(process)
            with urlopen(Request(f"{address}/works", method="PUT")):
                yield address
        finally:
            process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            Thread(target=process.stderr.read, daemon=True).start()  # it goes on logging
            return found[0]
    raise AssertionError("The object store did not start.")
