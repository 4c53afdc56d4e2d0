"""The parts of a handover that tell where things are: what is next, the plans, and who has or waits for what."""

from __future__ import annotations

from collections.abc import Iterator

from maintenance.choices import ScopeWord
from maintenance.handover.budget import Entry, Part
from maintenance.handover.words import at, named, plain, verbatim
from maintenance.selectors.handover_facts import Facts, PlanFacts
from tasks.choices import Status
from tasks.models import Task

STATUS = "orchestrator_get_status"
EXECUTE = "orchestrator_execute_subtask"
READY_SHOWN = 5
WAITS_FOR = {
    Status.BLOCKED: "a person (answer: unblock)",
    Status.IN_REVIEW: "a reviewer (approve or request_revision)",
    Status.FAILED: "a person (retry or cancel)",
}


def next_call(facts: Facts) -> Part:
    calls = list(_calls(facts))
    (call, why), *others = calls
    lines = [f"- next: `{call}`", f"- why: {why}", *(f"- then: `{call}`: {why}" for call, why in others[:2])]
    return Part("2. Next call", [Entry(line) for line in lines], f"{STATUS}()", 10)


def _calls(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield what can be done now, the best first, each with the reason."""
    for task in facts.in_hand.rows:
        if _is_the_readers(task, facts):
            yield f"{EXECUTE}(task_id='{task.public_id}')", f"{named(task.title)} is in hand: go on with it"
        elif facts.as_of and task.lease_is_over(facts.as_of):
            why = f"{named(task.title)} was in hand, and its lease ended at {at(task.lease_expires_at)}"
            yield f"{EXECUTE}(task_id='{task.public_id}')", why
    for task in facts.ready.rows[:READY_SHOWN]:
        yield f"{EXECUTE}(task_id='{task.public_id}')", f"{named(task.title)} is ready: {_reasons(task, facts)}"
    yield from _when_nothing_is_ready(facts)


def _is_the_readers(task: Task, facts: Facts) -> bool:
    session = task.lease_session
    is_session = facts.scope.word == ScopeWord.CURRENT_SESSION
    return is_session and session is not None and session.public_id == facts.scope.subject


def _when_nothing_is_ready(facts: Facts) -> Iterator[tuple[str, str]]:
    for task in facts.in_hand.rows[:1]:
        why = (
            f"{named(task.title)} is in hand until {at(task.lease_expires_at)}: go on if it is yours or that has passed"
        )
        yield f"{EXECUTE}(task_id='{task.public_id}')", why
    if facts.waiting_total:
        yield f"{STATUS}()", "nothing else is ready: tell the user what waits for a person (part 7)"
    elif facts.plans.rows:
        yield f"{STATUS}(task_id='{facts.plans.rows[0].plan.public_id}')", "see what the last open plan waits for"
    elif facts.last_finished:
        call = f"orchestrator_synthesize_results(parent_task_id='{facts.last_finished.public_id}')"
        yield call, "every plan is finished: put the last one together, or plan more"
    else:
        yield "orchestrator_plan_task(description, subtasks)", "nothing is planned"


def goals(facts: Facts) -> Part:
    entries = [
        Entry(f"- {each.plan.public_id} {each.plan.status} {named(each.plan.title)}", _goal(each.plan))
        for each in facts.plans.rows
    ]
    return Part("3. Goals and criteria", entries, f"{STATUS}()", 14, facts.plans.total)


def _goal(plan: Task) -> str:
    context = f"- context:\n{verbatim(plan.context)}" if plan.context else ""
    return "\n".join(filter(None, [verbatim(plan.description), context]))


def progress(facts: Facts) -> Part:
    numbers = ", ".join(f"{status} {number}" for status, number in facts.counts.items()) or "no tasks"
    entries = [Entry(f"- all: {numbers}"), *(Entry(line) for each in facts.plans.rows for line in _progress(each))]
    unread = facts.plans.total - len(facts.plans.rows)
    return Part("4. Counts and critical path", entries, f"{STATUS}()", 9, len(entries) + unread)


def _progress(each: PlanFacts) -> Iterator[str]:
    done = f"{each.counts.done} of {each.counts.total} completed ({each.counts.percent} %)"
    yield f"- {each.plan.public_id}: {done}, {each.ready} ready"
    if each.path is None:
        yield f"- path {each.plan.public_id}: not computed for so many open tasks"
    elif each.path:
        yield f"- path {each.plan.public_id}: {' > '.join(task.public_id for task in each.path)}"


def in_hand(facts: Facts) -> Part:
    entries = [Entry(line) for task in facts.in_hand.rows for line in _held(task, facts)]
    unread = facts.in_hand.total - len(facts.in_hand.rows)
    return Part("5. In hand", entries, f"{STATUS}(status='active')", 8, len(entries) + unread)


def _held(task: Task, facts: Facts) -> Iterator[str]:
    session = task.lease_session
    uploads = facts.uploads.get(task.pk, [])
    signs = [task.updated_at, *(upload.last_append_at for upload in uploads)]
    signs += [session.last_seen_at] if session else []
    who = f"{plain(task.lease_holder)} ({session.public_id})" if session else plain(task.lease_holder)
    lease = f"lease {task.lease_number} until {at(task.lease_expires_at)}, last sign {at(max(signs))}"
    yield f"- {task.public_id} {named(task.title)}: held by {who}, {lease}"
    for upload in uploads:
        size = f" of {upload.expected_size}" if upload.expected_size else ""
        yield f"- {task.public_id} upload {upload.public_id}: goes on at offset {upload.received}{size}"


def ready(facts: Facts) -> Part:
    shown = facts.ready.rows[:READY_SHOWN]
    entries = [
        Entry(f"- {task.public_id} {task.specialist or 'any'} {named(task.title)}: {_reasons(task, facts)}")
        for task in shown
    ]
    return Part("6. Ready, the best first", entries, f"{STATUS}(status='pending')", 8, facts.ready.total)


def _reasons(task: Task, facts: Facts) -> str:
    on_path = any(task.pk == step.pk for each in facts.plans.rows for step in each.path or [])
    number = facts.unblocks.get(task.pk, 0)
    return ", ".join(
        filter(
            None,
            [
                f"priority {task.priority_word}",
                "sent back" if task.status == Status.NEEDS_REVISION else "",
                f"unblocks {number}" if number else "",
                "on the critical path" if on_path else "",
            ],
        )
    )


def waiting(facts: Facts) -> Part:
    lines = [_waits(task, WAITS_FOR[Status(task.status)]) for task in facts.stopped]
    lines += [_waits(task, _needs(task, facts)) for task in facts.waiting]
    return Part("7. Waiting", [Entry(line) for line in lines], f"{STATUS}(limit=100)", 8, facts.waiting_total)


def _waits(task: Task, whom: str) -> str:
    return f"- {task.public_id} {task.status} {named(task.title)}: waits for {whom}, since {at(task.updated_at)}"


def _needs(task: Task, facts: Facts) -> str:
    return ", ".join(facts.needs.get(task.pk, [])) or "what its group waits for"
