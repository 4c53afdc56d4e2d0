"""Who a connection proved to be, and what it may do. What a client says of itself is never a part of this."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser, User

from orchestrator_site.kernel.errors import Forbidden, NotFound


class Scope(StrEnum):
    """What may be done: look, work, judge the work of others, rule the site."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    ADMIN = "admin"


EVERYTHING = frozenset(Scope)
_INCLUDED = {
    Scope.READ: {Scope.READ},
    Scope.WRITE: {Scope.WRITE, Scope.READ},
    Scope.REVIEW: {Scope.REVIEW, Scope.READ},
    Scope.ADMIN: set(Scope),
}


def with_included(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return some scopes with those that they make no sense without: who may write may read."""
    return frozenset(each for scope in scopes for each in _INCLUDED[scope])


def in_order(scopes: Iterable[str]) -> list[str]:
    """Return the names of scopes from the least to the most."""
    return [scope.value for scope in Scope if scope in set(scopes)]


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, or one of a person's access tokens.

    `name` is what events say: `ada` for a person and for the local pipe, `ada/laptop` for the token named laptop.
    `token_id` is empty where no token was used; `project_id` is the only project that a bound token may touch.
    """

    name: str
    scopes: frozenset[Scope] = EVERYTHING
    user_id: int | None = None
    token_id: str = ""
    project_id: int | None = None

    def require(self, scope: Scope) -> None:
        """Check that this may be done.

        Raises Forbidden.
        """
        require(self.scopes, scope)

    def require_project(self, project_id: int) -> None:
        """Check that a project may be touched; to others, it does not exist.

        Raises NotFound.
        """
        if self.project_id not in (None, project_id):
            raise NotFound(
                "This access token is for another project.",
                next="Leave the project out, or ask the person who runs the server for a token for it.",
            )


def scopes_of(user: User | AnonymousUser) -> frozenset[Scope]:
    """Return what a person may do: a superuser everything, staff work and review, everybody else look."""
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return EVERYTHING
    return with_included([Scope.WRITE, Scope.REVIEW] if user.is_staff else [Scope.READ])


def person(user: User) -> Principal:
    """Return a person who signed in as a principal."""
    return Principal(name=user.get_username(), scopes=scopes_of(user), user_id=user.pk)


def require(scopes: frozenset[Scope], scope: Scope) -> None:
    """Check that a scope is among those that were granted.

    Raises Forbidden.
    """
    if scope not in scopes:
        raise Forbidden(
            f"This needs the scope {scope.value!r}; the access token has: {', '.join(in_order(scopes)) or 'none'}.",
            next="Tell the person who runs the server, who can do it in the browser or make a token that may.",
            details={"scope": scope.value},
        )
