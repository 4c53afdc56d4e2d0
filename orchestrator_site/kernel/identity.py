"""Who a connection authenticated as, and what it may do; never what a client says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser, User

from orchestrator_site.kernel.errors import Forbidden, NotFound


class Scope(StrEnum):
    """What may be done: read, write, review, administer, and vouch for what a command did."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    ADMIN = "admin"
    ATTEST = "attest"


EVERYTHING = frozenset(Scope) - {Scope.ATTEST}
"""What an assistant on this machine may do; to vouch for its own work it needs a token that says so."""
_INCLUDED = {
    Scope.READ: {Scope.READ},
    Scope.WRITE: {Scope.WRITE, Scope.READ},
    Scope.REVIEW: {Scope.REVIEW, Scope.READ},
    Scope.ADMIN: set(EVERYTHING),
    Scope.ATTEST: {Scope.ATTEST, Scope.READ},
}


def with_included(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return scopes with those they include: who may write may read."""
    return frozenset(each for scope in scopes for each in _INCLUDED[scope])


def in_order(scopes: Iterable[str]) -> list[str]:
    return [scope.value for scope in Scope if scope in set(scopes)]


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, or one of a person's access tokens.

    `name` is what events record: `ada` for a person and for stdio, `ada/laptop` for the token named laptop. `token_id`
    is empty without a token; `project_id` is the only project that a bound token may use, `task_id` the only task that
    a run's token may change.
    """

    name: str
    scopes: frozenset[Scope] = EVERYTHING
    user_id: int | None = None
    token_id: str = ""
    project_id: int | None = None
    task_id: int | None = None

    def require(self, scope: Scope) -> None:
        require(self.scopes, scope)

    def require_project(self, project_id: int) -> None:
        """Check that the project may be used; to others it does not exist. Raises NotFound."""
        if self.project_id not in (None, project_id):
            raise NotFound(
                "This access token is for another project.",
                next="Leave the project out, or ask the person who runs the server for a token for it.",
            )


def scopes_of(user: User | AnonymousUser) -> frozenset[Scope]:
    """Return a person's scopes: everything for superusers, write, review and attest for staff, read for others."""
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset(Scope)
    return with_included([Scope.WRITE, Scope.REVIEW, Scope.ATTEST] if user.is_staff else [Scope.READ])


def person(user: User) -> Principal:
    return Principal(name=user.get_username(), scopes=scopes_of(user), user_id=user.pk)


def require(scopes: frozenset[Scope], scope: Scope) -> None:
    if scope not in scopes:
        raise Forbidden(
            f"This needs the scope {scope.value!r}; the access token has: {', '.join(in_order(scopes)) or 'none'}.",
            next="Tell the person who runs the server, who can do it in the browser or make a token that may.",
            details={"scope": scope.value},
        )
