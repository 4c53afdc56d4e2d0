"""Show that work outlives an assistant: `python -m tests.demo [--home FOLDER]`.

One assistant is killed with its server in the middle of a job; another, which remembers nothing, finds the work,
compares every character of it and finishes. Ends with an error where one is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic

from tests.demo import first, second
from tests.demo.assistant import DemoFailed
from tests.demo.crash import kill_with_all_below
from tests.demo.job import PARTS, ROOT, write_works

HOME = ROOT / ".demo"


def main() -> int:
    """Run the demo in a data folder that is made again, and leave it for the browser."""
    home = _home()
    began = monotonic()
    write_works(home / "work")
    print(f"Two assistants and a crash between them, over real pipes.\nData folder: {home}\n")
    found = None
    try:
        print("The first assistant")
        _first(home)
        print("\nThe second assistant, which remembers nothing")
        found = asyncio.run(second.main(home))
    except* DemoFailed as failures:
        print(f"\nFAILED: {_innermost(failures)}\nThe log of the servers: {home / 'server.log'}")
    if found is None:
        return 1
    _close(home, found, monotonic() - began)
    return 0


def _innermost(problem: BaseException) -> BaseException:
    """Return what failed; every task group on its way wraps it once more."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def _home() -> Path:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description="Two assistants and a crash.")
    parser.add_argument("--home", type=Path, default=HOME, help="the data folder, made again (default: .demo)")
    home: Path = parser.parse_args().home.resolve()
    if (home / "work").is_dir():
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    if any(home.iterdir()):
        parser.error(f"{home} holds something else than an earlier demo.")
    return home


def _first(home: Path) -> None:
    """Start the first assistant, show what it does, and kill it with its server while it works."""
    command = [sys.executable, "-m", "tests.demo.first", str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.strip() == first.AT_WORK:
                killed = kill_with_all_below(process.pid)
                print(f"   kill -9  the assistant and its server: {killed} processes")
            else:
                print(line, end="", flush=True)
    if process.returncode != -9:
        raise DemoFailed("The first assistant ended by itself.")


def _close(home: Path, found: second.Found, seconds: float) -> None:
    total = f"{len(found.artifacts)} of {len(PARTS)} artifacts, {found.characters:,} characters"
    where = os.path.relpath(home) if home == HOME else home
    print(
        f"\nhashes ok: {total}, each compared with its file in {where}/work\n"
        f"It took {seconds:.1f} s. To see it in the browser:\n"
        f"  ORCHESTRATOR_HOME={where} make run\n"
        f"  sign in by the link that it prints, then open http://127.0.0.1:8000/tasks/{found.plan_id}/"
    )


if __name__ == "__main__":
    sys.exit(main())
