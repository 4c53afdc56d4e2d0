"""Open, find, touch and end the sessions of connections."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from orchestrator_site.kernel import ids, read_only
from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate
from orchestrator_site.kernel.errors import Conflict, Hint, NotFound
from orchestrator_site.kernel.identity import Principal, Scope
from orchestrator_site.kernel.text import storable
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Project, Session
from tasks.services import leases

_by_handle = Compiled(
    lambda public_id, token_id: (
        Session.objects.select_related("project").filter(public_id=public_id, token_id=token_id).order_by()
    )
)
_current = Compiled(
    lambda connection_id: (
        Session.objects.select_related("project")
        .filter(connection_id=connection_id, ended_at__isnull=True)
        .order_by("-selected_at", "-id")[:1]
    )
)
_open_one = Compiled(
    lambda connection_id, project: (
        Session.objects.select_related("project")
        .filter(connection_id=connection_id, project=project, ended_at__isnull=True)
        .order_by()
    )
)
_select = CompiledUpdate(lambda pk: Session.objects.filter(pk=pk))

TOUCH_EVERY = timedelta(minutes=1)  # a session is touched at most this often, so that reads stay free of writes


def open_session(
    *,
    project: Project,
    principal: Principal,
    connection_id: str,
    client_name: str = "",
    client_version: str = "",
    model: str = "",
) -> tuple[Session, bool]:
    """Return the open session of a connection on a project, and whether it is new.

    While the database is read-only, a new one is only for reading: it has no row and no id.
    """
    if found := open_one(connection_id, project):
        # Calls of a connection belong to the session that it opened last.
        if not read_only.is_on():
            _select({"selected_at": timezone.now()}, pk=found.pk)
        return found, False
    session = Session(
        project=project,
        connection_id=connection_id,
        principal=principal.name[:200],
        token_id=principal.token_id,
        client_name=storable(client_name[:200]),
        client_version=storable(client_version[:100]),
        model=storable(model[:100]),
    )
    if read_only.is_on():
        return session, True
    session.public_id = ids.session_id()
    try:
        with transaction.atomic():
            session.save(force_insert=True)
            events.record(actor=Actor.assistant(session), verb=Verb.OPEN_SESSION, project=project)
    except IntegrityError:
        # Another thread of the same connection opened it between the read and the write.
        found = open_one(connection_id, project)
        if found is None:
            raise
        return found, False
    return session, True


def declare_model(session: Session, model: str) -> None:
    """Keep the language model that a client declares for its session; the last one counts."""
    model = storable(model[:100])
    if session.pk is None or read_only.is_on() or session.model == model:
        return
    Session.objects.filter(pk=session.pk).update(model=model)
    session.model = model


def current(connection_id: str) -> Session | None:
    return _current.first(connection_id=connection_id)


def by_handle(public_id: str, principal: Principal) -> Session:
    """Return an open session by its handle, which only works for the token that opened it.

    Raises NotFound for an unknown handle, Conflict for one whose session has ended.
    """
    is_storable = "\x00" not in public_id
    session = _by_handle.first(public_id=public_id, token_id=principal.token_id) if is_storable else None
    if session is None or principal.project_id not in (None, session.project_id):
        raise NotFound("session_id: no such session.", hint=Hint.OPEN_SESSION)
    if session.ended_at is not None:
        raise Conflict("session_id: this session has ended.", hint=Hint.OPEN_SESSION)
    return session


def touch(session: Session) -> None:
    """Record that a session is alive and renew its leases, where that was not done just before.

    A time that is far ahead is from before the clock was set back.
    """
    now = timezone.now()
    is_known = abs(now - session.last_seen_at) < min(TOUCH_EVERY, leases.duration(session.project) / 10)
    if is_known or read_only.is_on():
        return
    with transaction.atomic():
        Session.objects.filter(pk=session.pk, ended_at__isnull=True).update(last_seen_at=now)
        leases.renew(session)
    session.last_seen_at = now


def end_connection(connection_id: str) -> int:
    """End every session of a closed connection, with their leases; return how many.

    While the database is read-only none is ended; the leases expire.
    """
    if read_only.is_on():
        return 0
    beside_it = Q(connection_id__startswith=f"{connection_id}/")
    return _end(Session.objects.filter(Q(connection_id=connection_id) | beside_it))


def end_session(*, session: Session, principal: Principal) -> bool:
    """End a session and its leases; return False where it has ended already.

    Raises Forbidden for another token's, unless the principal has `admin`.
    """
    rows = Session.objects.filter(pk=session.pk)
    if principal.token_id and session.token_id == principal.token_id:
        return bool(_end(rows))
    principal.require(Scope.ADMIN)
    return bool(_end(rows, by=Actor.outside(principal)))


def _end(rows: QuerySet[Session], by: Actor | None = None) -> int:
    now = timezone.now()
    with transaction.atomic():
        rows = rows.filter(ended_at__isnull=True)
        sessions = list(rows.select_for_update(of=("self",)).select_related("project"))
        rows.update(ended_at=now)
        leases.end_of(sessions, now)
        for session in sessions:
            events.record(actor=by or Actor.assistant(session), verb=Verb.END_SESSION, project=session.project)
    return len(sessions)


def projects_of(principal: Principal) -> list[Project]:
    """Return the project that a token is bound to, or the first few that it was used on."""
    if principal.project_id is not None:
        return list(Project.objects.filter(pk=principal.project_id))
    if not principal.token_id:
        return []
    return list(Project.objects.filter(sessions__token_id=principal.token_id).distinct().order_by("id")[:2])


def open_one(connection_id: str, project: Project) -> Session | None:
    return _open_one.first(connection_id=connection_id, project=project)
