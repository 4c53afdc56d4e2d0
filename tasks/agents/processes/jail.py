"""The jail of an agent: bubblewrap, with process ids and a file system of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tasks.agents.processes.folder import WRITABLE
from tasks.agents.processes.model import Jail

BWRAP = "bwrap"
_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/opt",
    "/nix/store",
    "/home/linuxbrew/.linuxbrew",
)
_PROBE_SECONDS = 10


def probe_jail() -> str | None:
    """Return why agents cannot be jailed on this machine, as a sentence for people, or None where they can."""
    if sys.platform != "linux":
        return "Agents can be jailed on Linux only."
    if not shutil.which(BWRAP):
        return "Agents cannot be jailed: bubblewrap (bwrap) is not installed."
    command = [BWRAP, *_options(), *_binds(dict.fromkeys(_SYSTEM, False)), "--", "true"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Agents cannot be jailed: bubblewrap fails ({error.__class__.__name__})."
    if result.returncode:
        return f"Agents cannot be jailed: {result.stderr.strip()[:200] or 'bubblewrap fails'}."
    return None


def jailed(
    jail: Jail, argv: Sequence[str], *, folders: Collection[Path], cwd: Path, environment: Mapping[str, str]
) -> list[str]:
    """Return the command that runs another one in a jail. Of two binds the one with the longer path counts.

    `folders` are the paths of the run folder, which the agent may know by a link that leads there.
    """
    shown = [*_SYSTEM, os.path.realpath("/etc/resolv.conf"), *_programs(argv[0], environment.get("PATH", ""))]
    binds = dict.fromkeys([*shown, *jail.read_only, *map(str, folders)], False)
    binds |= dict.fromkeys([*jail.writable, *(str(each / name) for each in folders for name in WRITABLE)], True)
    own_temporary = ["--bind", str(min(folders) / "tmp"), "/tmp"]  # noqa: S108
    # A full path: in the PATH of the agent there may be another program with this name.
    return [shutil.which(BWRAP) or BWRAP, *_options(), *own_temporary, *_binds(binds), "--chdir", str(cwd), "--", *argv]


def _options() -> list[str]:
    apart = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--cap-drop", "ALL"]
    # Root without its rights could not map itself again, as sandboxes in the jail do, and agents refuse to run as it.
    other_than_root = ["--uid", "1000", "--gid", "1000"] if os.getuid() == 0 else []
    return [*apart, *other_than_root, "--proc", "/proc", "--dev", "/dev"]


def _binds(paths: Mapping[str, bool]) -> Iterator[str]:
    for path in sorted(paths, key=lambda path: Path(path).parts):
        yield from ("--bind" if paths[path] else "--ro-bind-try", path, path)


def _programs(program: str, path: str) -> Iterator[str]:
    """Yield the folders of PATH, and where a program was installed: a virtual environment, a `node_modules`."""
    shared = {Path.home(), Path.home() / ".local", Path("/")}
    found = shutil.which(program, path=path) or program
    for folder in (Path(found).parent, Path(os.path.realpath(found)).parent):
        yield str(folder.parent if folder.name in ("bin", ".bin") and folder.parent not in shared else folder)
    yield from (each for each in path.split(os.pathsep) if Path(each).is_absolute() and Path(each) not in shared)
