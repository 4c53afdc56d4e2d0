"""Work of 100 MiB in and out: over the pipe, from a file to a file, and over REST, next to a plain copy and sha256."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from artifacts.api.uploads import MEDIA_TYPE
from tests.bench import entry_points
from tests.bench.artifact import claimed
from tests.bench.context import Bench
from tests.bench.entry_points import Call, Failed
from tests.bench.figures import Figure
from tests.mcp.http_client import Served, served

PART = 1024 * 1024
SHARE = 0.25
"""What share of the speed of a plain copy is wanted."""
MEMORY = 40
"""MB that an upload may take over idle."""


def uploads(bench: Bench) -> Iterator[Figure]:
    """Store as much through both entry points and read it back; memory is the peak of the server's processes."""
    source = _source(bench.folder("uploads") / "work", parts=8 if bench.quick else 100)
    size = f"{source.stat().st_size / 2**20:.0f} MiB"
    plain = _copied(source)
    yield Figure(f"{size} copied and hashed, without any of it", plain, "s")
    ways = (
        ("by parts of 1 MiB, pipe", _over_the_pipe),
        ("from a file and to one, pipe", _as_files),
        ("in one request, REST", _over_rest),
    )
    for entry_point, way in ways:
        _mark(source, entry_point)
        measured = way(bench, source)
        for done, seconds in (("stored", measured.stored), ("read back", measured.read)):
            yield Figure(f"{size} {done} {entry_point}", seconds, "s")
            yield Figure(
                f"{size} {done} {entry_point}, speed of the plain copy", plain / seconds, "", SHARE, at_least=True
            )
        yield Figure(f"{size} in and out {entry_point}, memory over idle", measured.memory, "MB", MEMORY)


@dataclass(frozen=True)
class Measured:
    """Seconds in, seconds out, and MB over idle."""

    stored: float
    read: float
    memory: float


def _source(path: Path, *, parts: int) -> Path:
    """Write lines that differ and are packed as source code is, so that nothing is reported from its compression."""
    words = [hashlib.sha256(bytes([number])).hexdigest()[: 3 + number % 9] for number in range(256)]
    chance = Random(1)
    with path.open("wb") as file:
        for _ in range(parts):
            text = " ".join(chance.choices(words, k=PART // 7)).encode()
            file.write((text + b" " * PART)[:PART])
    return path


def _mark(source: Path, entry_point: str) -> None:
    """Make it another work for each entry point: what is known already is not stored again."""
    with source.open("r+b") as file:
        file.write(entry_point.encode())


def _copied(source: Path) -> float:
    """Return the seconds of the best of three."""
    target, samples = source.with_name("copy"), []
    for _ in range(3):
        began = perf_counter()
        with source.open("rb") as reader, target.open("wb") as writer:
            shutil.copyfileobj(reader, writer)
        with target.open("rb") as reader:
            hashlib.file_digest(reader, "sha256")
        samples.append(perf_counter() - began)
    target.unlink()
    return min(samples)


def _over_the_pipe(bench: Bench, source: Path) -> Measured:
    with entry_points.server(bench.home, bench.folder("uploads-pipe"), toolsets="core,artifacts") as client:
        call = entry_points.over(client)
        task_id = claimed(call)
        idle = entry_points.memory(client)["peak"]
        began = perf_counter()
        info = _by_parts(call, task_id, source)
        stored = perf_counter() - began
        began = perf_counter()
        digest = _read_by_parts(call, info["artifact_id"])
        read = perf_counter() - began
        _compare(source, info["sha256"], digest)
        return Measured(stored, read, entry_points.memory(client)["peak"] - idle)


def _as_files(bench: Bench, source: Path) -> Measured:
    folder = bench.folder("uploads-files")
    shutil.copyfile(source, folder / "work")
    with entry_points.server(bench.home, folder, toolsets="core,artifacts") as client:
        call = entry_points.over(client)
        task_id = claimed(call)
        idle = entry_points.memory(client)["peak"]
        began = perf_counter()
        info = call("store_artifact", action="commit", task_id=task_id, path="work")["artifact_info"]
        stored = perf_counter() - began
        began = perf_counter()
        call("export_artifact", artifact_id=info["artifact_id"], path="back")
        read = perf_counter() - began
        with (folder / "back").open("rb") as back:
            _compare(source, info["sha256"], hashlib.file_digest(back, "sha256").hexdigest())
        return Measured(stored, read, entry_points.memory(client)["peak"] - idle)


def _by_parts(call: Call, task_id: str, source: Path) -> dict[str, Any]:
    begun = call("store_artifact", action="begin", task_id=task_id, expected_size=source.stat().st_size)
    upload, offset = begun["upload_id"], 0
    with source.open("rb") as file:
        while part := file.read(PART):
            sent = {"upload_id": upload, "offset": offset, "text": part.decode()}
            offset = call("store_artifact", action="append", **sent)["offset"]
    info: dict[str, Any] = call("store_artifact", action="commit", upload_id=upload)["artifact_info"]
    return info


def _read_by_parts(call: Call, artifact_id: str) -> str:
    digest = hashlib.sha256()
    offset: int | None = 0
    while offset is not None:
        part = call("read_artifact", artifact_id=artifact_id, offset=offset, limit=PART)
        digest.update(part["text"].encode())
        offset = part.get("next_offset")
    return digest.hexdigest()


def _over_rest(bench: Bench, source: Path) -> Measured:
    with served(bench.home, {"up": {"scopes": ["read", "write", "admin"]}}) as site:
        _ask(site, "POST", "/projects", {"name": "Uploads"})
        subtask = {"title": "Write a lot", "description": "All of it.", "specialist_type": "documenter"}
        plan = _ask(site, "POST", "/plans", {"project": "uploads", "description": "Much", "subtasks": [subtask]})
        body = {"task_id": plan["subtasks"][0]["task_id"], "expected_size": source.stat().st_size}
        upload = _ask(site, "POST", "/uploads", body)["upload_id"]
        idle = entry_points.peak(site.process.pid)
        began = perf_counter()
        _patch(site, upload, source)
        info = _ask(site, "POST", f"/uploads/{upload}/commit", {})
        stored = perf_counter() - began
        began = perf_counter()
        digest = _downloaded(site, info["artifact_id"])
        read = perf_counter() - began
        _compare(source, info["sha256"], digest)
        return Measured(stored, read, entry_points.peak(site.process.pid) - idle)


def _patch(site: Served, upload: str, source: Path) -> None:
    with source.open("rb") as file:
        headers = {"Content-Type": MEDIA_TYPE, "Upload-Offset": "0", "Content-Length": str(source.stat().st_size)}
        _send(site, "PATCH", f"/uploads/{upload}", file, headers)


def _downloaded(site: Served, artifact_id: str) -> str:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=120)
    bearer = {"Authorization": f"Bearer {site.secrets['up']}"}
    connection.request("GET", f"/api/v1/artifacts/{artifact_id}/content", headers=bearer)
    digest, response = hashlib.sha256(), connection.getresponse()
    while piece := response.read(PART):
        digest.update(piece)
    connection.close()
    return digest.hexdigest()


def _ask(site: Served, method: str, address: str, body: dict[str, Any]) -> dict[str, Any]:
    raw = json.dumps(body).encode()
    answer: dict[str, Any] = json.loads(_send(site, method, address, raw, {"Content-Type": "application/json"}))
    return answer


def _send(site: Served, method: str, address: str, body: Any, headers: dict[str, str]) -> bytes:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=120, blocksize=256 * 1024)
    bearer = {"Authorization": f"Bearer {site.secrets['up']}"}
    connection.request(method, f"/api/v1{address}", body, headers | bearer)
    response = connection.getresponse()
    said = response.read()
    connection.close()
    if response.status >= 300:
        raise Failed(f"{method} {address}: {said[:300]!r}")
    return said


def _compare(source: Path, *digests: str) -> None:
    with source.open("rb") as file:
        if set(digests) != {hashlib.file_digest(file, "sha256").hexdigest()}:
            raise Failed("What was stored or read back is another work.")
