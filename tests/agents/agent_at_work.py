"""The agent of the tests of whole runs, which lies in their repository: it does what its arguments say, in turn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

OUTBOX = Path(os.environ["ORCHESTRATOR_OUTBOX"])


def write() -> None:
    Path("made.txt").write_text("made by the agent\n")
    with Path("README").open("a") as file:
        file.write("and by an agent\n")


def deliver() -> None:
    (OUTBOX / "result.md").write_text("It is done.\n\nAll of it is in made.txt.")


def ask() -> None:
    (OUTBOX / "question.md").write_text("Which currency?")


def wait() -> None:
    """Wait for the test to say that it goes on."""
    while not Path("go").exists():
        time.sleep(0.02)


def linger() -> None:
    """Leave a daemon behind that ignores what one asks of it."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True, close_fds=False)


def count() -> None:
    for number in range(200):
        print(f"line {number}", flush=True)
        time.sleep(0.01)


def tamper() -> None:
    git = Path(".git").read_text().partition("gitdir:")[2].strip()
    with (Path(git).parent.parent / "config").open("a") as config:
        config.write("[core]\n\tfsmonitor = touch /tmp/owned\n")


def remain() -> None:
    Path(os.environ["HOME"], "left").write_text("by the agent\n")


def deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def fail() -> None:
    sys.exit(3)


for name in sys.argv[1:]:
    print(f"begins to {name}", flush=True)
    globals()[name]()
