"""The process that renders: a task as JSON on its input, the result as JSON on its output, and then it ends.

Text that makes a parser slow or large hits limits here, and never the site.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

MEMORY_BYTES = 1024 * 1024 * 1024
PROCESSOR_SECONDS = 20


def main() -> None:
    """Do one task; an answer of more than `most` bytes never leaves this process."""
    _limit()
    task = json.load(sys.stdin)
    most = task.pop("most")
    answer = json.dumps(_TASKS[task.pop("what")](**task))
    if len(answer) > most:
        sys.exit(f"The answer has {len(answer):,} bytes; {most:,} are allowed.")
    sys.stdout.write(answer)


def _limit() -> None:
    """Bound memory and time where the system can, should nobody be left to end this process."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))


def _markdown(text: str) -> str:
    from artifacts.rendering.markdown import markdown

    return markdown(text)


def _source(text: str, name: str) -> str:
    from artifacts.rendering.source import source

    return source(text, name)


def _part(**task: Any) -> str:
    from artifacts.rendering.source import source_part

    return source_part(**task)


def _opcodes(old: list[str], new: list[str]) -> list[Any]:
    from artifacts.rendering.opcodes import opcodes

    return opcodes(old, new)


_TASKS: dict[str, Callable[..., Any]] = {
    "markdown": _markdown,
    "source": _source,
    "part": _part,
    "opcodes": _opcodes,
}

if __name__ == "__main__":
    main()
