"""A template of 500 steps, which is edited before every call: read, checked, previewed and applied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.bench import entry_points
from tests.bench.context import Bench
from tests.bench.figures import Figure

STEPS = 500
NAME = "large"
PREVIEW_GOAL, APPLY_GOAL = 100, 150


def templates(bench: Bench) -> Iterator[Figure]:
    """Preview and apply; the file is another one each time, so that nothing is remembered of it."""
    folder = bench.folder("templates")
    file = folder / ".task_orchestrator" / "templates" / f"{NAME}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    with entry_points.both(bench.home, folder, toolsets="core,templates") as ways:
        for name, timed in ways:
            for number in range(bench.runs(10) + 2):
                _write(file, f"{name} {number}")
                timed("preview", "template_manager", action="show_template", name=NAME, parameters={"what": "tea"})
                timed("apply", "plan_task", template=NAME, parameters={"what": "tea"}, description="", subtasks=[])
            for what, goal in (("preview", PREVIEW_GOAL), ("apply", APPLY_GOAL)):
                more = {"goal": goal} if name == "pipe" else {}
                yield timed.figure(f"template of {STEPS}, {what}, {name}", what, skip=2, **more)


def _write(file: Path, version: str) -> None:
    steps = "".join(
        f"- {{key: s{n}, title: 'Step {n} of {{what}}', description: 'Do {{what}}', specialist: tester,"
        f" needs: [{f's{n - n % 8}' if n % 8 else ''}]}}\n"
        for n in range(STEPS)
    )
    head = f"template: {NAME}\ntitle: Large\nversion: {version}\nparameters: {{what: {{required: true}}}}\nsteps:\n"
    file.write_text(head + steps)
