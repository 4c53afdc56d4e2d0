"""The base of REST views of a project: who acts, in which session, on which project."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Invalid, invalid
from orchestrator_site.rest import idempotency
from orchestrator_site.rest.base import Api
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.query_params import ID, Parameter
from tasks.identity.actor import Actor
from tasks.models import Project, Session
from tasks.services import sessions
from tasks.services.caller import Caller
from tasks.services.idempotency import run_once, run_once_apart

SESSION_HEADER = "Session-Id"
SESSION = Parameter(SESSION_HEADER, "The token's session that the request belongs to, where it has several.", ID)


class ProjectApi(Api):
    """URLs of what belongs to projects."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Keep the session of a reader alive, with what it holds."""
        super().initial(request, *args, **kwargs)
        handle = request.headers.get(SESSION_HEADER)
        if self.action_name and handle and request.method in ("GET", "HEAD") and self.principal.token_id:
            sessions.touch(sessions.by_handle(handle, self.principal))

    def headers_of(self, action: str, method: str) -> tuple[Parameter, ...]:
        """Add the session where the body may name it too."""
        body = self.bodies.get(action)
        session = (SESSION,) if method != "GET" and body and "session_id" in body().fields else ()
        return (*session, *super().headers_of(action, method))

    def actor(self, project: Project) -> Actor:
        """Return who acts on a project: an assistant in its session there, or the person who signed in.

        Raises NotFound or Conflict for a session that is not this token's or not on this project.
        """
        handle = self._handle()
        if self.principal.token_id:
            return Caller(self.principal).on(project, handle)
        if handle:
            raise Invalid("session_id: a person who signed in has no session.", next="Omit it.")
        return Actor.outside(self.principal)

    def once(
        self,
        produce: Callable[[], Reply],
        *,
        project: Project | None,
        actor: Actor | None = None,
        is_apart: bool = False,
        **said: Any,
    ) -> Response:
        """Do a write once for each Idempotency-Key; `actor` is given where the response is for its session alone.

        `is_apart` keeps what takes long, and guards itself, out of the transaction of the key. `said` replaces fields
        of the body that are too large for the fingerprint of the request.
        """
        return idempotency.once(
            self.request,
            self.principal,
            produce,
            run_once=partial(run_once_apart if is_apart else run_once, project=project),
            holder=actor.session_id if actor else "",
            body={**self.given(), **said},
        )

    def visible(self, rows: QuerySet[Any], *, project: str = "project_id") -> QuerySet[Any]:
        only = self.principal.project_id
        return rows if only is None else rows.filter(**{project: only})

    def project(self, slug: str) -> Project:
        found: Project = self.one(self.visible(Project.objects.all(), project="pk"), "project", slug, field="slug")
        return found

    def project_said(self) -> Project:
        """Return the project that the body names; the one of a bound token where it names none.

        Raises NotFound, or Invalid where there is neither: it is never guessed.
        """
        slug = self.given().get("project")
        if slug is not None:
            return self.project(slug)
        if self.principal.project_id is None:
            raise invalid([{"at": "project", "problem": "is required: the slug of a project"}])
        return Project.objects.get(pk=self.principal.project_id)

    def reading_session(self, project: Project) -> Session | None:
        """Return the session of a reader: the one it names, else the one that its token's nameless calls share.

        Raises NotFound or Conflict for a bad handle.
        """
        if not self.principal.token_id:
            return None
        return Caller(self.principal).seen_on(project, self.request.headers.get(SESSION_HEADER))

    def _handle(self) -> str | None:
        header, said = self.request.headers.get(SESSION_HEADER), self.given().get("session_id")
        if header and said and header != said:
            raise Invalid(f"session_id: differs from the header {SESSION_HEADER}.", next="Send one of the two.")
        return said or header
