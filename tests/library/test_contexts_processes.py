"""Real processes: several save nearly the same at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

WRITERS = 4


def test_of_near_duplicates_saved_at_once_one_is_kept(tmp_path: Path) -> None:
    environ = environment(make_home(tmp_path / "home"), trial=False)
    made = "import django; django.setup()\nfrom tests.factories import make_project\nmake_project('shop')\n"
    subprocess.run([sys.executable, "-c", made], cwd=ROOT, env=environ, check=True)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.library.saver", "shop", f"writer-{number}"],
            cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(WRITERS)
    ]  # fmt: skip
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * WRITERS
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(said) == ["conflict"] * (WRITERS - 1) + ["saved"]
