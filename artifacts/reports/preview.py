"""The brief of a task with a role that is still being edited."""

from __future__ import annotations

from artifacts.reports.brief import Brief, brief_of
from tasks.models import Project, Task
from tasks.roles import Catalogue, Role


def preview(project: Project, role: Role, task_id: str) -> Brief:
    """Return the brief of a task as it would be with an unsaved role.

    The task is one of the project's by its id, or an example for this specialist.
    """
    chosen = Task.objects.filter(project=project, public_id=task_id).select_related("project", "parent__parent")
    task = (chosen.first() if task_id else None) or made_up_task(project, role.name)
    return brief_of(task, roles=Catalogue({task.specialist: role}))


def made_up_task(project: Project, specialist: str) -> Task:
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
