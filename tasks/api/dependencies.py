"""/tasks/{task_id}/dependencies."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import invalid
from orchestrator_site.rest.fields import Body, String, StringList
from orchestrator_site.rest.idempotency import Reply
from tasks import roles
from tasks.api.base import SESSION
from tasks.api.serializers import DependencyShape
from tasks.api.tasks import TaskApi
from tasks.api.verbs import TaskAnswer
from tasks.models import Dependency, Task
from tasks.selectors.find import tasks_by_ids
from tasks.services.edit import Changes, edit
from tasks.services.plan_check import DEPENDENCIES_LIMIT


class DependenciesBody(Body):
    task_ids = StringList(min_length=1, max_length=DEPENDENCIES_LIMIT)
    session_id = String(required=False)


class DependencyViews(TaskApi):
    """Dependencies, each by the id of the other task."""

    queryset = Dependency.objects.all()  # type: ignore[assignment]
    serializer_class = TaskAnswer  # type: ignore[assignment]
    filter_backends = ()
    lookup_field = "depends_on__public_id"
    lookup_url_kwarg = "needed_id"
    bodies = {"create": DependenciesBody}
    answers = {"list": DependencyShape}
    ordering = "created_at"
    conditional = ()
    request_headers = {"destroy": (SESSION,)}

    def list(self, request: Request, task_id: str) -> Response:
        """List a task's dependencies, its own and those of its parents."""
        rows = self.task(task_id).dependencies.select_related("depends_on", "inherited_from")
        names = [f"{end}__{name}" for end in ("depends_on", "inherited_from") for name in ("public_id", "title")]
        return self.listed(rows.only(*names, "depends_on__status", "depends_on__specialist", "task_id", "created_at"))

    def create(self, request: Request, task_id: str) -> Response:
        """Add dependencies to a task."""
        task = self.task(task_id)
        found = tasks_by_ids(task.project, self.given()["task_ids"])
        missing = [
            {"at": f"task_ids[{number}]", "problem": f"no task {sent[:80]!r} in this project"}
            for number, sent in enumerate(self.given()["task_ids"])
            if sent not in found
        ]
        if missing:
            raise invalid(missing, next="Send whole ids of tasks in this project.")
        return self._edit(task, Changes(add_dependencies=list(found.values())))

    def destroy(self, request: Request, task_id: str, needed_id: str) -> Response:
        """Remove a dependency."""
        task, need = self.task(task_id), self.task(needed_id)
        return self._edit(task, Changes(remove_dependencies=[need]))

    def _edit(self, task: Task, changes: Changes) -> Response:
        actor, catalogue = self.actor(task.project), roles.catalogue(task.project)

        def produce() -> Reply:
            edit(task=task, actor=actor, changes=changes, catalogue=catalogue)
            return Reply(self.shape({"task": self.task(task.public_id)}))

        return self.once(produce, project=task.project)
