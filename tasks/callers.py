"""Who is at the other end of a connection, and which project and session its calls belong to."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.models import Project, Session
from tasks.services import projects, sessions


@dataclass(slots=True)
class Caller:
    """One connection of an assistant. Everything it knows is in the database too, so a new worker can go on."""

    connection_id: str
    client_name: str = ""
    client_version: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    working_directory: str = ""

    def session(self, handle: str | None = None) -> Session:
        """Return the session that a call belongs to: the one of the handle, else the connection's own.

        A connection that never called initialize_session gets one on the project that it stands in. Raises Invalid
        where no project can be told, NotFound or Conflict for a bad handle.
        """
        session = sessions.by_handle(handle) if handle else self.open(None)[0]
        sessions.touch(session)
        return session

    def open(self, project_dir: str | None) -> tuple[Session, bool]:
        """Return the connection's session on a project, and whether it was opened just now.

        Without a folder the session that the connection opened last goes on; a first one is opened on the project
        that the connection stands in. Raises Invalid where no project can be told.
        """
        going_on = sessions.current(self.connection_id) if project_dir is None else None
        if going_on is not None:
            return going_on, False
        root = projects.find_root(explicit=project_dir, environ=self.environ, working_directory=self.working_directory)
        return sessions.open_session(
            project=projects.project_at(root),
            connection_id=self.connection_id,
            client_name=self.client_name,
            client_version=self.client_version,
        )

    def project(self) -> Project:
        """Return the project of the connection's session."""
        return self.session().project
