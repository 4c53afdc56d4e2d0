"""Status documents: keep `.task_orchestrator/status/*.md` of a project's folder in step, and change nothing of others.

Only the part between our markers is written, and only while it is as we wrote it. No link is followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from artifacts.export.safe_writer import Root
from artifacts.services.export import os_failure, require_outside_home
from maintenance.choices import Level, ScopeWord
from maintenance.marked_part import State, state_of, text_of, with_part
from maintenance.selectors import status_documents as texts
from maintenance.selectors.scope import Scope
from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.kernel.folders import InTheWay
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.identity.actor import Actor
from tasks.models import Project, Task

PLACE = (".task_orchestrator", "status")
STATUS, DECISIONS, PLANS = "STATUS.md", "DECISIONS.md", "plans"
SIZE_LIMIT = 8 * 1024 * 1024
PLANS_LIMIT = 200
"""Files of plans that one run writes, the last active first."""
NAMES_LIMIT = 2_000
PATIENCE_SECONDS = 5.0
_LOCK_PLACE = (".task_orchestrator", "local")
_NO_PLAN = "about no plan on the board"
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
Text = Callable[[], str]


@dataclass(slots=True)
class Report:
    """What became of each file, by its name below `PLACE`. `left` are not written, each with the reason."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    stale: dict[str, str] = field(default_factory=dict)
    """Found by `full_audit`: what lies there and is not kept in step."""

    def __str__(self) -> str:
        left = "; ".join(f"{name}: {why}" for name, why in self.left.items())
        done = f"Wrote {len(self.written)} status documents, {len(self.unchanged)} were up to date."
        return f"{done} {len(self.left)} were left: {left}." if left else done


def update_documents(*, scope: Scope, level: Level, actor: Actor) -> Report:
    """Bring the status documents of a scope up to date.

    For a project, `basic` writes STATUS.md, `comprehensive` also a file for each open plan; for a session or a task,
    `basic` writes the files of its plans, `comprehensive` also STATUS.md. `full_audit` adds DECISIONS.md, reads every
    file back and reports those that are not kept in step. Raises Invalid where there is no folder, Conflict where a
    link or a file is in the way, Transient where the disk is full or another process writes, Forbidden.
    """
    actor.require(Permission.WRITE)
    project, report = scope.project, Report()
    with _opened(project) as root:
        for name, text in _wanted(root, scope, level):
            _write(root, name, text, report)
        if level == Level.FULL_AUDIT:
            _read_back(root, project, report)
    return report


@contextmanager
def _opened(project: Project) -> Iterator[Root]:
    """Open the folder of the documents. The lock lies in another one, because people commit these."""
    top, where = Path(project.root_path), "/".join(PLACE)
    if not project.root_path or not top.is_dir():
        raise Invalid(
            "The project has no folder on this machine.",
            next="Run it where the folder is, or prepare a handover instead.",
            details={"reason": "no_folder"},
        )
    try:
        require_outside_home(top.joinpath(*PLACE), top.joinpath(*PLACE))
        with Root.at(top, *_LOCK_PLACE) as local, local.locked(PATIENCE_SECONDS), Root.at(top, *PLACE) as root:
            if local.stat(".gitignore") is None:
                local.write(".gitignore", [b"*\n"])
            yield root
    except InTheWay as error:
        raise Conflict(f"{where}: {error}.", next="Move it away; status documents are plain files.") from error
    except OSError as error:
        raise os_failure(error, where) from error


def _wanted(root: Root, scope: Scope, level: Level) -> Iterator[tuple[str, Text]]:
    project, is_project = scope.project, scope.word == ScopeWord.FULL_PROJECT
    if is_project or level != Level.BASIC:
        yield STATUS, lambda: texts.status_text(project)
    if not is_project or level != Level.BASIC:
        for plan in _plans(root, scope):
            yield f"{PLANS}/{plan.public_id}.md", lambda plan=plan: texts.plan_text(plan)  # type: ignore[misc]
    if level == Level.FULL_AUDIT:
        yield DECISIONS, lambda: texts.decisions_text(project)


def _plans(root: Root, scope: Scope) -> list[Task]:
    """Return the plans of a scope; of a project the open ones, and those that were open when their file was written."""
    plans = Task.objects.filter(project=scope.project).plans().on_board().order_by("-active_at", "-pk")
    if scope.plans is not None:
        plans = plans.filter(pk__in=scope.plans)
    elif scope.word == ScopeWord.FULL_PROJECT:
        known = [name.removesuffix(".md") for name in root.names(PLANS, NAMES_LIMIT)]
        plans = texts.open_plans(scope.project) | plans.filter(public_id__in=known)
    else:
        task = Task.objects.filter(project=scope.project, public_id=scope.subject).first()
        plans = plans.filter(pk__in=[task.plan_id] if task else [])
    return [plan for plan in plans[:PLANS_LIMIT] if _FILE_NAME.fullmatch(plan.public_id)]


def _write(root: Root, name: str, text: Text, report: Report) -> None:
    """Bring one file up to date. What is in the way of one is no reason to leave the others."""
    try:
        seen = root.look(name)
        before = root.read(name, SIZE_LIMIT) if seen.sha256 else None
        if (why := _why_left(before)) is not None:
            report.left[name] = why
            return
        after = with_part(before, text())
        if after == before:
            report.unchanged.append(name)
            return
        root.write(name, [after], over=seen)
        report.written.append(name)
    except InTheWay as error:
        report.left[name] = f"{error.what} is in the way"
    except PermissionError as error:
        report.left[name] = error.strerror or "not permitted"


def _why_left(content: bytes | None) -> str | None:
    if content is None:
        return None
    if len(content) > SIZE_LIMIT:
        return f"larger than {SIZE_LIMIT // 1024 // 1024} MB"
    state = state_of(content)
    return None if state is State.OURS else state.value


def _read_back(root: Root, project: Project, report: Report) -> None:
    """Read every file that lies there, also those that this run wrote."""
    expected: dict[str, Text] = {
        STATUS: lambda: texts.status_text(project),
        DECISIONS: lambda: texts.decisions_text(project),
    }
    names = root.names(PLANS, NAMES_LIMIT)
    plans = Task.objects.filter(project=project).plans().on_board()
    found = {f"{plan.public_id}.md": plan for plan in plans.filter(public_id__in=[name[:-3] for name in names])}
    for name in names:
        if (plan := found.get(name)) is None:
            report.stale[f"{PLANS}/{name}"] = _NO_PLAN
        else:
            expected[f"{PLANS}/{name}"] = lambda plan=plan: texts.plan_text(plan)  # type: ignore[misc]
    for name in root.names("", NAMES_LIMIT):
        if name not in (*expected, PLANS):
            report.stale[name] = "not ours"
    for path, text in sorted(expected.items()):
        if path not in report.left and (why := _why_stale(root, path, text)):
            report.stale[path] = why


def _why_stale(root: Root, path: str, text: Text) -> str:
    try:
        content = root.read(path, SIZE_LIMIT)
    except (InTheWay, OSError) as error:
        return str(error)
    if content is None:
        return "missing"
    if why := _why_left(content):
        return why
    return "" if text_of(content) == text() else "not up to date"
