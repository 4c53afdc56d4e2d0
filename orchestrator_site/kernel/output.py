"""What every command prints on any stream, whatever the text holds: names and files of others come into it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, OutputWrapper

from orchestrator_site.kernel.text import visible


class PlainOutput(OutputWrapper):
    """Writes as escapes what would steer a terminal, and what the stream's encoding lacks."""

    def write(  # type: ignore[override]  # the stubs say what a stream has
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        shown = visible(msg, besides="\n\t").encode(encoding, "backslashreplace").decode(encoding)
        super().write(shown, style_func, ending)


class PlainCommand(BaseCommand):
    def __init__(self, stdout: Any = None, stderr: Any = None, *args: Any, **options: Any) -> None:
        super().__init__(stdout, stderr, *args, **options)
        self.stdout, self.stderr = PlainOutput(stdout or sys.stdout), PlainOutput(stderr or sys.stderr)
        self.stderr.style_func = self.style.ERROR

    def execute(self, *args: Any, **options: Any) -> str | None:
        for name in ("stdout", "stderr"):
            if stream := options.pop(name, None):
                setattr(self, name, PlainOutput(stream))
        return super().execute(*args, **options)
