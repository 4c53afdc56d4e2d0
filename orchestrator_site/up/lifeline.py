"""Ends a child, and all that it forks, when its parent dies: also where the parent was killed and could tell nobody.

Linux can do that. Elsewhere the next start ends what was left over (`leftovers`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

SUPERVISOR = "ORCHESTRATOR_SUPERVISOR"
"""The variable that tells a child the process id of its supervisor."""
ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1


def hold_on() -> None:
    """Live no longer than the supervisor. A process that no supervisor started lives as it likes."""
    supervisor = os.environ.pop(SUPERVISOR, "")
    _forget_python_path()
    if sys.platform == "linux" and supervisor:
        _bind(int(supervisor))


def _bind(supervisor: int) -> None:
    """Ask the kernel for ourselves and, since it forgets the wish in a fork, for every process that we fork."""
    set_option = ctypes.CDLL(None).prctl
    parent = supervisor

    def remember() -> None:
        nonlocal parent
        parent = os.getpid()

    def follow() -> None:
        set_option(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    follow()
    os.register_at_fork(before=remember, after_in_child=follow)


def _forget_python_path() -> None:
    """Keep our folder, which the supervisor put there, out of the sight of programs that we start."""
    parts = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    if theirs := [part for part in parts if part and part != str(ROOT)]:
        os.environ["PYTHONPATH"] = os.pathsep.join(theirs)
