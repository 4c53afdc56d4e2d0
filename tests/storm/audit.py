"""What is in the database and the content folder after a storm, read without any code of the product."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

CLOSES_A_CLAIM = {"complete", "hand_back", "block", "fail", "release", "cancel", "split"}


class Audit:
    """Questions to the database of one data folder."""

    def __init__(self, home: Path, db: sqlite3.Connection) -> None:
        self.home = home
        self.db = db

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.db.execute(sql, values).fetchall()

    def check_everything(self) -> None:
        """Check what holds after any storm."""
        self.check_soundness()
        self.check_claims()
        self.check_statuses()
        self.check_works()
        self.check_plans()
        self.check_readiness()

    def check_readiness(self) -> None:
        """What is marked ready is just what can be claimed."""
        assert (
            self.rows(
                "SELECT public_id FROM tasks_task AS task WHERE is_ready <> ("
                " is_leaf AND status IN ('pending', 'needs_revision') AND archived_at IS NULL AND NOT EXISTS ("
                "  SELECT 1 FROM tasks_dependency JOIN tasks_task AS need ON need.id = depends_on_id"
                "  WHERE task_id = task.id AND need.status <> 'completed'))"
            )
            == []
        )

    def check_soundness(self) -> None:
        assert self.rows("PRAGMA integrity_check") == [("ok",)]
        assert self.rows("PRAGMA foreign_key_check") == []

    def check_claims(self) -> None:
        """No task ever had two holders: a claim has a higher number than the last, which was closed before it."""
        held: dict[int, int | None] = {}
        numbers: Counter[int] = Counter()
        for task, verb, number in self.rows(
            "SELECT task_id, verb, json_extract(after, '$.lease_number') FROM tasks_event "
            "WHERE task_id IS NOT NULL ORDER BY id"
        ):
            if verb == "claim":
                assert held.get(task) is None, f"task {task} has two holders"
                assert number > numbers[task]
                held[task] = numbers[task] = number
            elif verb in CLOSES_A_CLAIM:
                held[task] = None
        active = self.rows("SELECT id, lease_number FROM tasks_task WHERE is_leaf AND status = 'active'")
        assert dict(active) == {task: number for task, number in held.items() if number is not None}

    def check_statuses(self) -> None:
        """Every change of a status has its event, and the last one says how the task stands."""
        reported: dict[int, str] = {}
        for task, before, after in self.rows(
            "SELECT task_id, json_extract(before, '$.status'), json_extract(after, '$.status') FROM tasks_event "
            "WHERE json_extract(after, '$.status') IS NOT NULL ORDER BY id"
        ):
            assert reported.get(task) == before
            reported[task] = after
        assert reported == dict(self.rows("SELECT id, status FROM tasks_task"))

    def check_works(self) -> None:
        """Every stored work can be read and is the one that its sha256 names; every version is there."""
        for sha256, size, chars, lines, data, index, name in self.rows(
            'SELECT sha256, size_bytes, size_chars, size_lines, data, "index", stored_as FROM artifacts_content'
        ):
            assert (data is None) == (size > 64 * 1024)
            assert (data is not None and not name) or name.startswith(f"{sha256}-")
            content = self._file(name).read_bytes() if data is None else data
            if data is None:
                _check_index(sha256, content, index)
            assert len(content) == size
            assert hashlib.sha256(content).hexdigest() == sha256
            assert (chars, lines) == _counts(content)
        twice = "SELECT artifact_id, content_id FROM artifacts_artifactversion GROUP BY 1, 2 HAVING count(*) > 1"
        assert self.rows(twice) == []
        versions: defaultdict[int, list[int]] = defaultdict(list)
        for artifact, number in self.rows("SELECT artifact_id, number FROM artifacts_artifactversion ORDER BY number"):
            versions[artifact].append(number)
        latest = dict(self.rows("SELECT id, version FROM artifacts_artifact"))
        assert {artifact: list(range(1, last + 1)) for artifact, last in latest.items()} == versions

    def received(self, upload: str, offset: int) -> bytes:
        """Return the first bytes of an upload, from its artifact or from where it is staged; fewer if some are lost."""
        ((state, received, data, name),) = self.rows(
            "SELECT state, received, data, stored_as FROM artifacts_upload u "
            "LEFT JOIN artifacts_artifactversion v ON v.id = u.version_id "
            "LEFT JOIN artifacts_content c ON c.id = v.content_id WHERE u.public_id = ?",
            upload,
        )
        if state == "committed":
            return bytes(self._file(name).read_bytes() if data is None else data)[:offset]
        return (self.home / "staging" / upload).read_bytes()[: min(offset, received)]

    def _file(self, name: str) -> Path:
        return self.home / "content" / name[:2] / name[2:4] / name

    def check_plans(self) -> None:
        """A plan or group is completed exactly when all below it is, and was finished once for each time."""
        for status, open_below, finished, reopened in self.rows(
            "SELECT status, (SELECT count(*) FROM tasks_task c WHERE c.parent_id = t.id AND c.status != 'completed'), "
            "(SELECT count(*) FROM tasks_event e WHERE e.task_id = t.id AND verb = 'finish'), "
            "(SELECT count(*) FROM tasks_event e WHERE e.task_id = t.id AND verb = 'resume') "
            "FROM tasks_task t WHERE NOT is_leaf"
        ):
            assert (status == "completed") == (open_below == 0)
            assert finished - reopened == (status == "completed")

    def verbs(self) -> Counter[str]:
        """Count the events by verb."""
        return Counter(dict(self.rows("SELECT verb, count(*) FROM tasks_event GROUP BY verb")))

    def statuses(self) -> dict[str, int]:
        """Count the leaves by status."""
        return dict(self.rows("SELECT status, count(*) FROM tasks_task WHERE is_leaf GROUP BY status"))

    def works(self) -> set[tuple[str, str]]:
        """Return every delivered work, as its task's id and its sha256."""
        return set(
            self.rows(
                "SELECT t.public_id, c.sha256 FROM artifacts_artifactversion v "
                "JOIN artifacts_artifact a ON a.id = v.artifact_id JOIN tasks_task t ON t.id = a.task_id "
                "JOIN artifacts_content c ON c.id = v.content_id"
            )
        )

    def claims(self) -> dict[tuple[str, int], str | None]:
        """Return each claim, by its task's id and its lease number, with the name of who ended it."""
        running: dict[str, tuple[str, int]] = {}
        ended: dict[tuple[str, int], str | None] = {}
        for task, verb, number, actor in self.rows(
            "SELECT t.public_id, verb, json_extract(after, '$.lease_number'), actor_name FROM tasks_event e "
            "JOIN tasks_task t ON t.id = e.task_id ORDER BY e.id"
        ):
            if verb == "claim":
                running[task] = task, number
                ended[task, number] = None
            elif verb in CLOSES_A_CLAIM and task in running:
                ended[running.pop(task)] = actor
        return ended

    def completions(self) -> Counter[str]:
        """Count how often each task was completed, by its public id."""
        return Counter(
            task
            for (task,) in self.rows(
                "SELECT t.public_id FROM tasks_event e JOIN tasks_task t ON t.id = e.task_id WHERE e.verb = 'complete'"
            )
        )


def _check_index(sha256: str, content: bytes, index: bytes) -> None:
    """Check what each row of an index counts, and the checksums of blocks and of the index."""
    rows = list(struct.iter_unpack("<QQQI", index))
    for (start, _, ends, crc), (stop, *_) in pairwise(rows):
        assert ends == content.count(b"\n", 0, start)
        assert zlib.crc32(content[start:stop]) == crc
    assert len(content) == rows[-1][0]
    assert rows[-1][-1] == zlib.crc32(index[:-4], zlib.crc32(sha256.encode()))


def _counts(content: bytes) -> tuple[int | None, int | None]:
    """Count characters and lines, None of what is no text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None, None
    return len(text), text.count("\n") + (text != "" and not text.endswith("\n"))


@contextmanager
def audit(home: Path) -> Iterator[Audit]:
    """Open the database of a data folder."""
    with closing(sqlite3.connect(home / "orchestrator.sqlite3", timeout=30)) as db:
        yield Audit(home, db)
