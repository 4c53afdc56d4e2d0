"""Two assistants over real pipes: the second knows the handover alone, and finishes the plan of the demo with it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.demo.assistant import Assistant, connected
from tests.demo.job import DESCRIPTION, PARTS, write_works
from tests.homes import make_home
from tests.maintenance import answers
from tests.mcp.stdio_client import ROOT, environment

HALF = len(PARTS) // 2
PREPARE = """
import django; django.setup()
from maintenance.selectors.scope import of_project
from maintenance.services.handover import prepare
from tasks.identity.actor import Actor
from tasks.models import Project
print(prepare(scope=of_project(Project.objects.get()), actor=Actor.system()).text)
"""


@dataclass(slots=True)
class Plan:
    """What the text says is left: the titles of open tasks, what each waits for, and which of them is in hand."""

    titles: dict[str, str] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    plan_id: str = ""

    @property
    def next(self) -> str | None:
        free = (task for task in self.titles if not self.needs[task] & self.titles.keys())
        return next(free, None)


def plan_in(text: str) -> Plan:
    read, plan = answers.read(text), Plan()
    assert read.digest_is_right
    for found in read.matching(5, r'(\w+) "(.*)": held by .*'):
        plan.titles[found[1]], plan.needs[found[1]] = found[2], set()
        plan.held.add(found[1])
    for found in read.matching(6, r'(\w+) \w+ "(.*)": .*'):
        plan.titles[found[1]], plan.needs[found[1]] = found[2], set()
    for found in read.matching(7, r'(\w+) pending "(.*)": waits for (.*), since .*'):
        plan.titles[found[1]], plan.needs[found[1]] = found[2], set(found[3].split(", "))
    plan.plan_id = read.matching(4, r"(\w+): \d+ of .*")[0][1]
    return plan


async def _first_half(home: Path) -> list[str]:
    """Plan, deliver half, claim one more, and vanish; return the ids of what is done."""
    with (home / "server.log").open("a") as log:
        async with connected(home, "first", log, mode="auto") as first:
            await first.call("initialize_session", project_dir=str(home / "work"))
            subtasks = [part.as_argument() for part in PARTS]
            await first.call("plan_task", description=DESCRIPTION, subtasks=subtasks)
            done = []
            ready = (await first.call("initialize_session"))["next_ready"]
            for _ in range(HALF):
                taken = await first.call("execute_subtask", task_id=ready["task_id"])
                answer = await first.deliver(ready, taken)
                done.append(ready["task_id"])
                ready = answer["next_recommended_task"]
            await first.call("execute_subtask", task_id=ready["task_id"])
            return done


async def _second_half(home: Path, plan: Plan) -> tuple[list[tuple[str, Any]], bool]:
    """Finish by what the text said; return every call that was made, and whether the plan is complete."""
    made: list[tuple[str, Any]] = []
    with (home / "server.log").open("a") as log:
        async with connected(home, "second", log, mode="legacy") as second:
            _record(second, made)
            await second.call("initialize_session", project_dir=str(home / "work"))
            while task_id := plan.next:
                more = {"take_over": True} if task_id in plan.held else {}
                taken = await second.call("execute_subtask", task_id=task_id, **more)
                await second.deliver({"title": plan.titles.pop(task_id)}, taken)
            report = await second.call("synthesize_results", parent_task_id=plan.plan_id)
            return made, bool(report["complete"])


def _record(assistant: Assistant, made: list[tuple[str, Any]]) -> None:
    answer = assistant._answer

    async def recorded(tool: str, arguments: dict[str, Any]) -> Any:
        made.append((tool, arguments.get("task_id")))
        return await answer(tool, arguments)

    assistant._answer = recorded  # type: ignore[method-assign]


def test_a_second_assistant_finishes_the_plan_by_the_text_alone(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    write_works(home / "work")
    done = asyncio.run(_first_half(home))
    text = subprocess.run(
        [sys.executable, "-c", PREPARE],
        cwd=ROOT,
        env=environment(home, trial=False),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.removesuffix("\n")
    plan = plan_in(text)
    assert len(plan.titles) == len(PARTS) - HALF
    calls, is_complete = asyncio.run(_second_half(home, plan))
    assert is_complete
    assert {tool for tool, _ in calls} == {
        "initialize_session", "execute_subtask", "complete_subtask", "synthesize_results"
    }  # fmt: skip
    assert {task for _, task in calls} & set(done) == set()
