"""Who acts: every service is given an actor, and every event names one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator_site.kernel.identity import EVERYTHING, Principal, Scope, require

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from tasks.models import Project, Session


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that changes rows: an assistant in its session, a person, or the system itself.

    `name` is what the connection proved (`ada/laptop`), never what a client calls itself.
    """

    kind: str
    name: str
    session: Session | None = None
    scopes: frozenset[Scope] = EVERYTHING

    @classmethod
    def assistant(cls, session: Session, scopes: frozenset[Scope] = EVERYTHING) -> Actor:
        """The assistant at the other end of a session."""
        return cls(kind="assistant", name=session.principal or "assistant", session=session, scopes=scopes)

    @classmethod
    def person(cls, user: AbstractBaseUser | AnonymousUser, scopes: frozenset[Scope] = EVERYTHING) -> Actor:
        """A person who signed in."""
        return cls(kind="person", name=user.get_username(), scopes=scopes)

    @classmethod
    def outside(cls, principal: Principal) -> Actor:
        """Whoever sends a request that belongs to no session: a person, or an access token for itself."""
        kind = "assistant" if principal.token_id else "person"
        return cls(kind=kind, name=principal.name, scopes=principal.scopes)

    @classmethod
    def system(cls, name: str = "orchestrator") -> Actor:
        """The product itself: derived changes, maintenance, commands."""
        return cls(kind="system", name=name)

    @property
    def project(self) -> Project:
        """The project of the assistant's session; a person and the system act on any and have none of their own."""
        if self.session is None:
            raise ValueError(f"{self.name} acts outside any session.")
        return self.session.project

    @property
    def session_id(self) -> str:
        """The handle of the session; empty outside any."""
        return self.session.public_id if self.session else ""

    @property
    def label(self) -> str:
        """How others know this worker: by the client's own name, which is more telling and proves nothing."""
        return (self.session.client_name if self.session else "") or self.name

    def require(self, scope: Scope) -> None:
        """Check that the actor may do this.

        Raises Forbidden.
        """
        require(self.scopes, scope)
