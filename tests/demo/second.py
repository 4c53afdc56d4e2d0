"""The second assistant, which remembers nothing: it finds the work, checks it, finishes it and puts it together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.demo.assistant import Assistant, Facts, connected, require
from tests.demo.first import HALF
from tests.demo.job import PARTS, ROOT, sha256, work_on

RANGE = 4_000


@dataclass(slots=True)
class Found:
    """What the second assistant has found out and done."""

    plan_id: str = ""
    artifacts: dict[str, str] = field(default_factory=dict)
    """Every artifact that was read back and compared, by the title of its task."""
    characters: int = 0


async def main(home: Path) -> Found:
    """Go on where the first one was killed.

    Raises DemoFailed where anything is missing.
    """
    with (home / "server.log").open("a") as log:
        async with connected(home, "second-assistant", log, mode="legacy") as assistant:
            found = Found()
            orphan = await _find(assistant, found)
            await _check(assistant, found, home / "work")
            require(len(found.artifacts) == HALF, f"{len(found.artifacts)} artifacts instead of {HALF}.")
            await _take_over(assistant, orphan)
            await _finish(assistant)
            await _check(assistant, found, home / "work")
            await _synthesize(assistant, found)
            return found


async def _find(assistant: Assistant, found: Found) -> Facts:
    """Find the plan and the task that the first assistant left active, by the server's answers alone."""
    welcome = await assistant.call("initialize_session", project_dir=str(ROOT))
    counts, left = welcome["counts"], welcome.get("in_progress", [])
    assistant.say(f"connected (protocol {assistant.protocol}), opened {welcome['session_id']}")
    require(counts.get("completed") == HALF, f"{counts} instead of {HALF} completed.")
    require(len(left) == 1 and counts.get("active") == 1, f"in progress: {left}")
    task = await assistant.call("get_status", task_id=left[0]["task_id"])
    found.plan_id = task["parent_task_id"]
    assistant.say(f"found {HALF} of {len(PARTS)} completed and {task['task_id']} left active ({left[0]['whose']})")
    return task


async def _check(assistant: Assistant, found: Found, works: Path) -> None:
    """Read every artifact that was not read yet, and compare it with the file that it was made from."""
    plan = await assistant.call("get_status", task_id=found.plan_id, status="completed", limit=len(PARTS))
    require("cursor" not in plan, f"The tree of {found.plan_id} does not fit into one answer.")
    unread = [task for task in plan["tasks"] if task["title"] not in found.artifacts]
    for task in unread:
        text = work_on(works, task["title"])
        found.artifacts[task["title"]] = await _read_back(assistant, task["task_id"], text)
        found.characters += len(text)
    assistant.say(f"read {len(unread)} artifacts by ranges of {RANGE:,}: their sha256 and every character are right")


async def _read_back(assistant: Assistant, task_id: str, text: str) -> str:
    task = await assistant.call("get_status", task_id=task_id)
    artifact_id: str = task["artifacts"][0]["artifact_id"]
    read, offset = "", 0
    while offset is not None:
        part = await assistant.call("read_artifact", artifact_id=artifact_id, offset=offset, limit=RANGE)
        read += part["text"]
        offset = part.get("next_offset")
    require(part["sha256"] == sha256(read) == sha256(text), f"{artifact_id} has another sha256 than its work.")
    require(read == text, f"{artifact_id} differs from its work.")
    return artifact_id


async def _take_over(assistant: Assistant, orphan: Facts) -> None:
    """Take the task of the dead; what it might still send is refused."""
    await assistant.refused("execute_subtask", task_id=orphan["task_id"])
    taken = await assistant.call("execute_subtask", task_id=orphan["task_id"], take_over=True)
    lease = taken["lease_number"]
    assistant.say(f"took {taken['task_id']} over: lease {lease}")
    late = await assistant.refused(
        "complete_subtask",
        task_id=orphan["task_id"],
        lease_number=lease - 1,
        summary="Too late.",
        detailed_work="What the first assistant would have sent.",
        next_action="complete",
    )
    assistant.say(f"sent a late answer under lease {lease - 1}: refused as {late['code']}")
    await assistant.deliver(orphan, taken)


async def _finish(assistant: Assistant) -> None:
    """Work off what is ready until nothing is left."""
    welcome = await assistant.call("initialize_session")
    following = welcome.get("next_ready")
    while following:
        taken = await assistant.call("execute_subtask", task_id=following["task_id"])
        done = await assistant.deliver(following, taken)
        following = done.get("next_recommended_task")


async def _synthesize(assistant: Assistant, found: Found) -> None:
    report = await assistant.call("synthesize_results", parent_task_id=found.plan_id, detail="full")
    missing = [artifact for artifact in found.artifacts.values() if artifact not in report["report"]]
    require(report["complete"] and not missing, f"The synthesis is not complete; it does not name {missing}.")
    require(set(found.artifacts) == {part.title for part in PARTS}, "Not every part has an artifact.")
    assistant.say(f"synthesized {found.plan_id}: complete, and all {len(found.artifacts)} artifacts are named")
