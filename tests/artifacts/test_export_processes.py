"""Exports by real processes: onto a disk that is full, and two at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

_TMPFS = ("unshare", "--mount", "--map-root-user", "sh", "-c")
SMALL = "small and delivered first\n"
LARGE_BYTES = 3 * 1024 * 1024


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a data folder with a small work and one that no small disk holds."""
    home = make_home(tmp_path / "home")
    made = (
        "import django; django.setup()\n"
        "from tests.factories import make_artifact, make_project, make_task\n"
        "task = make_task(make_project('shop'))\n"
        f"make_artifact(task, {SMALL!r}, paths=['a/small.txt'])\n"
        f"make_artifact(task, 'x' * {LARGE_BYTES}, paths=['b/large.txt'])\n"
    )
    subprocess.run([sys.executable, "-c", made], cwd=ROOT, env=environment(home, trial=False), check=True)
    return home


def command(out: Path) -> list[str]:
    return [sys.executable, "manage.py", "artifacts", "export", str(out)]


def test_a_full_disk_is_reported_and_the_export_goes_on_when_there_is_space(home: Path, tmp_path: Path) -> None:
    assert shutil.which("unshare"), "util-linux is needed for a disk of its own"
    out, kept = tmp_path / "out", tmp_path / "kept"
    out.mkdir()
    script = f'mount -t tmpfs -o size=1m tmpfs {out} && "$@"; code=$?; cp -r {out}/. {kept}; exit $code'
    tried = subprocess.run(
        [*_TMPFS, script, "sh", *command(out)],
        cwd=ROOT,
        env=environment(home, trial=False),
        capture_output=True,
        text=True,
    )
    assert tried.returncode == 1, tried.stderr
    assert tried.stderr.splitlines()[-1].endswith("the disk is full. Free space, then run it again: it continues.")
    left = {path.name for path in kept.rglob("*") if path.is_file()}
    assert left == {"small.txt", ".artifacts-lock"}

    again = subprocess.run(
        command(kept), cwd=ROOT, env=environment(home, trial=False), capture_output=True, text=True, check=True
    )
    assert again.stdout.startswith("1 files written") and "1 were up to date" in again.stdout
    assert (kept / "shop/b/large.txt").stat().st_size == LARGE_BYTES


def test_two_exports_to_one_folder_wait_for_each_other(home: Path, tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            command(tmp_path / "out"),
            cwd=ROOT,
            env=environment(home, trial=False),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    reported = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0], reported
    written = sorted(int(out.split()[0]) for out, _ in reported)
    assert written == [0, 2]
    assert (tmp_path / "out/shop/a/small.txt").read_text() == SMALL
