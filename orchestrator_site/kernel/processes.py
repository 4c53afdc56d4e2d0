"""Child processes that run a module of ours and end with everything they started.

Standard library only, since the stdio front imports it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from orchestrator_site.kernel.polling import poll

TYPE_CHECKING = False  # as `typing` has it, which costs the stdio front as much as `subprocess`
if TYPE_CHECKING:
    import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
_POLL_SECONDS = 0.01


def module_command(module: str, arguments: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
    return dict(os.environ) | {"PYTHONPATH": path}


def hide_root() -> None:
    """Take the root off the module path again: programs that this process starts have modules of their own."""
    parts = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    if others := [part for part in parts if part and part != ROOT]:
        os.environ["PYTHONPATH"] = os.pathsep.join(others)


def kill_group(pid: int) -> None:
    if sys.platform == "win32":
        import subprocess

        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)  # noqa: S607
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS forbids to kill what has exited
        os.killpg(pid, signal.SIGKILL)


def has_exited(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a child has exited. Where possible it is not reaped, so that its id cannot be reused yet."""
    if not hasattr(os, "waitid"):  # Windows, and macOS before Python 3.13
        return process.poll() is not None
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def reap(process: subprocess.Popen[bytes], *, grace_seconds: float = 0.0) -> int:
    """Wait for a child to exit, kill what is left of its group, and return its exit code."""
    poll(lambda: has_exited(process), seconds=grace_seconds, interval=_POLL_SECONDS)
    kill_group(process.pid)
    return process.wait()
