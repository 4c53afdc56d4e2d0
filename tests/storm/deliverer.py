"""An assistant that also delivers in parts, and repeats every call with its key until it is answered."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from tests.storm.assistant import Survivor
from tests.storm.client import Answer

SIZES = (70_000, 150_000, 400_000)


class Deliverer(Survivor):
    """Logs what is acknowledged of each upload too: how many of its bytes, and their sha256.

    `conflicts` counts, by what was called, how often another was first. Then it is not known what became of the call.
    """

    forgets = 0.0

    def __init__(self, name: str, start: Callable[[], Any]) -> None:
        super().__init__(name, start)
        self.parts: dict[str, tuple[int, str]] = {}
        self.number_of_parts = 0
        self.conflicts: Counter[str] = Counter()
        self.claims: set[tuple[str, int]] = set()
        self._repeated_at_claim = 0

    @property
    def repeated(self) -> int:
        """How often a call was cut off, or had to be repeated."""
        return self.lost_servers + self.transient

    def maybe_a_key(self) -> Answer:
        return {"idempotency_key": str(uuid.uuid4())}

    def is_refused(self, what: str, answer: Answer) -> bool:
        """Whether an answer is an error; only where a call was repeated since the claim may it be a conflict."""
        if answer.get("code") == "conflict":
            self.conflicts[what] += 1
            if self.repeated == self._repeated_at_claim:
                self.wrong.append((what, "no call was repeated", answer))
        return super().is_refused(what, answer)

    def end_work(self, task_id: str, lease_number: int) -> None:
        self._repeated_at_claim = self.repeated
        self.claims.add((task_id, lease_number))
        if self.chance.random() < 0.5:
            super().end_work(task_id, lease_number)
        elif upload := self.upload(task_id, lease_number):
            self.end_with(*upload, task_id, lease_number)

    def end_with(self, name: str, work: str, task_id: str, lease_number: int) -> None:
        """Complete the task with what was uploaded; or commit it, and go on as with any task."""
        if self.chance.random() < 0.5:
            done = self.say("store_artifact", action="commit", upload_id=name)
            if not self.is_refused("store_artifact", done):
                self.remember(task_id, work, done["artifact_info"])
                super().end_work(task_id, lease_number)
            return
        facts = {"task_id": task_id, "lease_number": lease_number, "summary": "In parts", "upload_ids": [name]}
        done = self.say("complete_subtask", **facts, next_action="complete")
        if not self.is_refused("complete_subtask", done):
            self.remember(task_id, work, done["artifact_info"], "complete")

    def upload(self, task_id: str, lease_number: int) -> tuple[str, str] | None:
        """Upload in parts; returns the upload and what it holds, or None where it was refused."""
        work = self.chance.randbytes(self.chance.choice(SIZES) // 2).hex()
        facts = {"task_id": task_id, "lease_number": lease_number, "file_paths": [f"{task_id}.hex"]}
        begun = self.say("store_artifact", action="begin", **facts)
        if self.is_refused("store_artifact", begun):
            return None
        name, offset = begun["upload_id"], 0
        while offset < len(work):
            part = work[offset : offset + self.chance.randint(20_000, 90_000)]
            answer = self.say("store_artifact", action="append", upload_id=name, offset=offset, text=part)
            if self.is_refused("store_artifact", answer):
                return None
            offset += len(part)
            if answer["offset"] != offset:
                self.wrong.append(("append", name, offset, answer))
            self.parts[name] = offset, sha256(work[:offset].encode()).hexdigest()
            self.number_of_parts += 1
        return name, work
