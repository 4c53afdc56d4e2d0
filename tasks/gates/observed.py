"""What is observed of a command, by whoever runs it: the report that it wrote, and what speaks against its run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator_site.kernel.folders import Folder, InTheWay, entered
from orchestrator_site.kernel.text import storable
from tasks.gates.reports import REPORT_BYTES

_NAMED = 5


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file that a command writes, by its path in the folder; what leads out of that, or is no plain file, is none."""

    folder: Path
    path: str

    def identity(self) -> tuple[int, ...]:
        """Return what changes whenever the file is written, by no clock of ours."""
        *above, name = self._names
        with suppress(OSError, InTheWay), closing(Folder.at(self.folder)) as top, entered(top, above) as inner:
            if found := inner.stat(name, self.path):
                return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        return ()

    def content(self) -> str:
        *above, name = self._names
        with suppress(OSError, InTheWay), closing(Folder.at(self.folder)) as top, entered(top, above) as inner:
            content = inner.read(name, self.path, REPORT_BYTES)
            return storable(content.decode("utf-8", "replace")) if len(content) <= REPORT_BYTES else ""
        return ""

    @property
    def _names(self) -> list[str]:
        path = Path(os.path.normpath(self.path))
        return [""] if path.is_absolute() or path.parts[:1] in ((), ("..",)) else list(path.parts)


def problem_with(command: str, exit_code: int | None, timeout_seconds: float, changed: Sequence[str]) -> str:
    """Say why a run does not count, nothing where it does; `exit_code` is None where it took too long."""
    if exit_code is None:
        return f"{command} took longer than {timeout_seconds:.0f} seconds and was ended"
    if exit_code:
        return f"{command} ended with exit code {exit_code}"
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        named = os.fsencode(", ".join(changed[:_NAMED])).decode("utf-8", "replace")  # whatever the locale
        return f"{command} changed the files that it ran on: {named}{more}"
    return ""
