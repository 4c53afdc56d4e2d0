"""Every kind of work that assistants deliver, in by every entry point and out by every other, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest
from django.test import Client

from artifacts.api.uploads import MEDIA_TYPE
from tests.factories import html_of, make_artifact, make_plan, make_project, make_task, signed_in
from tests.mcp.http_client import Served, served
from tests.mcp.stdio_client import connected
from tests.rest import ALL, API, subtask

Call = Callable[..., dict[str, Any]]
PART = 100_000
_serial = itertools.count(1)


def _code() -> str:
    body = '    """Add {0}."""\n    return first + {0} if first else [{0}, "\\t{{}}"]\n'
    return "".join(f"def add_{number}(first: int) -> int:\n{body.format(number)}\n\n" for number in range(4_000))


def _documentation() -> str:
    paragraph = "Each lease ends by itself; **nobody** has to free it. See [leases](#leases-1) and `renew()`.\n\n"
    return "".join(f"## Leases {number}\n\n{paragraph * 5}```sh\nrenew {number}\n```\n\n" for number in range(1_500))


def _analysis() -> str:
    rows = "".join(
        f"| step {number} | {number * 7919 % 997:,} ms | {'yes' if number % 3 else 'no'} |\n" for number in range(900)
    )
    return f"# Findings\n\n| what | p50 | met |\n| --- | ---: | --- |\n{rows}\nAll of it was measured twice.\n"


def _every_plane() -> str:
    """A character of each plane, and those that are easily torn apart: joined, combining, right to left, unassigned."""
    planes = "".join(chr(plane * 0x10000 + 0x2F00) for plane in range(17))
    return (
        f"{planes}\r\n\N{WOMAN}\u200d\N{PERSONAL COMPUTER} e\u0301 \u05d0\u05d1\u200f \u2028 \ufffe\uffff \U0010ffff\n"
        * 3_000
    )


@dataclass(frozen=True)
class Kind:
    """A work, as its deliverer describes it."""

    text: str
    artifact_type: str
    path: str


KINDS = {
    "large code": Kind(_code(), "code", "src/add.py"),
    "long documentation": Kind(_documentation(), "documentation", "docs/leases.md"),
    "analysis with tables": Kind(_analysis(), "analysis", "analysis.md"),
    "every plane of Unicode": Kind(_every_plane(), "general", "notes/\u6f22\u5b57 \N{PERSONAL COMPUTER}.txt"),
    "a line without an end": Kind("one\r\ntwo", "config", "etc/a.ini"),
    "a work with NUL": Kind("a\x00b\n", "test", "tests/data"),
}


class EntryPoints:
    """One board behind a pipe, HTTP for assistants, and REST."""

    def __init__(self, site: Served, pipe: Any) -> None:
        self.site = site
        self.pipe: Call = lambda tool, **given: pipe.call(f"orchestrator_{tool}", **given)
        http = site.client("up")
        self.http: Call = lambda tool, **given: http.call(f"orchestrator_{tool}", **given)
        self.pipe("initialize_session")
        self.session = http.call("orchestrator_initialize_session", project_dir=str(site.home.parent))["session_id"]

    def task(self) -> str:
        title = f"Write {next(_serial)}"
        return str(self.pipe("plan_task", description="Much", subtasks=[subtask(title)])["subtasks"][0]["task_id"])

    def rest(self, method: str, address: str, body: bytes | dict[str, Any] = b"", **headers: str) -> bytes:
        """Send a request to the site; returns the body of the answer."""
        connection = HTTPConnection("127.0.0.1", self.site.port, timeout=60)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.site.secrets['up']}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"{API}{address}", raw, sent)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        assert answer.status < 300, said[:500]
        return said


@pytest.fixture(scope="module")
def entry_points(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EntryPoints]:
    folder = tmp_path_factory.mktemp("kinds")
    with served(folder / "home", {"up": {"scopes": list(ALL)}}) as site:
        options = {"toolsets": "core,artifacts", "ORCHESTRATOR_PROJECT_DIR": str(folder)}
        with connected(folder / "home", **options) as pipe:
            yield EntryPoints(site, pipe)


def _facts(kind: Kind) -> dict[str, Any]:
    return {"artifact_type": kind.artifact_type, "file_paths": [kind.path]}


def _at_once(call: Call, task: str, kind: Kind) -> str:
    done = call(
        "complete_subtask",
        task_id=task,
        summary="Done",
        next_action="complete",
        detailed_work=kind.text,
        **_facts(kind),
    )
    return str(done["artifact_info"]["artifact_id"])


def _in_parts(call: Call, task: str, kind: Kind) -> str:
    """Send parts that tear characters apart, so as base64."""
    upload = call("store_artifact", action="begin", task_id=task, **_facts(kind))["upload_id"]
    raw, offset = kind.text.encode(), 0
    while offset < len(raw):
        part = base64.b64encode(raw[offset : offset + PART]).decode()
        offset = call("store_artifact", action="append", upload_id=upload, offset=offset, base64=part)["offset"]
    done = call("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=[upload])
    return str(done["artifact_info"]["artifact_id"])


def _rest_at_once(entry_points: EntryPoints, task: str, kind: Kind) -> str:
    body = {"summary": "Done", "detailed_work": kind.text, **_facts(kind)}
    return str(json.loads(entry_points.rest("POST", f"/tasks/{task}/complete", body))["artifact_info"]["artifact_id"])


def _rest_in_parts(entry_points: EntryPoints, task: str, kind: Kind) -> str:
    upload = json.loads(entry_points.rest("POST", "/uploads", {"task_id": task, **_facts(kind)}))["upload_id"]
    raw = kind.text.encode()
    for offset in range(0, len(raw), 3 * PART):
        part = raw[offset : offset + 3 * PART]
        entry_points.rest("PATCH", f"/uploads/{upload}", part, Content_Type=MEDIA_TYPE, Upload_Offset=str(offset))
    body = {"summary": "Done", "upload_ids": [upload]}
    return str(json.loads(entry_points.rest("POST", f"/tasks/{task}/complete", body))["artifact_info"]["artifact_id"])


INTO: dict[str, Callable[[EntryPoints, str, Kind], str]] = {
    "the pipe at once": lambda entry_points, task, kind: _at_once(entry_points.pipe, task, kind),
    "the pipe in parts": lambda entry_points, task, kind: _in_parts(entry_points.pipe, task, kind),
    "HTTP at once": lambda entry_points, task, kind: _at_once(
        lambda tool, **given: entry_points.http(tool, session_id=entry_points.session, **given), task, kind
    ),
    "REST at once": _rest_at_once,
    "REST in parts": _rest_in_parts,
}


def _read(call: Call, artifact: str, **more: Any) -> bytes:
    found = b""
    answer: dict[str, Any] = {"next_offset": 0}
    while "next_offset" in answer:
        answer = call("read_artifact", artifact_id=artifact, offset=answer["next_offset"], **more)
        found += base64.b64decode(answer["base64"]) if "base64" in answer else answer["text"].encode()
    assert answer["sha256"] == hashlib.sha256(found).hexdigest()
    return found


@pytest.mark.parametrize("into", INTO)
@pytest.mark.parametrize("name", KINDS)
def test_what_goes_in_by_an_entry_point_comes_out_by_every_other(
    entry_points: EntryPoints, name: str, into: str
) -> None:
    kind = KINDS[name]
    artifact = INTO[into](entry_points, entry_points.task(), kind)
    whole = kind.text.encode()
    assert entry_points.rest("GET", f"/artifacts/{artifact}/content") == whole
    assert _read(entry_points.pipe, artifact, limit=100_000) == whole
    assert _read(entry_points.http, artifact, unit="bytes", limit=99_991, session_id=entry_points.session) == whole
    assert _read(entry_points.pipe, artifact, unit="lines", limit=3_000) == whole
    reported = json.loads(entry_points.rest("GET", f"/artifacts/{artifact}"))
    assert (reported["kind"], reported["paths"]) == (kind.artifact_type, [kind.path])


@pytest.mark.django_db
@pytest.mark.parametrize("name", KINDS)
def test_the_page_shows_every_kind(client: Client, name: str) -> None:
    signed_in(client)
    project, kind = make_project("shop"), KINDS[name]
    task = make_task(project, parent=make_plan(project, 0))
    artifact = make_artifact(task, kind.text, kind=kind.artifact_type, paths=[kind.path])
    page = html_of(client.get(f"/artifacts/{artifact.public_id}/"))
    assert kind.path in page
    raw = client.get(f"/artifacts/{artifact.public_id}/raw/")
    assert b"".join(raw.streaming_content) == kind.text.encode()  # type: ignore[attr-defined]  # it streams
    assert raw["Content-Disposition"].startswith("attachment")


def _files() -> dict[str, str]:
    return {f"src/part_{number}/mod_{number}.py": f"NUMBER = {number}\n" * (number * 300 + 1) for number in range(40)}


def test_one_delivery_of_forty_files_by_an_assistant(entry_points: EntryPoints) -> None:
    task, uploads = entry_points.task(), list[str]()
    for path, text in _files().items():
        upload = entry_points.pipe(
            "store_artifact", action="begin", task_id=task, artifact_type="code", file_paths=[path]
        )
        entry_points.pipe("store_artifact", action="append", upload_id=upload["upload_id"], offset=0, text=text)
        uploads.append(upload["upload_id"])
    done = entry_points.pipe(
        "complete_subtask", task_id=task, summary="All", next_action="complete", upload_ids=uploads
    )
    assert (done["status"], done["artifacts_total"]) == ("completed", 40)
    _compare(entry_points, task)


def test_one_delivery_of_forty_files_over_rest(entry_points: EntryPoints) -> None:
    task, uploads = entry_points.task(), list[str]()
    for path, text in _files().items():
        body = {"task_id": task, "artifact_type": "code", "file_paths": [path]}
        upload = json.loads(entry_points.rest("POST", "/uploads", body))["upload_id"]
        entry_points.rest("PATCH", f"/uploads/{upload}", text.encode(), Content_Type=MEDIA_TYPE, Upload_Offset="0")
        uploads.append(upload)
    done = json.loads(entry_points.rest("POST", f"/tasks/{task}/complete", {"summary": "All", "upload_ids": uploads}))
    assert (done["task"]["status"], len(done["artifacts"])) == ("completed", 40)
    _compare(entry_points, task)


def _compare(entry_points: EntryPoints, task: str) -> None:
    """Check that every file is listed for the task and is what was sent."""
    listed: dict[str, str] = {}
    answer: dict[str, Any] = {"cursor": None}
    while "cursor" in answer:
        answer = entry_points.pipe("list_artifacts", task_id=task, cursor=answer["cursor"])
        listed |= {row["file_paths"][0]: row["artifact_id"] for row in answer["artifacts"]}
    assert answer["total"] == 40
    for path, text in _files().items():
        assert entry_points.rest("GET", f"/artifacts/{listed[path]}/content") == text.encode()
