"""Who acts: every service takes an actor, and every event names one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator_site.kernel.errors import Forbidden
from orchestrator_site.kernel.identity import EVERYTHING, Principal, Scope, require

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from tasks.models import Event, Project, Session, Waiver


@dataclass(frozen=True, slots=True)
class Actor:
    """An assistant in its session, a person, or the system itself.

    `name` is what the connection proved (`ada/laptop`), never what a client calls itself. `only_task` is the primary
    key of the one task that an agent in a run may change.
    """

    kind: str
    name: str
    session: Session | None = None
    scopes: frozenset[Scope] = EVERYTHING
    only_task: int | None = None

    @classmethod
    def assistant(cls, session: Session, scopes: frozenset[Scope] = EVERYTHING, only_task: int | None = None) -> Actor:
        name = session.principal or "assistant"
        return cls(kind="assistant", name=name, session=session, scopes=scopes, only_task=only_task)

    @classmethod
    def person(cls, user: AbstractBaseUser | AnonymousUser, scopes: frozenset[Scope] = EVERYTHING) -> Actor:
        return cls(kind="person", name=user.get_username(), scopes=scopes)

    @classmethod
    def outside(cls, principal: Principal) -> Actor:
        kind = "assistant" if principal.token_id else "person"
        return cls(kind=kind, name=principal.name, scopes=principal.scopes, only_task=principal.task_id)

    @classmethod
    def system(cls, name: str = "orchestrator") -> Actor:
        return cls(kind="system", name=name)

    @classmethod
    def of(cls, row: Event | Waiver) -> Actor:
        """Return who did what a row says; to compare, not to act."""
        return cls(kind=row.actor_kind, name=row.actor_name, session=row.session, scopes=frozenset())

    def is_same(self, other: Actor) -> bool:
        """Whether both are one: the same person, session, connection or access token."""
        theirs, ours = other.session, self.session
        if theirs is None or ours is None:
            return (theirs, other.kind, other.name) == (ours, self.kind, self.name)
        has_one_token = bool(ours.token_id) and theirs.token_id == ours.token_id
        return has_one_token or theirs.wire == ours.wire

    @property
    def project(self) -> Project:
        """The project of the assistant's session; a person and the system have none of their own."""
        if self.session is None:
            raise ValueError(f"{self.name} has no session.")
        return self.session.project

    @property
    def session_id(self) -> str:
        return self.session.public_id if self.session else ""

    @property
    def label(self) -> str:
        """The name that others see: the client's own, which proves nothing but says more."""
        return (self.session.client_name if self.session else "") or self.name

    def require(self, scope: Scope) -> None:
        require(self.scopes, scope)

    def require_task(self, pk: int | None) -> None:
        """Check that the actor may change this task. Raises Forbidden for an agent in a run whose task is another."""
        if self.only_task not in (None, pk):
            raise Forbidden(
                "An agent in a run may only do its own subtask.",
                next="Complete it, and say there what else is needed.",
            )
