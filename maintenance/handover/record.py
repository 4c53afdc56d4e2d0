"""The parts of a handover that tell what was said, done, decided and stored."""

from __future__ import annotations

from collections.abc import Iterator

from artifacts.models import Artifact, Kind, ReviewComment
from maintenance.handover.budget import Entry, Part
from maintenance.handover.words import at, named, plain, verbatim
from maintenance.selectors.handover_facts import Facts
from tasks.choices import NoteKind, Status, Verb
from tasks.models import Event, Note, Task
from tasks.selectors.gates import GateState

READ = "orchestrator_read_artifact"
_WORDS = {
    Verb.BLOCK: ("reason", "question"),
    Verb.UNBLOCK: ("answer", "answer"),
    Verb.RETRY: ("answer", "answer"),
    Verb.REQUEST_REVISION: ("comment", "revision"),
    Verb.HAND_BACK: ("comment", "handed back"),
    Verb.APPROVE: ("comment", "approval"),
    Verb.CANCEL: ("reason", "cancellation"),
}
"""Where an event has a person's or an assistant's words, and what a handover calls them."""
_OUTCOMES = {
    Verb.COMPLETE: "done",
    Verb.FINISH: "done",
    Verb.APPROVE: "done",
    Verb.REQUEST_REVISION: "sent back",
    Verb.HAND_BACK: "sent back",
    Verb.CANCEL: "cancelled",
    Verb.FAIL: "failed",
    Verb.RESUME: "resumed",
    Verb.REOPEN: "reopened",
    Verb.RETRY: "retried",
}
_ATTEMPTS = {Verb.FAIL: "failed", Verb.HAND_BACK: "handed back"}


def words(facts: Facts) -> Part:
    """What is still open first, then what was said last."""
    stopped = [task for task in facts.stopped if task.status in (Status.BLOCKED, Status.FAILED)]
    entries = [_open(task, _KINDS[Status(task.status)], task.reason) for task in stopped]
    entries += [_open(task, "revision", task.review_comment) for task in facts.revisions]
    entries += _said(facts, {(task.pk, task.reason) for task in stopped})
    entries += [_comment(each) for each in facts.comments]
    return Part("8. What people said", entries, _more_events(facts), 16, len(entries))


_KINDS = {Status.BLOCKED: "question", Status.FAILED: "failure"}


def _open(task: Task, kind: str, text: str) -> Entry:
    return Entry(f"- {task.public_id} open {kind}, since {at(task.updated_at)}:", verbatim(text))


def _said(facts: Facts, shown: set[tuple[int, str]]) -> Iterator[Entry]:
    for event in facts.events:
        field, kind = _WORDS.get(Verb(event.verb), ("", ""))
        text = str(event.after.get(field, "")) if field else ""
        task = event.task
        if text and task is not None and (task.pk, text) not in shown and not _is_open_revision(event, task, text):
            shown.add((task.pk, text))
            yield Entry(f"- {task.public_id} {kind}, {at(event.created_at)}, by {_who(event)}:", verbatim(text))


def _comment(comment: ReviewComment) -> Entry:
    version = comment.version
    place = f" on {version.artifact.public_id} v{version.number} {comment.lines}".rstrip() if version else ""
    line = f"- {comment.task.public_id} comment{place}, {at(comment.sent_at)}, by {plain(comment.author)}:"
    return Entry(line, verbatim(comment.text))


def _is_open_revision(event: Event, task: Task, text: str) -> bool:
    return task.status == Status.NEEDS_REVISION and text in task.review_comment


def _who(event: Event) -> str:
    return f"{plain(event.actor_name)} ({event.actor_kind})"


def _more_events(facts: Facts) -> str:
    return f"GET /api/v1/events?project={facts.scope.project.slug}&after={max(facts.seen_from - 1, 0)}"


def since(facts: Facts) -> Part:
    """What became of each task since the handover before, by its newest event."""
    begin = facts.since.cursor if facts.since else 0
    events = [event for event in facts.events if event.pk > begin]
    label = f"event {begin}, handover {facts.since.number}" if facts.since else "the beginning"
    looked = f", looked at from event {facts.seen_from} on" if facts.seen_from > begin else ""
    lines = [f"- since: {label}{looked}", *_outcomes(events)]
    more = f"GET /api/v1/events?project={facts.scope.project.slug}&after={begin}"
    return Part("9. Since the handover before", [Entry(line) for line in lines], more, 12, len(lines))


def _outcomes(events: list[Event]) -> Iterator[str]:
    delivered = _delivered(events)
    seen: set[int] = set()
    for event in events:
        task = event.task
        if (outcome := _OUTCOMES.get(Verb(event.verb))) is None or task is None or task.pk in seen:
            continue
        seen.add(task.pk)
        if outcome == "done" and event.after.get("status") == Status.IN_REVIEW:
            outcome = "delivered for review"
        stored = ", ".join(f"{name} v{number}" for name, number in sorted(delivered.get(task.pk, {}).items()))
        yield f"- {outcome} {task.public_id} {named(task.title)}, {at(event.created_at)}: {stored or 'no artifact'}"


def _delivered(events: list[Event]) -> dict[int, dict[str, int]]:
    """Return the newest version of each artifact, by task."""
    found: dict[int, dict[str, int]] = {}
    for event in events:
        name = event.after.get("artifact_id") if event.verb == Verb.DELIVER else None
        if name and event.task_id is not None:
            found.setdefault(event.task_id, {}).setdefault(str(name), int(event.after.get("version", 1)))
    return found


def decisions(facts: Facts) -> Part:
    entries = [
        Entry(f"- {note.task.public_id} {_kind(note)}, by {plain(note.actor_name)}:", _note(note))
        for note in facts.notes
    ]
    attempts = [event for event in facts.events if event.verb in _ATTEMPTS and event.task is not None]
    entries += [_attempt(event) for event in attempts]
    more = "GET /api/v1/tasks/{task_id} (notes)"
    return Part("10. Decisions, lessons and failed attempts", entries, more, 14, len(entries))


def _kind(note: Note) -> str:
    return "decided" if note.kind == NoteKind.DECISION else "learned"


def _note(note: Note) -> str:
    parts = [verbatim(note.text)]
    parts += [f"- because:\n{verbatim(note.because)}"] if note.because else []
    parts += [f"- instead of:\n{verbatim(note.instead_of)}"] if note.instead_of else []
    return "\n".join(parts)


def _attempt(event: Event) -> Entry:
    said = str(event.after.get("reason") or event.after.get("comment") or "")
    name = event.task.public_id if event.task else ""
    return Entry(f"- {name} {_ATTEMPTS[Verb(event.verb)]}, {at(event.created_at)}, by {_who(event)}:", verbatim(said))


def files(facts: Facts) -> Part:
    entries = [Entry(line) for artifact in facts.artifacts.rows for line in _paths(artifact, facts)]
    unread = facts.artifacts.total - len(facts.artifacts.rows)
    more = f"GET /api/v1/artifacts?project={facts.scope.project.slug}"
    return Part("11. Files and artifacts", entries, more, 12, len(entries) + unread)


def _paths(artifact: Artifact, facts: Facts) -> Iterator[str]:
    state = f", {facts.states[artifact.pk]}" if artifact.pk in facts.states else ""
    facts_of = f"{artifact.public_id} v{artifact.version} of {artifact.task.public_id}, {artifact.kind}{state}"
    for path in artifact.paths.all():
        yield f"- {plain(path.path)}: {facts_of}"
    if not artifact.paths.all():
        yield f"- (no path): {facts_of}"


def evidence(facts: Facts) -> Part:
    tests = [artifact for artifact in facts.artifacts.rows if artifact.kind == Kind.TEST]
    lines = [_test(artifact, facts) for artifact in tests]
    approvals = [event for event in facts.events if event.verb == Verb.APPROVE and event.task is not None]
    lines += [
        f"- approved {event.task.public_id}, {at(event.created_at)}, by {_who(event)}"
        for event in approvals
        if event.task
    ]
    lines += [_gate(task, state) for task, states in facts.gates for state in states]
    more = f"GET /api/v1/artifacts?project={facts.scope.project.slug}&kind=test"
    return Part("12. Evidence", [Entry(line) for line in lines], more, 6, len(lines))


def _gate(task: Task, state: GateState) -> str:
    how = f"met, {plain(state.met_by)}" if state.met else f"not met: {plain(state.why_not)}"
    return f"- gate {state.gate.name} of {task.public_id}: {how[:300]}"


def _test(artifact: Artifact, facts: Facts) -> str:
    changed = facts.changed_at.get(artifact.task.plan_id)
    fresh = "older than the last delivery of its plan" if changed and changed > artifact.updated_at else "fresh"
    name = f"{artifact.public_id} v{artifact.version} of {artifact.task.public_id}"
    return f"- test {name}, {at(artifact.updated_at)}: {fresh}"


def risks(facts: Facts) -> Part:
    found = [
        f"- {finding.get_severity_display()} {finding.cause} {plain(finding.subject)}, since {at(finding.since)}: "
        f"{plain(finding.advice or finding.proposal or 'see the maintenance page')}"
        for finding in facts.findings.rows
    ]
    failed = [task for task in facts.stopped if task.status == Status.FAILED]
    lines = found + [f"- failed {task.public_id} {named(task.title)}, since {at(task.updated_at)}" for task in failed]
    unread = facts.findings.total - len(facts.findings.rows)
    more = "orchestrator_maintenance_coordinator(action='scan_cleanup', scope='full_project')"
    return Part("13. Risks left", [Entry(line) for line in lines], more, 6, len(lines) + unread)


def rules(facts: Facts) -> Part:
    project = facts.scope.project
    switches = {"review": "off", "self_approval": "off", "lease_minutes": "default"}
    lines = [f"- {name}: {_word(facts.rules.get(name), otherwise)}" for name, otherwise in switches.items()]
    lines += [
        f"- specialist {name}: role of this project ({plain(source)})" for name, source in facts.own_roles.items()
    ]
    return Part("14. Rules", [Entry(line) for line in lines], f"GET /api/v1/projects/{project.slug}", 5, len(lines))


def _word(value: object, otherwise: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return otherwise if value is None else str(value)


def reading(facts: Facts) -> Part:
    slug = facts.scope.project.slug
    calls = {
        "the board": "orchestrator_get_status()",
        "a task's brief": "orchestrator_execute_subtask(task_id)",
        "a result": f"{READ}(artifact_id)",
        "a plan's report": "orchestrator_synthesize_results(parent_task_id)",
        "what changed since": f"GET /api/v1/events?project={slug}&after={facts.cursor}",
        "the newest handover": f"handover://{slug}",
    }
    entries = [Entry(f"- {what}: `{call}`") for what, call in calls.items()]
    return Part("15. How to read more", entries, f"GET /api/v1/projects/{slug}/handovers", 5, len(entries))
