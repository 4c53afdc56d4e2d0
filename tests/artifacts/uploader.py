"""Uploads by processes that die: `python -m tests.artifacts.uploader` runs each command in a process of its own.

A command is one line of JSON; it may name the point at which its process is killed with -9. The answer is one line too:
what the service returned, the code of its rejection with its details, or that the process was killed.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

import django

Answer = dict[str, Any]
USED = (
    "artifacts.services.abandon",
    "artifacts.services.commit",
    "artifacts.services.upload",
    "tasks.identity.actor",
    "tests.factories",
)
"""Modules that are loaded once, and not by the process of each command again."""


def die(*_: Any, **__: Any) -> Any:
    """End this process as a lack of memory would."""
    os.kill(os.getpid(), signal.SIGKILL)


def serve() -> None:
    django.setup()
    from django.db import connections

    from maintenance.upgrades.ensure_schema import ensure_schema

    ensure_schema()
    connections.close_all()
    for name in USED:
        import_module(name)
    gc.freeze()
    print(json.dumps({"pid": os.getpid()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(in_a_process(json.loads(line))), flush=True)


def in_a_process(command: Answer) -> Answer:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(theirs, json.dumps(answered(command)).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    return {"killed": True} if os.WIFSIGNALED(status) else dict(json.loads(said))


def answered(command: Answer) -> Answer:
    from orchestrator_site.kernel.db_errors import db_errors_mapped
    from orchestrator_site.kernel.errors import OrchestratorError

    die_at(command.pop("die", None))
    try:
        with db_errors_mapped("it"):
            return ACTIONS[command.pop("do")](**command)
    except OrchestratorError as rejection:
        return {"code": rejection.code, "message": rejection.message, **rejection.details}


def die_at(point: str | None) -> None:
    """Have this process die at a point of what it does next."""
    from artifacts.services import commit, upload
    from artifacts.storage import staging
    from artifacts.storage.local import Draft

    def after(function: Any) -> Any:
        return lambda *given, **named: (function(*given, **named), die())

    def half(handle: Any, offset: int, data: bytes) -> None:
        handle.seek(offset)
        handle.write(data[: len(data) // 2])
        die()

    def first_chunk(*given: Any) -> Any:
        yield next(chunks(*given))
        die()

    chunks = staging.chunks
    points: dict[str | None, tuple[Any, str, Any]] = {
        "half written": (staging, "write", half),
        "not synced": (os, "fsync", die),
        "not acknowledged": (upload, "_acknowledge", die),
        "acknowledged": (upload, "_acknowledge", after(upload._acknowledge)),
        "counting": (staging, "chunks", first_chunk),
        "linked": (Draft, "finish", die),
        "kept": (commit, "commit_locked", die),
        "in the transaction": (commit, "_end", after(commit._end)),
        "committed": (staging, "discard", die),
    }
    if point is not None:
        setattr(*points[point])


def begin(**expected: Any) -> Answer:
    from artifacts.services.upload import begin
    from tests.factories import make_project, make_session, make_task

    project = make_project(f"project-{os.urandom(6).hex()}")
    session = make_session(project, public_id=f"session_{os.urandom(6).hex()}", connection_id=os.urandom(6).hex())
    from tasks.identity.actor import Actor

    task = make_task(project, public_id=f"task_{os.urandom(4).hex()}")
    return {"upload": begin(task=task, actor=Actor.assistant(session), **expected).public_id}


def append(upload: str, offset: int, data: str) -> Answer:
    from artifacts.services.upload import append

    return {"offset": append(upload=_find(upload), offset=offset, data=base64.b64decode(data)).received}


def status(upload: str) -> Answer:
    found = _find(upload)
    return {"offset": found.received, "state": found.state, "artifacts": found.task.artifacts.count()}


def commit(upload: str) -> Answer:
    from artifacts.services.commit import commit, prepare_upload
    from tasks.identity.actor import Actor

    version = commit(arrived=prepare_upload(_find(upload)), actor=Actor.system())
    return {"sha256": version.content.sha256, "size": version.content.size_bytes, "version": version.number}


def abort(upload: str) -> Answer:
    from artifacts.services.upload import abort
    from tasks.identity.actor import Actor

    return {"state": abort(upload=_find(upload), actor=Actor.system()).state}


def read(upload: str) -> Answer:
    """Read back what was stored, all of it, through the check of its sha256."""
    from artifacts import storage
    from artifacts.models import Content

    content = Content.objects.get(versions__upload__public_id=upload)
    whole = b"".join(storage.chunks(content))
    return {"sha256": hashlib.sha256(whole).hexdigest(), "size": len(whole)}


def fill(upload: str, offset: int, size: int) -> Answer:
    """Send a part while someone else takes the space that was there when it was looked at."""
    import shutil
    from pathlib import Path

    from django.conf import settings

    from artifacts.storage import staging

    look = staging.require_room

    def taken_afterwards(wanted: int) -> None:
        look(wanted)
        home = Path(settings.ORCHESTRATOR_HOME)
        (home / "filler").write_bytes(b"x" * (shutil.disk_usage(home).free - wanted // 2))

    staging.require_room = taken_afterwards
    return append(upload, offset, base64.b64encode(b"c" * size).decode())


def sweep() -> Answer:
    from artifacts.services.abandon import abandon_uploads

    return {"aborted": abandon_uploads()}


def _find(public_id: str) -> Any:
    from artifacts.models import Upload

    return Upload.objects.select_related("task", "project").get(public_id=public_id)


ACTIONS = {
    "begin": begin,
    "append": append,
    "status": status,
    "commit": commit,
    "abort": abort,
    "read": read,
    "fill": fill,
    "sweep": sweep,
}

if __name__ == "__main__":
    serve()
