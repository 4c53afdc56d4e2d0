"""What every command prints on any stream, whatever the text holds: names and files of others come into it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, OutputWrapper

from orchestrator_site.kernel.text import visible


class NotPrinted(Exception):
    """A stream does not take what a command prints; no fault of the data, so no OSError."""


class PlainOutput(OutputWrapper):
    """Writes as escapes what would steer a terminal, and what the stream's encoding lacks. Raises NotPrinted."""

    def __init__(self, out: TextIO | None) -> None:
        self._is_closed = out is None
        super().__init__(out or Path(os.devnull).open("w"))  # noqa: SIM115 - open as long as the command

    def write(  # type: ignore[override]  # the stubs say what a stream has
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        shown = visible(msg, besides="\n\t").encode(encoding, "backslashreplace").decode(encoding)
        with self._faults_named():
            super().write(shown, style_func, ending)
        self.flush()  # a buffer that fails at the exit would do so without a command to say it

    def flush(self) -> None:
        with self._faults_named():
            super().flush()

    def require(self) -> None:
        """Check that the caller has not closed it, before what is printed only once is made. Raises NotPrinted."""
        if self._is_closed:
            raise NotPrinted("The output is closed.")

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with Path(os.devnull).open("w") as nowhere:  # where the interpreter flushes to at the exit
                os.dup2(nowhere.fileno(), self.fileno())
            raise NotPrinted(f"The output cannot be written: {error.strerror}.") from error


class PlainCommand(BaseCommand):
    def __init__(self, stdout: Any = None, stderr: Any = None, *args: Any, **options: Any) -> None:
        super().__init__(stdout, stderr, *args, **options)
        self.stdout, self.stderr = PlainOutput(stdout or sys.stdout), PlainOutput(stderr or sys.stderr)
        self.stderr.style_func = self.style.ERROR

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except NotPrinted as failed:
            if not isinstance(failed.__cause__, BrokenPipeError):  # who reads a pipe may end when it likes
                with suppress(NotPrinted):
                    self.stderr.write(f"CommandError: {failed}")
            sys.exit(1)

    def execute(self, *args: Any, **options: Any) -> str | None:
        for name in ("stdout", "stderr"):
            if stream := options.pop(name, None):
                setattr(self, name, PlainOutput(stream))
        return super().execute(*args, **options)
