"""Who is at the other end of a connection, and which project and session its calls belong to."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.actors import Actor
from tasks.models import Project, Session


@dataclass(slots=True)
class Caller:
    """One connection of an assistant. Everything it knows is in the database too, so a new worker can go on."""

    connection_id: str
    client_name: str = ""
    client_version: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    working_directory: str = ""

    def session(self) -> Session:
        """Return the connection's session, opening one on the project that it stands in.

        Raises Invalid where no project can be told.
        """
        raise NotImplementedError

    def project(self) -> Project:
        """Return the project of the connection's session."""
        return self.session().project

    def actor(self) -> Actor:
        """Return who acts."""
        return Actor.assistant(self.session())
