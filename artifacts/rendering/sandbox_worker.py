"""The process that renders: each line of its input is a task, each line of its output the result.

Text that makes a parser slow or large hits limits here, and never the site. Nothing of Django is loaded.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

MEMORY_BYTES = 1024 * 1024 * 1024
PROCESSOR_SECONDS = 20
_TASKS = {"markdown": ("markdown", "markdown"), "part": ("source", "source"), "opcodes": ("opcodes", "opcodes")}
"""The module and the function of each task."""


def main() -> None:
    """Answer tasks until the input ends or one fails."""
    for line in sys.stdin:
        limit()
        try:
            print("=" + result_of(**json.loads(line)), flush=True)  # noqa: T201
        except Exception as error:  # noqa: BLE001 -- whatever a parser raises, the site shows the text plainly
            print(f"{type(error).__name__}: {error}"[:300].replace("\n", " "), flush=True)  # noqa: T201
            return


def result_of(what: str, most: int, **task: Any) -> str:
    """Return the result of a task as JSON. Raises ValueError where it has more than `most` bytes."""
    module, function = _TASKS[what]
    result = json.dumps(getattr(import_module(f"artifacts.rendering.{module}"), function)(**task))
    if len(result) > most:
        raise ValueError(f"The result has {len(result):,} bytes; {most:,} are allowed.")
    return result


def limit() -> None:
    """Bound memory, and the time of the next task, where the system can; the site may not be there to do so."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + PROCESSOR_SECONDS
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
