"""The agent of the tests: it behaves as its arguments say, one after the other. Standard library only.

All its processes hold the FIFO `outbox/alive` of the run folder open, so a test sees whether any is left, wherever it
hides. Run with the run folder as argument 1.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FOREVER = ["sh", "-c", "while :; do sleep 100; done"]


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def child() -> None:
    """Start a shell in a session of its own, as all real agents do for their tools."""
    subprocess.Popen(FOREVER, start_new_session=True, close_fds=False)


def server() -> None:
    """Start what serves this process over a pipe and exits at its end, as MCP servers do."""
    globals()["served"] = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)


def deaf_child() -> None:
    subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 100; done"], close_fds=False)


def bare_child() -> None:
    """Start a daemon from whose environment the marker of the run is erased."""
    subprocess.run(["env", "-i", "sh", "-c", "setsid sleep 1000 & exit"], close_fds=False, stdin=subprocess.DEVNULL)


def daemon() -> None:
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    pause()


def frozen_child() -> None:
    frozen = subprocess.Popen(FOREVER, close_fds=False)
    frozen.send_signal(signal.SIGSTOP)


def forking_chain() -> None:
    """Fork for ever, each time exiting at once: no list of processes is ever true."""
    if os.fork():
        return
    os.setsid()
    while True:
        if os.fork():
            os._exit(0)


def deaf() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def polite() -> None:
    """Exit with code 5 at SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(5))


def echo() -> None:
    """Say each line of the input, and where it ends."""
    for line in sys.stdin:
        say(f"heard {line.rstrip()[:100]}, {len(line)} long")
    say("input ended")


def environment() -> None:
    say(" ".join(sorted(os.environ)))


def flood() -> None:
    """Write a gigabyte."""
    for _ in range(1024):
        os.write(1, (b"x" * 1023 + b"\n") * 1024)


def unfinished() -> None:
    os.write(1, b"no newline")
    pause()


def leave_unfinished() -> None:
    os.write(1, b"no newline")
    os._exit(0)


def complain() -> None:
    os.write(2, b"it hurts\n")


def limits() -> None:
    import resource

    say(" ".join(str(resource.getrlimit(getattr(resource, name))[0]) for name in ("RLIMIT_NOFILE", "RLIMIT_CORE")))


def eat() -> None:
    """Use 100 MB."""
    globals()["eaten"] = b"x" * 100_000_000


def wreck_folder() -> None:
    """Put folders where the run folder has files, and links to files of others."""
    folder = Path(sys.argv[1])
    for name in ("exit", ".exit"):
        (folder / name).mkdir()
    for name in ("agent", "in", "input", "events.jsonl"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("/etc/passwd")


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    os._exit(0)


def fail() -> None:
    os._exit(3)


def pause() -> None:
    while True:
        signal.pause()


def main() -> None:
    held = os.open(Path(sys.argv[1], "outbox", "alive"), os.O_RDWR)
    os.set_inheritable(held, True)
    acts: dict[str, Callable[[], None]] = {name: act for name, act in globals().items() if callable(act)}
    for name in sys.argv[2:]:
        acts[name]()
        say(f"did {name}")


if __name__ == "__main__":
    main()
