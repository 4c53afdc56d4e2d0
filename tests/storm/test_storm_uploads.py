"""Eight servers take in work and read it back while they are killed: nothing that was acknowledged is lost or torn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from tests.mcp.stdio_client import ROOT, environment
from tests.storm.audit import audit
from tests.storm.client import Server, wait_for
from tests.storm.test_storm_kills import KINDS
from tests.storm.uploader import UploadingAssistant

pytestmark = [pytest.mark.storm, pytest.mark.timeout(300)]

ASSISTANTS = 8
SECONDS = 20.0
READ = """
import django, hashlib, json, os, sys
django.setup()
from artifacts import storage
from artifacts.models import ArtifactVersion
from artifacts.services.abandon import abandon_uploads
found = {}
for version in ArtifactVersion.objects.select_related("artifact", "content"):
    digest = hashlib.sha256(b"".join(storage.chunks(version.content))).hexdigest()
    found[f"{version.artifact.public_id} v{version.number}"] = digest
abandon_uploads()
print(json.dumps(found))
"""
SWEEP = """
import django, os, time
from datetime import timedelta
django.setup()
from django.utils import timezone
from artifacts.models import Content
from artifacts.services.sweep import remove_orphans
from artifacts.storage import folder
two_days_ago = time.time() - 2 * 86400
for path in folder().rglob("*"):
    if path.is_file():
        os.utime(path, (two_days_ago, two_days_ago))
Content.objects.update(stored_at=timezone.now() - timedelta(days=2))
print(remove_orphans())
"""


def test_eight_servers_that_are_killed_lose_nothing_that_was_stored(
    home: Path, project: Path, tell: Callable[[str], None]
) -> None:
    def start() -> Server:
        return Server(home, project, toolsets="core,artifacts")

    assistants = [UploadingAssistant(f"uploader {number}", start) for number in range(ASSISTANTS)]
    assistants[0].arrive()
    for assistant in assistants:
        assistant.start()
    killed = kill_some(assistants, SECONDS)
    for assistant in assistants:
        assistant.is_working = False
    for assistant in assistants:
        assistant.join(90)
        assistant.server.end()
    assert [assistant.wrong for assistant in assistants] == [[]] * ASSISTANTS
    check(home, assistants)
    tell(
        f"{killed} kills, {sum(each.lost_servers for each in assistants)} servers lost; "
        f"{sum(each.calls for each in assistants)} calls, {sum(each.parts for each in assistants)} parts, "
        f"{sum(len(each.stored) for each in assistants)} works of {sum(each.bytes for each in assistants) / 2**20:.0f} "
        f"MiB, {sum(each.read_back for each in assistants)} read back; "
        f"{sum(each.transient for each in assistants)} transient answers; 0 lost, 0 torn"
    )


def kill_some(assistants: list[UploadingAssistant], seconds: float) -> int:
    """Kill servers, or parts of them, for a while; each only after it has answered something."""
    chance, kinds, killed, end = Random(8), cycle(KINDS), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        victim = chance.choice(assistants)
        goal = victim.calls + chance.randint(2, 10)
        wait_for(lambda: victim.calls >= goal or not victim.is_alive(), "the victim's next calls")  # noqa: B023
        time.sleep(chance.uniform(0, 0.03))
        front, worker = KINDS[next(kinds)]
        victim.server.kill(front=front, worker=worker)
        killed += 1
    return killed


def check(home: Path, assistants: list[UploadingAssistant]) -> None:
    """Compare what was acknowledged with what is there, byte by byte."""
    found = json.loads(run(home, "-c", READ))
    acknowledged = {name: digest for each in assistants for name, digest in each.stored.items()}
    assert len(acknowledged) == sum(len(each.stored) for each in assistants) > ASSISTANTS
    assert acknowledged == found
    with audit(home) as database:
        database.check_soundness()
        open_ones = {name for (name,) in database.rows("SELECT public_id FROM artifacts_upload WHERE state = 'open'")}
        states = dict(database.rows("SELECT state, count(*) FROM artifacts_upload GROUP BY state"))
    assert states.get("committed", 0) == len(acknowledged)
    assert {path.name for path in (home / "staging").iterdir()} <= open_ones
    run(home, "-c", SWEEP)
    verified = json.loads(run(home, "manage.py", "artifacts", "verify", "--json").splitlines()[-1])
    assert (verified["found"], verified["young"], verified["contents"]) == ({}, 0, len(set(acknowledged.values())))


def run(home: Path, *words: str) -> str:
    """Run Python on the data that the storm left; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment(home, trial=False) | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
