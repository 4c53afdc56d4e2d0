"""Real processes: several apply the same preview at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

APPLYING = 3
MADE = """
import django; django.setup()
from tasks.insights.selectors.rebalancing import Request, preview_of
from tests.factories import make_project, make_task
project = make_project("shop")
for number in (3, 4, 5):
    make_task(project, specialist="tester", is_ready=True, unblocks=number)
print(preview_of(project, Request()).plan_token)
"""
BOOSTED = """
import django; django.setup()
from tasks.models import Event
print(sorted(Event.objects.filter(verb="boost").values_list("task__unblocks", flat=True)))
"""


def test_a_preview_that_several_apply_at_once_is_applied_once(tmp_path: Path) -> None:
    environ = environment(make_home(tmp_path / "home"), trial=False)

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().strip()

    token = run(MADE)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.insights.rebalancer", "shop", token],
            cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(APPLYING)
    ]  # fmt: skip
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * APPLYING
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(said) == ["3", *["conflict"] * (APPLYING - 1)]
    assert run(BOOSTED) == "[3, 4, 5]"
