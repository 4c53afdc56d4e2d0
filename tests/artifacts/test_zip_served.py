"""A zip of 100 MB over a real socket: it arrives while it is made, and the server's memory does not grow with it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.http_client import Served, served
from tests.mcp.stdio_client import ROOT, environment
from tests.rest import API

MIB = 1024 * 1024
FILES, FILE_MIB = 4, 25
ALLOWED_KIB = 40 * 1024
PLAN = "task_0000000a"
FILL = f"""
import random
import django; django.setup()
from artifacts import storage
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion
from tests.factories import make_plan, make_project
project = make_project("shop")
for number, task in enumerate(make_plan(project, {FILES}, public_id="{PLAN}").descendants.all()):
    with storage.Writer() as writer:
        for _ in range({FILE_MIB}):
            writer.write(random.Random(number).randbytes({MIB} // 2).hex().encode())
        prepared = writer.finish()
    artifact = Artifact.objects.create(public_id=f"artifact_{{number}}", project=project, task=task)
    content = storage.insert(prepared)
    facts = {{"number": 1, "media_type": "text/plain", "actor_name": "x"}}
    ArtifactVersion.objects.create(artifact=artifact, content=content, **facts)
    ArtifactPath.objects.create(artifact=artifact, project=project, path=f"big/{{number}}.txt")
    print(prepared.sha256)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zips")
    make_home(folder / "home")
    return folder


@pytest.fixture(scope="module")
def hashes(folder: Path) -> list[str]:
    """Deliver the works; return their sha256."""
    made = subprocess.run(
        [sys.executable, "-c", FILL],
        cwd=ROOT,
        env=environment(folder / "home", trial=False),
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.split()


@pytest.fixture(scope="module")
def site(folder: Path, hashes: list[str]) -> Iterator[Served]:
    with served(folder / "home", {"A": {"scopes": ["read"]}}) as running:
        yield running


def peak_kib(site: Served) -> int:
    status = Path(f"/proc/{site.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def asked(connection: HTTPConnection, site: Served) -> HTTPResponse:
    headers = {"Authorization": f"Bearer {site.secrets['A']}"}
    connection.request("GET", f"{API}/tasks/{PLAN}/artifacts.zip", headers=headers)
    return connection.getresponse()


def test_a_plan_of_100_mb_is_sent_in_constant_memory(site: Served, folder: Path, hashes: list[str]) -> None:
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=60)) as connection:
        connection.request("GET", f"{API}/tasks", headers={"Authorization": f"Bearer {site.secrets['A']}"})
        connection.getresponse().read()
        Path(f"/proc/{site.process.pid}/clear_refs").write_text("5")  # forgets the peak so far
        before = peak_kib(site)
        answer = asked(connection, site)
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        with (folder / "plan.zip").open("wb") as out:
            while piece := answer.read(MIB):
                out.write(piece)
        assert peak_kib(site) - before <= ALLOWED_KIB
    with zipfile.ZipFile(folder / "plan.zip") as archive:
        assert [info.file_size for info in archive.infolist()] == [FILE_MIB * MIB] * FILES
        assert [sha256(archive.read(f"big/{number}.txt")).hexdigest() for number in range(FILES)] == hashes


def test_the_first_bytes_arrive_before_the_rest_is_made_and_a_client_may_leave(site: Served) -> None:
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=60)) as connection:
        assert asked(connection, site).read(4) == b"PK\x03\x04"
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=60)) as connection:
        assert asked(connection, site).read(4) == b"PK\x03\x04"
    assert "Traceback" not in site.errors()
