"""Something to work on for every operation: one of each kind, and tasks in every state, made over REST."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

PROJECT = "ledger"
SPECIALIST = "bookkeeper"
TEMPLATE = (
    "{template: note, title: A note, steps: [{key: write, title: Write, description: It, specialist: documenter}]}"
)


class Board:
    """Calls a site with a token."""

    def __init__(self, site: str, secret: str) -> None:
        self._site = site
        self._secret = secret

    def call(self, method: str, address: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what must succeed."""
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self._site}/api/v1{address}", data, headers, method=method), timeout=30) as answer:
            return dict(json.load(answer))

    def fill(self) -> dict[str, list[str]]:
        """Make the board; returns what stands in addresses, by its name there."""
        self.call("POST", "/projects", {"name": "The ledger", "slug": PROJECT})
        self.call("PUT", f"/projects/{PROJECT}/specialists/{SPECIALIST}", {"role_definition": "Keeps books."})
        for place in ("", f"/projects/{PROJECT}"):
            self.call("PUT", f"{place}/templates/note", {"text": TEMPLATE})
        session = self.call("POST", "/sessions", {"project": PROJECT, "client_name": "schema"})["session_id"]
        spare = self.call("POST", "/tokens", {"name": "spare", "scopes": ["read"]})["token_id"]
        plan, tasks = self._plan()
        artifact = self.call("POST", f"/tasks/{tasks[0]}/complete", _work())["artifact_info"]["artifact_id"]
        uploads = [self.call("POST", "/uploads", {"task_id": task})["upload_id"] for task in tasks[5:8]]
        self._do(tasks[1], "claim")
        self._do(tasks[2], "block", reason="The password is missing.")
        self._do(tasks[3], "claim")
        self._do(tasks[3], "fail", reason="It could not be done.")
        self._do(tasks[4], "cancel", reason="Nobody needs it.")
        lessons = [str(row["lesson_id"]) for row in self.call("GET", f"/projects/{PROJECT}/lessons")["results"]]
        chore = {"name": "Look", "template": "spike", "parameters": {"question": "What is new?"}, "cron": "0 9 * * MON"}
        recurring = self.call("POST", f"/projects/{PROJECT}/recurring", chore)["recurring_id"]
        return {
            "project": [PROJECT, "isolated"],
            "recurring_id": [str(recurring)],
            "run_id": [row["run_id"] for row in self.call("GET", "/runs")["results"]],
            "task_id": [plan, *tasks],
            "needed_id": tasks[:2],
            "session_id": [session],
            "artifact_id": [artifact],
            "upload_id": uploads,
            "token_id": [spare],
            "context_id": [self._context("ledger", "Sums are in cents."), self._context("dates", "Days begin in UTC.")],
            "lesson_id": lessons,
            "name": ["implementer", SPECIALIST],
            "code": ["conflict"],
            "template": ["note", "bugfix"],
        }

    def _context(self, name: str, text: str) -> str:
        made = self.call("POST", f"/projects/{PROJECT}/contexts", {"name": name, "text": text})
        return str(made["context_id"])

    def _plan(self) -> tuple[str, list[str]]:
        subtasks = [
            {"title": f"Part {number}", "description": "Build it.", "specialist_type": "implementer"}
            for number in range(8)
        ]
        subtasks[7] |= {"dependencies": ["Part 6"]}
        made = self.call("POST", "/plans", {"project": PROJECT, "description": "Build it", "subtasks": subtasks})
        return made["plan"], [row["task_id"] for row in made["subtasks"]]

    def _do(self, task_id: str, verb: str, **body: Any) -> None:
        self.call("POST", f"/tasks/{task_id}/{verb}", body)


def _work() -> dict[str, Any]:
    return {
        "summary": "Done.",
        "detailed_work": "# Part 0\n\nAll of it.\n",
        "file_paths": ["src/part.py"],
        "learned": ["Read it."],
    }
