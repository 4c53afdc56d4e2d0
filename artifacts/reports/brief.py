"""The brief of a task: everything a specialist needs to start."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from artifacts.reports.tried import tried_in_words
from artifacts.selectors.artifacts import ArtifactSummary, artifacts_by_task
from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.signals import brief_wanted
from orchestrator_site.kernel.text import one_line, quoted, shortened
from tasks.choices import Status
from tasks.models import Project, Task
from tasks.roles import Catalogue, Role, catalogue
from tasks.selectors.gates import GateState, gates_on
from tasks.selectors.resources import Need, needs_of

_HEADING = re.compile(r"^(\s*)#", re.MULTILINE)
"""In a role, which is an instruction and so not quoted, but has no sections of the brief either."""
DEFAULT_CHARS = 12_000
SMALLEST_CHARS = 1_000
_MET_CHARS = 200

_needs = Compiled(
    lambda task: (
        Task.objects.filter(dependents__task=task)
        .distinct()
        .order_by("id")
        .only("public_id", "title", "status", "summary", "is_leaf")
    )
)


@dataclass(frozen=True, slots=True)
class Links:
    """How the reader of a brief gets earlier artifacts; each has an `{id}`. The defaults are for assistants."""

    artifact: str = "orchestrator_read_artifact(artifact_id='{id}')"
    synthesis: str = "orchestrator_synthesize_results(parent_task_id='{id}')"


ASSISTANT = Links()


@dataclass(slots=True)
class Brief:
    """The sections of a brief in order, and the names of those that did not fit."""

    sections: list[tuple[str, str]] = field(default_factory=list)
    omitted: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n\n".join(f"## {title}\n{body}" for title, body in self.sections)


def brief_of(
    task: Task,
    *,
    max_chars: int | None = None,
    roles: Catalogue | None = None,
    links: Links = ASSISTANT,
    is_claimed: bool = False,
) -> Brief:
    """Return the brief of a task, at most `max_chars` characters long (default 12,000).

    `is_claimed`: it goes to whoever has claimed the task.
    What does not fit is cut at a line or left out, and named in `omitted` with the way to read it.
    """
    roles = roles or catalogue(task.project)
    budget = max(max_chars or DEFAULT_CHARS, SMALLEST_CHARS)
    sections = [
        *([("Answer: read this first", quoted(task.answer))] if task.answer else []),
        *([("Reviewer's comment: address this first", quoted(task.review_comment))] if task.review_comment else []),
        ("Task", _task(task)),
        *_gates(task),
        *([("Tried before", tried)] if (tried := tried_in_words(task)) else []),
        ("Role", _role(roles.roles.get(task.specialist), task.specialist)),
        *_from_higher_apps(task, is_claimed),
        *_dependencies(task, links),
        *_line_of_parents(task),
        *_own_earlier_work(task, links),
    ]
    return _fitted(sections, budget)


def _task(task: Task) -> str:
    lines = [
        f"Title: {one_line(task.title)} ({task.public_id}, {task.complexity}, priority {task.priority_word})",
        "",
        quoted(task.description),
    ]
    if task.effort:
        lines.append(f"\nEstimated effort: {one_line(task.effort)}")
    if task.due:
        lines.append(f"\nDue: {task.due.isoformat(timespec='minutes')}")
    if resources := ", ".join(map(_resource, needs_of(task))):
        lines.append(f"\nResources: {resources}")
    if task.context:
        lines.append(f"\nContext:\n{quoted(task.context)}")
    return "\n".join(lines)


def _gates(task: Task) -> list[tuple[str, str]]:
    lines = [f"- {state.gate.name}: {_state(state)}" for state in gates_on(task)]
    return [("Gates: met before it can be completed", "\n".join(lines))] if lines else []


def _state(state: GateState) -> str:
    return f"met.\n{quoted(shortened(state.met_by, _MET_CHARS))}" if state.met else f"{state.asks}. {state.next}"


def _resource(need: Need) -> str:
    name = f"{need.resource.name} ({one_line(need.resource.title)})" if need.resource.title else need.resource.name
    return f"{name}, yours under number {need.own.number}" if need.own else name


def _role(role: Role | None, name: str) -> str:
    if role is None:
        return f"You work as {name or 'the one who puts the parts together'}."
    parts = [role.role_definition, _listed("Expertise", role.expertise), _listed("Approach", role.approach)]
    if role.output_format:
        parts.append(f"Output format: {role.output_format}")
    return _HEADING.sub(r"\1\\#", "\n".join("\n".join(part for part in parts if part).splitlines()))


def _listed(title: str, items: tuple[str, ...]) -> str:
    return "\n".join([f"{title}:", *(f"- {item}" for item in items)]) if items else ""


def _from_higher_apps(task: Task, is_claimed: bool) -> list[tuple[str, str]]:
    if task._state.adding:
        return []  # an example, for a preview
    answers: list[Any] = [sections for _, sections in brief_wanted.send(Task, task=task, is_claimed=is_claimed)]
    return [section for sections in answers for section in sections]


def _dependencies(task: Task, links: Links) -> list[tuple[str, str]]:
    if task._state.adding:
        return []  # an example, for a preview
    needs = _needs(task=task)
    artifacts = artifacts_by_task(needs)
    return [
        (f"Builds on {need.public_id}: {one_line(need.title)}", _delivered(need, artifacts.get(need.pk, []), links))
        for need in needs
    ]


def _delivered(task: Task, artifacts: list[ArtifactSummary], links: Links) -> str:
    lines = [] if task.status == Status.COMPLETED else [f"Status: {task.status}"]
    if task.summary:
        lines.append(quoted(task.summary))
    lines += [_how_to_read(work, links) for work in artifacts]
    if not task.is_leaf:
        lines.append(f"Made of subtasks: {links.synthesis.format(id=task.public_id)}")
    return "\n".join(lines) or "Nothing delivered."


def _how_to_read(artifact: ArtifactSummary, links: Links) -> str:
    paths = f" for {', '.join(map(one_line, artifact.paths[:5]))}" if artifact.paths else ""
    return f"- {artifact.kind}{paths}, {artifact.size}: {links.artifact.format(id=artifact.artifact_id)}"


def _line_of_parents(task: Task) -> list[tuple[str, str]]:
    sections = []
    above = task.parent
    while above is not None:
        text = quoted(above.description) + (f"\n(parent_task_id {above.public_id})" if above.is_plan else "")
        text = f"{text}\nContext:\n{quoted(above.context)}" if above.context else text
        sections.append(("Plan" if above.is_plan else f"Part of: {one_line(above.title)}", text))
        above = above.parent
    return sections[::-1]


def _own_earlier_work(task: Task, links: Links) -> list[tuple[str, str]]:
    if not task.summary:
        return []  # never delivered
    artifacts = artifacts_by_task([task]).get(task.pk, [])
    lines = [quoted(task.summary), *(_how_to_read(work, links) for work in artifacts)]
    return [("Delivered for this task before", "\n".join(lines))]


def _fitted(sections: list[tuple[str, str]], budget: int) -> Brief:
    brief = Brief()
    left = budget
    for title, body in sections:
        space = left - len(title) - len("## \n\n\n")
        if len(body) <= space:
            brief.sections.append((title, body))
            left = space - len(body)
            continue
        kept = body[:space] if space >= 200 else ""
        if (line_end := kept.rfind("\n")) > space // 2:
            kept = kept[:line_end]
        if kept:
            brief.sections.append((title, kept))
        brief.omitted.append(f"{title}: {len(body) - len(kept):,} of {len(body):,} characters")
        left = max(0, space - len(kept))
    return brief


def preview(project: Project, role: Role, task_id: str) -> Brief:
    """Return the brief of a task as it would be with an unsaved role.

    The task is one of the project's by its id, or an example for this specialist.
    """
    chosen = Task.objects.filter(project=project, public_id=task_id).select_related("project", "parent__parent")
    task = (chosen.first() if task_id else None) or _example_task(project, role.name)
    return brief_of(task, roles=Catalogue({task.specialist: role}))


def _example_task(project: Project, specialist: str) -> Task:
    plan = Task(
        project=project,
        public_id="task_00000000",
        title="Export invoices",
        description="People can take their invoices with them, as one file per year.",
    )
    return Task(
        project=project,
        parent=plan,
        public_id=f"{specialist or 'specialist'}_000000",
        title="Write the invoices of a year to one file",
        description="A person picks a year and gets a file with all invoices of it, in the order of their dates.\n"
        "Empty years give an empty file, not an error.",
        context="Amounts are kept in cents. The page is /invoices/.",
        effort="half a day",
        specialist=specialist,
    )
