"""Which children a supervisor has, written down so that the next start can end what a killed one left behind."""

from __future__ import annotations

import json
import logging
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

from orchestrator_site.up.processes import identity, kill_group, wait_until_gone

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """A process by its number and what tells it from others with the same number."""

    pid: int
    identity: str

    @classmethod
    def of(cls, pid: int) -> Known | None:
        """Describe a process that runs."""
        found = identity(pid)
        return None if found is None else cls(pid, found)

    @property
    def lives(self) -> bool:
        """Whether it still runs."""
        return identity(self.pid) == self.identity


class Record:
    """The file of one supervisor; several may run beside each other, on different ports."""

    def __init__(self) -> None:
        self._file = _folder() / f"{os.getpid()}.json"

    def write(self, children: list[int]) -> None:
        """Write down the children that run now. A full disk is no reason to end them."""
        us = Known.of(os.getpid())
        if us is None:
            return  # this platform cannot tell processes apart
        try:
            self._write(us, children)
        except OSError as error:
            logger.warning("The list of processes could not be written: %s", error)

    def _write(self, us: Known, children: list[int]) -> None:
        """The file appears whole, or not at all."""
        facts = {"supervisor": asdict(us), "children": [asdict(known) for pid in children if (known := Known.of(pid))]}
        self._file.parent.mkdir(exist_ok=True)
        draft = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}")
        draft.write_text(json.dumps(facts))
        draft.replace(self._file)

    def remove(self) -> None:
        """Say that nothing is left."""
        self._file.unlink(missing_ok=True)


def end_leftovers() -> int:
    """End the children of supervisors that were killed; returns how many."""
    return sum(_end_those_of(file) for file in sorted(_folder().glob("*.json")))


def _end_those_of(file: Path) -> int:
    try:
        facts = json.loads(file.read_text())
        supervisor, children = Known(**facts["supervisor"]), [Known(**child) for child in facts["children"]]
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # another start was faster, or the file is not ours
    if supervisor.lives:
        return 0
    ended = sum(_end(child) for child in children)
    file.unlink(missing_ok=True)
    return ended


def _end(child: Known) -> bool:
    if not child.lives:
        return False
    kill_group(child.pid)
    logger.warning("Ended process %d, which an earlier start had left behind.", child.pid)
    if not wait_until_gone(child.pid, child.identity, PATIENCE_SECONDS):
        logger.warning("Process %d does not end.", child.pid)
    return True


def _folder() -> Path:
    return Path(settings.ORCHESTRATOR_HOME) / "up"
