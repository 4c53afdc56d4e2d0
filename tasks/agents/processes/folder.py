"""The files of a run folder. The agent can write them where it has no jail, so none is trusted to be what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path

from orchestrator_site.kernel.errors import ServerFault, Unavailable
from orchestrator_site.kernel.files import disk_fault
from orchestrator_site.kernel.folders import Folder, InTheWay, read_within
from tasks.agents.processes.model import Process

FIFO, INPUT, EXIT, AGENT = "in", "input", "exit", "agent"
WRITABLE = ("home", "outbox", "tmp")
_NUMBER_LENGTH = 20


@contextmanager
def opened(process: Process, name: str, flags: int = os.O_RDONLY) -> Iterator[FileIO]:
    """Open a plain file of a run folder. Raises Unavailable, FileNotFoundError."""
    try:
        with closing(Folder.at(Path(process.folder))) as folder, folder.open(name, name, flags) as file:
            yield file
    except FileNotFoundError:
        raise
    except InTheWay as error:
        raise Unavailable(f"{name} of run {process.run_id} is now {error.what}.", next="End the run.") from None
    except OSError as error:
        raise disk_fault(f"{name} of run {process.run_id} cannot be used", error) from error


def number_in(process: Process, name: str) -> int | None:
    """Return the number that the keeper has written into a file, None where there is none, or something else."""
    try:
        with opened(process, name) as file:
            return int(read_within(file, _NUMBER_LENGTH))
    except (FileNotFoundError, ValueError, ServerFault):
        return None


def size_of(process: Process, name: str) -> int:
    try:
        return os.lstat(Path(process.folder, name)).st_size
    except OSError:
        return 0
