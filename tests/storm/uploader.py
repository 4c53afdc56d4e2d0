"""An assistant that stores work in parts and reads it back, and goes on where it was when its server is killed."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from random import Random
from threading import Thread
from typing import Any

from tests.storm.client import Answer, Gone, Server

SIZES = (700, 40_000, 70_000, 300_000, 1_200_000)
PART = 200_000
TRIES = 50


class UploadingAssistant(Thread):
    """Works in a thread of its own. `stored` holds what was acknowledged: the artifact's id and its sha256."""

    def __init__(self, name: str, start: Callable[[], Server]) -> None:
        super().__init__(name=name)
        self.start_server = start
        self.server = start()
        self.chance = Random(name)
        self.is_working = True
        self.calls = 0
        self.parts = 0
        self.bytes = 0
        self.lost_servers = 0
        self.transient = 0
        self.read_back = 0
        self.stored: dict[str, str] = {}
        self.wrong: list[Any] = []

    def run(self) -> None:
        try:
            self.arrive()
            task = self.plan()
            while self.is_working:
                self.store(task)
                self.read_one()
        except Exception as error:  # noqa: BLE001 -- the test looks at it after the storm
            self.wrong.append(repr(error))

    def arrive(self) -> None:
        while True:
            try:
                self.server.greet()
                self.server.call("initialize_session")
                return
            except Gone:
                self.find_another_server()

    def find_another_server(self) -> None:
        self.lost_servers += 1
        self.server.kill()
        self.server.end()
        self.server = self.start_server()

    def say(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool until it is answered; every call here may be sent again, but not for ever."""
        for _ in range(TRIES):
            self.calls += 1
            try:
                answer = self.server.call(tool, **arguments)
            except Gone:
                self.find_another_server()
                self.arrive()
            else:
                if answer.get("code") != "transient":
                    return answer
                self.transient += 1
        raise TimeoutError(f"{tool} was answered by nothing but {answer}")

    def plan(self) -> str:
        subtask = {"title": "Store", "description": "Much", "specialist_type": "tester"}
        key = str(uuid.uuid4())
        made = self.say("plan_task", description=self.name, subtasks=[subtask], idempotency_key=key)
        return str(made["subtasks"][0]["task_id"])

    def store(self, task: str) -> None:
        """Store one work. Of a call that was cut off, the next answer says what became of it."""
        data = self.chance.randbytes(self.chance.choice(SIZES) // 2).hex().encode()
        digest = sha256(data).hexdigest()
        facts = {"task_id": task, "file_paths": [f"{len(self.stored) % 5}.bin"]}
        expected = {"expected_size": len(data), "expected_sha256": digest} if self.chance.random() < 0.5 else {}
        key = str(uuid.uuid4())
        begun = self.say("store_artifact", action="begin", **facts, **expected, idempotency_key=key)
        upload, offset = begun["upload_id"], 0
        while offset < len(data):
            offset = self.append(upload, offset, data)
        done = self.say("store_artifact", action="commit", upload_id=upload)
        if "code" in done or done["artifact_info"]["sha256"] != digest:
            self.wrong.append(("commit", upload, done))
        else:
            self.remember(done["artifact_info"], len(data))

    def append(self, upload: str, offset: int, data: bytes) -> int:
        if self.chance.random() < 0.2:  # as a new conversation would
            stands = self.say("store_artifact", action="status", upload_id=upload)["offset"]
            if stands != offset:
                self.wrong.append(("status", upload, offset, stands))
        part = data[offset : offset + self.chance.randint(1, PART)]
        how = {"text": part.decode()} if self.chance.random() < 0.5 else {"base64": b64encode(part).decode()}
        answer = self.say("store_artifact", action="append", upload_id=upload, offset=offset, **how)
        if answer.get("offset") != offset + len(part):
            self.wrong.append(("append", upload, offset, len(part), answer))
        self.parts += 1
        return offset + len(part)

    def remember(self, info: Answer, size: int) -> None:
        self.stored[f"{info['artifact_id']} v{info['version']}"] = info["sha256"]
        self.bytes += size

    def read_one(self) -> None:
        """Read the latest version of one of the works."""
        artifact = self.chance.choice(list(self.stored)).partition(" ")[0]
        found = self.say("read_artifact", artifact_id=artifact, limit=1000)
        known = {digest for name, digest in self.stored.items() if name.startswith(artifact)}
        if found.get("sha256") not in known:
            self.wrong.append(("read", artifact, found))
        self.read_back += 1
