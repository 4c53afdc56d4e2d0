"""Read for a gate in the project's own repository whether a commit is what it is said to be."""

from __future__ import annotations

import json
import logging
import subprocess
from dataclasses import dataclass
from typing import Any

from orchestrator_site.kernel.processes import module_command, module_environment
from tasks.gates.definition import Gate
from tasks.models import Task
from tasks.services.projects import folder

logger = logging.getLogger(__name__)
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class CommitFound:
    """`summary` says in a sentence what was found; `passed` whether the commit meets the gate."""

    passed: bool
    commit: str
    summary: str


def verify_commit(*, task: Task, gate: Gate, commit: str, base: str = "") -> CommitFound | None:
    """Look for a commit in the project's repository; None where the project has none on this machine.

    Never in a transaction: it takes as long as another program does.
    """
    top = folder(task.project.root_path)
    if top is None or not (top / ".git").exists():
        return None
    paths = gate.paths or tuple(map(str, task.paths))
    since = 0 if base else int(task.created_at.timestamp())
    question = {"top": str(top), "commit": commit.strip().lower(), "paths": paths, "base": base, "since": since}
    question["are_patterns"] = bool(gate.paths)  # what a task plans to change may come from parameters
    answer = _answered(question)
    if answer is None:
        return CommitFound(False, commit[:64], "The repository could not be read.")
    summary = answer["problem"] or f"The commit {answer['commit'][:12]} is in the repository."
    return CommitFound(not answer["problem"], answer["commit"], summary)


def _answered(question: dict[str, Any]) -> dict[str, str] | None:
    """Ask `tasks.gates.commits` in a process of its own; None where that fails."""
    try:
        done = subprocess.run(
            module_command("tasks.gates.commits"), input=json.dumps(question).encode(),
            env=module_environment(), capture_output=True, check=True, timeout=_SECONDS,
        )  # fmt: skip
        answer: dict[str, str] = json.loads(done.stdout)
        return answer
    except subprocess.CalledProcessError as error:
        logger.warning("A repository could not be read: %s", error.stderr.decode(errors="replace")[-2000:])
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        logger.warning("A repository could not be read: %s", error.__class__.__name__)
    return None
