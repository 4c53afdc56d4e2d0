"""Real processes: one reviewer comments while another sends the work back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

COMMENTS, ROUNDS = 60, 15


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a data folder with a task in review."""
    home = make_home(tmp_path / "home")
    made = (
        "import django; django.setup()\n"
        "from tests.factories import make_project, make_task\n"
        "make_task(make_project('shop'), public_id='task_0000000a', status='in_review', requires_review=True)\n"
    )
    subprocess.run([sys.executable, "-c", made], cwd=ROOT, env=environment(home, trial=False), check=True)
    return home


def _start(home: Path, what: str, count: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.artifacts.reviewer", "task_0000000a", what, str(count)],
        cwd=ROOT,
        env=environment(home, trial=False),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def _go(process: subprocess.Popen[str]) -> str:
    """Let a process begin, and return the next line that it writes."""
    assert process.stdin and process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_a_comment_is_sent_exactly_once_while_others_send_the_work_back(home: Path) -> None:
    commenting, sending = _start(home, "comment", COMMENTS), _start(home, "send", ROUNDS)
    assert _go(commenting) == "half\n"
    first = _go(sending)
    commenting.communicate("go\n", timeout=120)
    out, _ = sending.communicate("once more\n", timeout=120)
    assert commenting.returncode == sending.returncode == 0
    texts = [text for line in (first + out).splitlines() if (text := json.loads(line)) != "done"]
    assert len(texts) == ROUNDS + 1
    assert all(text.startswith("Fix it.") for text in texts)
    said = [word for text in texts for word in text.split() if word.startswith("<")]
    assert sorted(said) == sorted(f"<{number}>" for number in range(COMMENTS))
    assert sum("<" in text for text in texts) > 1
