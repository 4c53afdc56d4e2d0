"""Has Linux kill a child, and all that it forks, when its supervisor dies; `orphans` does the same elsewhere."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

OPTION = "--supervisor="
_PR_SET_PDEATHSIG = 1


def die_with_supervisor(arguments: Sequence[str]) -> None:
    """Ask to be killed when the supervisor that the arguments name dies; do nothing where they name none.

    A fork drops the setting, so every process that this one forks is bound to its own parent.
    """
    named = [argument for argument in arguments if argument.startswith(OPTION)]
    if sys.platform != "linux" or not named:
        return
    parent = int(named[0].removeprefix(OPTION).partition(":")[0])
    set_option = ctypes.CDLL(None).prctl

    def before_fork() -> None:
        nonlocal parent
        parent = os.getpid()

    def bind() -> None:
        set_option(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    bind()
    os.register_at_fork(before=before_fork, after_in_child=bind)
