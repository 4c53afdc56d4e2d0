"""Real processes that deliver to the same path of a mirrored project at once."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

ROUNDS = 12
NAMES = ("left", "right")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a data folder with a mirrored project and a task."""
    home = make_home(tmp_path / "home")
    (tmp_path / "shop").mkdir()
    made = (
        "import django; django.setup()\n"
        "from tests.factories import make_project, make_task\n"
        f"make_task(make_project('shop', root_path={str(tmp_path / 'shop')!r}, settings={{'mirror': True}}),\n"
        "          public_id='task_0000000a')\n"
    )
    subprocess.run([sys.executable, "-c", made], cwd=ROOT, env=environment(home, trial=False), check=True)
    return home


def deliver_at_once(home: Path) -> None:
    command = [sys.executable, "-m", "tests.artifacts.deliverer", "task_0000000a"]
    processes = [
        subprocess.Popen(
            [*command, name, str(ROUNDS)],
            cwd=ROOT,
            env=environment(home, trial=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in NAMES
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_no_version_of_a_shared_path_is_lost_and_the_mirror_shows_the_last(home: Path, tmp_path: Path) -> None:
    deliver_at_once(home)
    with sqlite3.connect(next(home.glob("*.sqlite3"))) as database:
        rows = database.execute(
            "SELECT a.public_id, v.number, c.data FROM artifacts_artifactversion v"
            " JOIN artifacts_artifact a ON a.id = v.artifact_id JOIN artifacts_content c ON c.id = v.content_id"
            " JOIN artifacts_artifactpath p ON p.artifact_id = a.id WHERE p.path = 'shared.txt' ORDER BY v.number"
        ).fetchall()
    assert len({public_id for public_id, _, _ in rows}) == 1
    assert [number for _, number, _ in rows] == list(range(1, 2 * ROUNDS + 1))
    texts = [bytes(data).decode() for _, _, data in rows]
    for name in NAMES:
        assert [text for text in texts if text.startswith(name)] == [f"{name} {number}" for number in range(ROUNDS)]

    place = tmp_path / "shop" / ".task_orchestrator" / "artifacts"
    reported = {row["file"]: row["sha256"] for row in json.loads((place / "artifacts.json").read_text())["files"]}
    expected = {"shared.txt": texts[-1]}
    expected |= {f"{name}/{number}.txt": f"{name} {number}" for name in NAMES for number in range(ROUNDS)}
    assert {file: (place / file).read_text() for file in reported} == expected
    beside = (".gitignore", ".artifacts-lock", "ARTIFACTS.md", "artifacts.json")
    there = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert there == {*expected, *beside}
