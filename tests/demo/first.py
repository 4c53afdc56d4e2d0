"""The first assistant, a process of its own: it plans, delivers half, claims one more, and is killed at that."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.demo.assistant import Assistant, connected
from tests.demo.job import DESCRIPTION, PARTS, ROOT

HALF = len(PARTS) // 2
AT_WORK = "at work"
"""The line by which whoever started this process knows that it may be killed."""


async def main(home: Path) -> None:
    """Do the first half, and then work on and on."""
    with (home / "server.log").open("a") as log:
        async with connected(home, "first-assistant", log, mode="auto") as assistant:
            await _half(assistant)
            print(AT_WORK, flush=True)
            await asyncio.Event().wait()


async def _half(assistant: Assistant) -> None:
    welcome = await assistant.call("initialize_session", project_dir=str(ROOT))
    assistant.say(f"connected (protocol {assistant.protocol}), opened {welcome['session_id']}")
    subtasks = [part.as_argument() for part in PARTS]
    planned = await assistant.call("plan_task", description=DESCRIPTION, subtasks=subtasks)
    edges = sum(len(part.needs) for part in PARTS)
    assistant.say(f"planned {planned['parent_task_id']}: {len(PARTS)} subtasks, {edges} dependencies")
    following = await _next_ready(assistant)
    for _ in range(HALF):
        taken = await assistant.call("execute_subtask", task_id=following["task_id"])
        done = await assistant.deliver(following, taken)
        following = done["next_recommended_task"]
    taken = await assistant.call("execute_subtask", task_id=following["task_id"])
    assistant.say(f"claimed {taken['task_id']}, {following['title']}: lease {taken['lease_number']}")


async def _next_ready(assistant: Assistant) -> dict[str, str]:
    welcome = await assistant.call("initialize_session")
    ready: dict[str, str] = welcome["next_ready"]
    return ready


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
