"""Who acts: every service is given an actor, and every event names one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from tasks.models import Session


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that changes rows: an assistant in its session, a person, or the system itself."""

    kind: str
    name: str
    session: Session | None = None

    @classmethod
    def assistant(cls, session: Session) -> Actor:
        """The assistant at the other end of a session."""
        return cls(kind="assistant", name=session.client_name or "assistant", session=session)

    @classmethod
    def person(cls, user: AbstractBaseUser | AnonymousUser) -> Actor:
        """A person who signed in."""
        return cls(kind="person", name=user.get_username())

    @classmethod
    def system(cls, name: str = "orchestrator") -> Actor:
        """The product itself: derived changes, maintenance, commands."""
        return cls(kind="system", name=name)
