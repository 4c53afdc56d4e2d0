"""The coordinator: one call, in the words of seven actions, three scopes and three levels (docs/maintenance.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from django.utils import timezone

from maintenance.choices import Action, Cause, Level, ScopeWord, Severity
from maintenance.found import Found
from maintenance.models import Handover, Operation
from maintenance.selectors import scope as scopes
from maintenance.selectors.archivable import archivable
from maintenance.selectors.archived import to_restore
from maintenance.selectors.purgeable import purgeable
from maintenance.selectors.scan import causes_of_scan, causes_of_structure, scan
from maintenance.selectors.scope import Scope
from maintenance.selectors.structure import check
from maintenance.selectors.worker import is_running
from maintenance.services import operations
from maintenance.services.documents import update_documents
from maintenance.services.findings import record
from maintenance.services.handover import prepare
from maintenance.services.operations import Result, new_operation, note_progress
from maintenance.services.proposals import Progress, apply, token_of
from maintenance.services.resolve import resolve_done
from maintenance.services.switches import require_on
from maintenance.services.undo import perform_undo
from orchestrator_site.kernel.errors import Conflict, Invalid, invalid
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.actions import seen_as

LARGE = 10_000
"""Tasks of a scope above which more than the basic level goes to the worker."""
IN_CALL = 500
"""How many proposals one call does by itself, where no worker runs."""
_SAFE = frozenset({Cause.LEASE_OVER})
_SWITCHES = {
    Action.ARCHIVE: "maintenance.archive",
    Action.PURGE: "maintenance.purge",
    Action.UPDATE_DOCUMENTATION: "maintenance.status_documents",
    Action.PREPARE_HANDOVER: "handover.prepare",
}
_WITHOUT_PREVIEW = frozenset({Action.UPDATE_DOCUMENTATION, Action.PREPARE_HANDOVER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    action: Action
    scope: ScopeWord = ScopeWord.CURRENT_SESSION
    level: Level = Level.BASIC
    target: Task | None = None
    task_ids: tuple[str, ...] = ()
    apply: bool = False
    plan_token: str = ""
    since: int | None = None
    max_chars: int | None = None

    def said(self) -> dict[str, Any]:
        return {
            "target_task_id": self.target.public_id if self.target else None,
            "task_ids": list(self.task_ids),
            "apply": self.apply,
            "plan_token": self.plan_token,
            "since": self.since,
            "max_chars": self.max_chars,
        }


@dataclass(slots=True)
class Answer:
    """What a call found, would do or did. Where it went to the worker, `operation` says how far it is."""

    request: Request
    findings: list[Found] = field(default_factory=list)
    proposals: list[Found] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    plan_token: str = ""
    operation: Operation | None = None
    handover: Handover | None = None
    documents: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        is_lifecycle = self.request.action in (Action.ARCHIVE, Action.RESTORE, Action.PURGE)
        words = (each.proposal if is_lifecycle else each.cause.value for each in self.findings)
        return dict(sorted(Counter(words).items()))

    @property
    def text(self) -> str:
        return self.handover.text if self.handover else ""


def coordinate(*, project: Project, actor: Actor, request: Request) -> Answer:
    """Do what a call asks for, here or on the worker.

    Raises Invalid for arguments that do not fit together, Forbidden, NotFound for unknown ids, Conflict where the board
    changed since the preview.
    """
    _check(project, actor, request)
    scope = _scope_of(project, actor, request)
    if not _is_long(scope, request):
        return _in_call(scope, actor, request)
    if is_running():
        return Answer(request, operation=_queued(project, actor, request))
    answer = _in_call(scope, actor, request, limit=IN_CALL)
    answer.notes.append("No worker runs, so this was done within the call, up to a limit.")
    return answer


def _in_call(scope: Scope, actor: Actor, request: Request, limit: int | None = None) -> Answer:
    """Do it here. All but a preview has a row from before the first change on."""
    if _is_preview(request):
        return _perform(scope, actor, request, _no_progress, limit)
    operation = _operation(scope.project, actor, request)
    with operations.running(operation):
        answer = _perform(scope, actor, request, partial(note_progress, operation), limit)
    operations.finish(operation, _result(answer))
    answer.operation = operation
    return answer


def perform_queued(operation: Operation) -> Result:
    """Do on the worker what was queued."""
    said: dict[str, Any] = operation.request
    permissions = frozenset(map(Permission, said["scopes"]))
    actor = Actor(operation.actor_kind, operation.actor_name, operation.session, permissions)
    if "undo" in said:
        return perform_undo(operation, actor)
    task = Task.objects.select_related("project").filter(public_id=said.get("target_task_id") or "").first()
    request = Request(
        action=Action(operation.action), scope=ScopeWord(operation.scope), level=Level(operation.level), target=task,
        task_ids=tuple(said["task_ids"]), apply=bool(said["apply"]), plan_token=str(said["plan_token"]),
        since=said["since"], max_chars=said["max_chars"],
    )  # fmt: skip
    scope = _scope_of(operation.project, actor, request)
    answer = _perform(scope, actor, request, partial(note_progress, operation))
    return _result(answer)


def _check(project: Project, actor: Actor, request: Request) -> None:
    actor.require(Permission.READ if _is_preview(request) else Permission.WRITE)
    if request.action == Action.PURGE and request.apply:
        actor.require(Permission.ADMIN)
    if request.action in _SWITCHES and not (request.action == Action.ARCHIVE and request.task_ids):
        require_on(project, _SWITCHES[request.action])
    problems = []
    if request.scope == ScopeWord.SPECIFIC_SUBTASK and request.target is None:
        problems.append({"at": "target_task_id", "problem": "is required for specific_subtask"})
    if request.apply and not request.plan_token and _has_preview(request):
        problems.append({"at": "plan_token", "problem": "is required to apply: it comes from the preview"})
    if request.task_ids and not _has_preview(request):
        problems.append({"at": "task_ids", "problem": f"are not for {request.action}"})
    if problems:
        raise invalid(problems, next="Correct these; without apply, a call is a preview.")


def _has_preview(request: Request) -> bool:
    return request.action not in _WITHOUT_PREVIEW


def _is_preview(request: Request) -> bool:
    return not request.apply and _has_preview(request) and not _acts_at_once(request)


def _scope_of(project: Project, actor: Actor, request: Request) -> Scope:
    if request.scope == ScopeWord.SPECIFIC_SUBTASK and request.target is not None:
        return scopes.of_task(request.target)
    if request.scope == ScopeWord.FULL_PROJECT:
        return scopes.of_project(project)
    if actor.session is None:
        raise Invalid("scope: current_session is for assistants.", next="Send full_project or specific_subtask.")
    return scopes.of_session(actor.session)


def _is_long(scope: Scope, request: Request) -> bool:
    if request.level == Level.BASIC and not request.apply:
        return False
    return scope.is_everything and scope.tasks()[: LARGE + 1].count() > LARGE


def _perform(scope: Scope, actor: Actor, request: Request, progress: Progress, limit: int | None = None) -> Answer:
    answer = Answer(request)
    _ACTIONS[request.action](answer, scope, actor)
    if not _has_preview(request):
        return answer
    answer.plan_token = token_of([request.action, request.scope, scope.subject, request.level], answer.proposals)
    chosen = answer.proposals if request.apply else _safe(answer)
    if request.apply and answer.plan_token != request.plan_token:
        raise Conflict(
            "What this would do has changed since the preview.",
            next="Preview again, and apply with the new plan_token.",
            details={"plan_token": answer.plan_token},
        )
    if limit is not None and len(chosen) > limit:
        answer.notes.append(f"{len(chosen) - limit} of {len(chosen)} proposals are left: call again.")
        chosen = chosen[:limit]
    reason = f"{request.action.label} ({request.level})."
    answer.changes = apply(project=scope.project, proposals=chosen, actor=actor, reason=reason, progress=progress)
    resolve_done(project=scope.project, changes=answer.changes)
    _keep(answer, scope)
    return answer


def _safe(answer: Answer) -> list[Found]:
    """Return what the basic level does without a preview: it gives back what anyone could claim already."""
    return [each for each in answer.proposals if each.cause in _SAFE] if _acts_at_once(answer.request) else []


def _acts_at_once(request: Request) -> bool:
    return request.action == Action.SCAN_CLEANUP and request.level == Level.BASIC and not request.task_ids


def _keep(answer: Answer, scope: Scope) -> None:
    """Keep what was found, unless the call is a preview, which changes nothing."""
    request = answer.request
    causes = {
        Action.SCAN_CLEANUP: causes_of_scan(request.level),
        Action.VALIDATE_STRUCTURE: causes_of_structure(request.level),
    }.get(request.action)
    if causes is None or request.task_ids or _is_preview(request):
        return
    done = {(each["verb"], each["task_id"]) for each in answer.changes if "conflict" not in each}
    left = [each for each in answer.findings if (each.proposal, each.subject.partition(" ")[0]) not in done]
    record(scope=scope, causes=causes, found=left, now=timezone.now())


def _scan(answer: Answer, scope: Scope, actor: Actor) -> None:
    answer.findings = scan(scope, answer.request.level, timezone.now())
    answer.proposals = _chosen(_without_overlap(answer.findings), answer.request)


def _validate(answer: Answer, scope: Scope, actor: Actor) -> None:
    answer.findings = check(scope, answer.request.level, timezone.now())
    answer.proposals = _chosen([each for each in answer.findings if each.proposal], answer.request)


def _chosen(proposals: list[Found], request: Request) -> list[Found]:
    wanted = set(request.task_ids)
    return [each for each in proposals if not wanted or each.subject in wanted]


def _without_overlap(found: list[Found]) -> list[Found]:
    """Return what can be done together: one proposal per task, and no plan of which a task is still given back."""
    proposals: dict[str, Found] = {}
    for each in sorted(found, key=lambda each: each.proposal == "archive"):
        if each.proposal:
            proposals.setdefault(each.subject, each)
    touched = [each.task_pk for each in proposals.values() if each.task_pk and each.proposal != "archive"]
    plans = set(Task.objects.filter(pk__in=touched).order_by().values_list("root_id", flat=True))
    return [each for each in proposals.values() if each.proposal != "archive" or each.task_pk not in plans]


def _archive(answer: Answer, scope: Scope, actor: Actor) -> None:
    """Propose what was asked for, else what is eligible: at the basic level what is finished, above it everything."""
    request = answer.request
    if request.task_ids:
        answer.findings = _asked_for(scope.project, request.task_ids, "archive")
    else:
        eligible = archivable(scope, timezone.now())
        finished = [each for each in eligible if each.evidence["reason"] in ("completed", "abandoned")]
        answer.findings = finished if request.level == Level.BASIC else eligible
    answer.proposals = answer.findings


def _restore(answer: Answer, scope: Scope, actor: Actor) -> None:
    request = answer.request
    if request.task_ids:
        answer.findings = _asked_for(scope.project, request.task_ids, "restore")
    else:
        answer.findings = to_restore(scope)
    answer.proposals = answer.findings


def _purge(answer: Answer, scope: Scope, actor: Actor) -> None:
    found = purgeable(scope, timezone.now())
    asked = set(answer.request.task_ids)
    answer.findings = [each for each in found if not asked or each.subject in asked]
    if missing := sorted(asked - {each.subject for each in found}):
        raise Conflict(
            f"{', '.join(missing[:5])} cannot be purged: only whole plans that were archived long enough ago.",
            next="Omit task_ids to see what can be.",
        )
    answer.proposals = answer.findings


def _asked_for(project: Project, task_ids: Iterable[str], verb: str) -> list[Found]:
    """Return the tasks that a call names, as proposals. Raises Invalid for unknown ids."""
    wanted = list(dict.fromkeys(task_ids))
    tasks = {task.public_id: task for task in Task.objects.filter(project=project, public_id__in=wanted)}
    if unknown := [each for each in wanted if each not in tasks]:
        problems = [{"at": "task_ids", "problem": f"no task {each[:64]!r}"} for each in unknown[:5]]
        raise invalid(problems, next="Send ids of tasks in this project.")
    return [
        Found(
            Cause.ARCHIVABLE, Severity.INFO, each, tasks[each].updated_at, tasks[each].title, tasks[each].pk,
            {"reason": "asked"}, proposal=verb, seen=seen_as(tasks[each]),
        )
        for each in wanted
    ]  # fmt: skip


def _documents(answer: Answer, scope: Scope, actor: Actor) -> None:
    report = update_documents(scope=scope, level=answer.request.level, actor=actor)
    answer.documents = asdict(report)


def _handover(answer: Answer, scope: Scope, actor: Actor) -> None:
    request = answer.request
    answer.handover = prepare(
        scope=scope, level=request.level, actor=actor, max_chars=request.max_chars, since=request.since
    )


_ACTIONS: dict[Action, Callable[[Answer, Scope, Actor], None]] = {
    Action.SCAN_CLEANUP: _scan,
    Action.VALIDATE_STRUCTURE: _validate,
    Action.UPDATE_DOCUMENTATION: _documents,
    Action.PREPARE_HANDOVER: _handover,
    Action.ARCHIVE: _archive,
    Action.RESTORE: _restore,
    Action.PURGE: _purge,
}


def _no_progress(changes: list[dict[str, Any]], ahead: list[dict[str, Any]], total: int) -> None:
    """A preview changes nothing."""


def _queued(project: Project, actor: Actor, request: Request) -> Operation:
    operation = _operation(project, actor, request)
    operation.request["scopes"] = sorted(actor.scopes)
    operation.save()
    operations.queue(operation)
    return operation


def _operation(project: Project, actor: Actor, request: Request) -> Operation:
    return new_operation(
        actor=actor, project=project, action=request.action, scope=request.scope, level=request.level,
        request=request.said(),
    )  # fmt: skip


def _result(answer: Answer) -> Result:
    facts: dict[str, Any] = {
        "counts": answer.counts,
        "proposals_total": len(answer.proposals),
        "changes_total": len([each for each in answer.changes if "conflict" not in each]),
        "conflicts_total": len([each for each in answer.changes if "conflict" in each]),
        "plan_token": answer.plan_token,
        "handover": answer.handover.number if answer.handover else None,
        "documents": answer.documents,
        "notes": answer.notes,
    }
    return Result({name: value for name, value in facts.items() if value}, answer.findings, answer.changes)
