"""The assistant at the other end of a connection, and the project and session of its calls."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.errors import Conflict, Forbidden, Hint, Invalid
from orchestrator_site.kernel.identity import Principal, Scope
from orchestrator_site.kernel.serving import Serving
from tasks.identity.actor import Actor
from tasks.models import Project, Session
from tasks.services import projects, sessions


@dataclass(slots=True)
class Caller:
    """An assistant that calls. Everything it knows is in the database too, so that a new worker can continue.

    `connection_id` is empty where the transport has no connections, as HTTP. Then a session is found by its handle:
    initialize_session always opens a new one, so that two windows with one token stay apart, and calls without a handle
    share one session of the token.
    """

    principal: Principal
    connection_id: str = ""
    client_name: str = ""
    client_version: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    working_directory: str = ""
    worked_in: int | None = None  # the primary key of the call's session, once that is known
    serving: Serving | None = None  # the process that serves the call, where it can be restarted

    def actor(self, handle: str | None = None) -> Actor:
        """Return who changes something. Raises as `session` does, and Transient while the database is read-only."""
        return self._acting(self.session(handle))

    def _acting(self, session: Session) -> Actor:
        return Actor.assistant(_kept(session), self.principal.scopes, self.principal.task_id)

    def session(self, handle: str | None = None) -> Session:
        """Return the session of a call: the handle's, else the caller's own, which is opened where there is none.

        Raises Invalid where the project is unclear, NotFound or Conflict for a bad handle.
        """
        if handle:
            session = sessions.by_handle(handle, self.principal)
        elif self.connection_id:
            session, _ = self.open(None)
        else:
            session, _ = self._open(self._project_without_folder(), self._shared)
        self._enter(session)
        return session

    def _enter(self, session: Session) -> None:
        self.worked_in = session.pk
        sessions.touch(session)

    def open(self, project_dir: str | None, *, key: str | None = None, is_own: bool = False) -> tuple[Session, bool]:
        """Return the caller's session on a project, and whether it is new.

        Without a folder, the connection's last session is resumed, or one opened on the connection's project. Without
        a connection every call opens a session; a retry with the same idempotency key returns the same one. `is_own`
        opens a session beside it, for one of several assistants on a connection, which sends its handle. Raises
        Invalid where the project is unclear, and as `_require_lasting` does.
        """
        if is_own and self.connection_id:
            project = self.session().project if project_dir is None else self._project_of(project_dir)
            opened = self._open(project, f"{self.connection_id}/{self._new_handle(key)}")
        else:
            going_on = sessions.current(self.connection_id) if self.connection_id and project_dir is None else None
            if going_on is not None:
                self.worked_in = going_on.pk
                return going_on, False
            opened = self._open(self._project_of(project_dir), self.connection_id or self._new_handle(key))
        if project_dir is not None:
            self._require_lasting(opened[0])
        return opened

    def _require_lasting(self, session: Session) -> None:
        """Raise Transient where the choice of a project could not be kept, and later calls would be on another one."""
        if not read_only.is_on() or (session.pk and not self.connection_id):
            return
        with suppress(Invalid):
            if self.session().project == session.project:
                return
        raise read_only.refused()

    def _new_handle(self, key: str | None) -> str:
        if self.principal.task_id is not None:
            return self._shared  # a run has one session, which holds its task
        seed = f"{self.principal.token_id} {key}" if key else secrets.token_hex()
        return f"handle:{sha256(seed.encode()).hexdigest()[:32]}"

    def project(self) -> Project:
        return self.session().project

    def folder_of(self, project: Project) -> Path:
        """Return the folder on this machine in which the caller works on a project.

        Raises Forbidden for a remote caller, whose files are elsewhere, Invalid where the project has no folder here.
        """
        if self.principal.token_id or not self.connection_id:
            raise Forbidden(
                "path: only an assistant that was started on this machine (mcp_serve) can name its files.",
                next="Send the bytes in parts (begin, append), and read them by ranges.",
            )
        return projects.folder_of(project, environ=self.environ, working_directory=self.working_directory)

    def on(self, project: Project, handle: str | None = None) -> Actor:
        """Return this caller in its session on a known project.

        Raises NotFound for a project of other tokens and for an unknown handle, Conflict for a handle of another
        project's session or of one that has ended.
        """
        self.principal.require_project(project.pk)
        session = sessions.by_handle(handle, self.principal) if handle else self._open(project, self._shared)[0]
        if session.project_id != project.pk:
            raise Conflict(
                "session_id: this session is on another project.", next=f"Open one on {project.slug}, or omit it."
            )
        self._enter(session)
        return self._acting(session)

    def seen_on(self, project: Project, handle: str | None = None) -> Session | None:
        """Return a reader's session on a project; None where it has none there. Raises as `sessions.by_handle` does."""
        seen = sessions.by_handle(handle, self.principal) if handle else sessions.open_one(self._shared, project)
        self.worked_in = seen.pk if seen else None
        return seen

    def open_on(self, project: Project) -> Session:
        """Open a new session on a project. Raises NotFound for one of other tokens."""
        return _kept(self._open(project, self._new_handle(None))[0])

    @property
    def _shared(self) -> str:
        """The connection that all calls of a token without a handle share."""
        return f"token:{self.principal.token_id}"

    def reach(self, look_up: Callable[[], Project | None]) -> Project:
        """Return the project of an id in a URI: the caller's own, or where a token has several, the one looked up.

        Raises Invalid where the project is unclear.
        """
        if self.connection_id or self.principal.project_id is not None:
            return self.project()
        return look_up() or self.project()

    def _open(self, project: Project, connection_id: str) -> tuple[Session, bool]:
        self.principal.require_project(project.pk)
        session, is_new = sessions.open_session(
            project=project,
            principal=self.principal,
            connection_id=connection_id,
            client_name=self.client_name,
            client_version=self.client_version,
        )
        self.worked_in = session.pk
        return session, is_new

    def _project_of(self, project_dir: str | None) -> Project:
        """Find the project of a folder; a remote caller has none, and its token determines the project."""
        if project_dir is None and self.principal.token_id:
            return self._project_without_folder()
        if self.principal.project_id is not None and project_dir is not None:
            return projects.bound_project(self.principal.project_id, project_dir)
        try:
            folder = projects.find_folder(
                explicit=project_dir, environ=self.environ, working_directory=self.working_directory
            )
        except Invalid:
            # Who may make no project learns nothing about folders: one that is missing is like one without a project.
            self.principal.require(Scope.WRITE)
            raise
        return projects.project_at(folder, self.principal)

    def _project_without_folder(self) -> Project:
        found = sessions.projects_of(self.principal)
        if len(found) == 1:
            return found[0]
        if read_only.is_on():  # it could open no session on any
            raise read_only.refused()
        raise Invalid(
            f"session_id: cannot determine the project; the access token has worked on {len(found) or 'none'}.",
            hint=Hint.NAME_PROJECT,
        )


def _kept(session: Session) -> Session:
    """Return a session that can change something. Raises Transient for one that is only for reading."""
    if session.pk is None:
        raise read_only.refused()
    return session
