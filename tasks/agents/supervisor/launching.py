"""From a run that was taken to a process of its agent."""

from __future__ import annotations

import os
import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.utils import timezone

from orchestrator_site.kernel.errors import Unavailable
from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.base import Adapter, Conversation
from tasks.agents.adapters.events import NOTHING, Usage
from tasks.agents.adapters.jobs import Board, Job, Rights
from tasks.agents.brief import first_message, rules_of
from tasks.agents.choices import Communication, RunState
from tasks.agents.models import Attempt, Run
from tasks.agents.places import folder_of, folder_of_attempt, home_of, make_folder_of
from tasks.agents.probe import Program, program_of, why_no_jail
from tasks.agents.processes import Jail, Process, ports, start
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.selectors.messages import unsent
from tasks.agents.services.supervise import SUPERVISOR
from tasks.agents.services.tokens import new_token
from tasks.agents.services.transitions import move, write
from tasks.agents.settings import IsolationSettings
from tasks.agents.supervisor.workspace import fill, workspace_of
from tasks.agents.worktrees import Worktree


@dataclass(slots=True)
class Started:
    """An agent's process, and how one talks with it."""

    attempt: Attempt
    process: Process
    conversation: Conversation
    secrets: tuple[str, ...]


def launch(run: Run, *, board_url: str, say: str = "") -> Started:
    """Make the workspace where there is none yet, and start the agent. Raises what is wrong with either.

    With something to `say`, an agent that came to an end goes on in its session.
    """
    _, settings = isolation_of(run.project)
    adapter = ADAPTERS[run.agent]
    program = _program(adapter, settings)
    make_folder_of(run)
    worktree = Worktree(**run.worktree) if say else workspace_of(run)
    jail = jail_of(run, worktree, program) if _is_jailed(settings) else None
    fill(run, settings, worktree, jail)
    write(run, agent_version=program.version, facts={**run.facts, "jailed": jail is not None})
    _log_in(adapter, home_of(run))
    attempt = _attempt(run, adapter, say)
    token = _new_token(run) if run.communication == Communication.ARTIFACT else ""
    board = Board(f"{board_url}/mcp/", token) if token else None
    job = _job(run, attempt, settings, adapter, program, board, say)
    launched, talk = adapter.launch(job), adapter.conversation(job)
    for folder in map(Path, launched.folders):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = start(
        run_id=run.public_id, folder=folder_of_attempt(attempt), argv=launched.argv, jail=jail,
        files={str(file): content for file, content in launched.files.items()},
        environment=launched.environment, cwd=Path(launched.folder), stdin_stays_open=launched.stdin_stays_open,
        first_input=b"".join(line.rstrip(b"\n") + b"\n" for line in talk.opening()),
    )  # fmt: skip
    _note_start(run, attempt, process)
    return Started(attempt, process, talk, _secrets(adapter, token))


def again(run: Run) -> Started:
    """Return what another supervisor started."""
    _, settings = isolation_of(run.project)
    adapter, attempt = ADAPTERS[run.agent], run.attempts.latest("number")
    attempt.run = run
    token = _token_file(run).read_text() if _token_file(run).exists() else ""
    job = _job(run, attempt, settings, adapter, Program(""), None)
    return Started(attempt, Process(**attempt.process), adapter.conversation(job), _secrets(adapter, token))


def _attempt(run: Run, adapter: Adapter, say: str) -> Attempt:
    before = run.attempt
    resumes = bool((run.resumes or say) and before and before.session_id and adapter.supports.resume)
    return Attempt.objects.create(
        run=run, number=(before.number if before else 0) + 1, resumes=resumes, follow_ups=int(bool(say)),
        session_id=before.session_id if resumes and before else str(uuid.uuid4()),
    )  # fmt: skip


def _note_start(run: Run, attempt: Attempt, process: Process) -> None:
    attempt.process = asdict(process)
    attempt.save(update_fields=["process"])
    unsent(run.task_id).update(sent_at=timezone.now())
    if run.state == RunState.PREPARING:
        deadline = timezone.now() + timedelta(minutes=run.limits["minutes"])
        move(run, RunState.RUNNING, actor=SUPERVISOR, deadline=deadline)


def _program(adapter: Adapter, settings: IsolationSettings) -> Program:
    if not adapter.executables:
        return Program("")
    program = program_of(adapter)
    if not program.path:
        raise Unavailable(f"{adapter.title} is not installed for the account of the server.", next="Install it there.")
    return program


def _is_jailed(settings: IsolationSettings) -> bool:
    if (why := why_no_jail()) and not settings.unjailed:
        raise Unavailable(f"Agents of this project only run in a jail. {why}", next="See manage.py doctor.")
    return not why


def _job(
    run: Run, attempt: Attempt, settings: IsolationSettings, adapter: Adapter, program: Program, board: Board | None,
    say: str = "",
) -> Job:  # fmt: skip
    place = folder_of_attempt(attempt)
    is_jailed = bool(run.facts.get("jailed"))
    return Job(
        run_id=run.public_id, brief=say or first_message(run, resumes=attempt.resumes), model=run.model,
        worktree=Path(run.worktree["folder"]), run_folder=place, home=home_of(run), executable=program.path,
        argv=settings.command, rules=rules_of(run, settings, str(place / "outbox")), max_turns=run.limits["turns"],
        max_cost_usd=max(0.01, float(Decimal(run.limits["cost_usd"]) - run.cost_usd)), commands=settings.commands,
        session_id=attempt.session_id, resume=attempt.resumes, spent=_spent(run) if attempt.resumes else NOTHING,
        rights=_rights(settings, adapter, is_jailed=is_jailed), jailed=is_jailed, board=board,
        environment=os.environ, variables=ports(run.pk % 500),
    )  # fmt: skip


def _rights(settings: IsolationSettings, adapter: Adapter, *, is_jailed: bool) -> Rights:
    wanted = Rights(settings.rights)
    if wanted == Rights.BYPASS and not is_jailed:
        wanted = Rights.ASK
    return Rights.DENY if wanted == Rights.ASK and not adapter.supports.asks else wanted


def _spent(run: Run) -> Usage:
    return Usage(run.tokens_in, run.tokens_out, run.tokens_cached)


def jail_of(run: Run, worktree: Worktree, program: Program) -> Jail:
    programs = {str(Path(program.path).parent), str(Path(program.path).resolve().parent)} if program.path else set()
    return Jail(writable=(worktree.folder, str(home_of(run))), read_only=(worktree.repository, *sorted(programs)))


def _log_in(adapter: Adapter, home: Path) -> None:
    """Give the agent the user's login, where no variable holds one."""
    for name in adapter.login_files:
        login, copy = Path.home() / name, home / name
        if login.is_file() and not copy.exists():
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            copy.touch(mode=0o600)
            copy.write_bytes(login.read_bytes())


def _token_file(run: Run) -> Path:
    return folder_of(run) / "token"


def _new_token(run: Run) -> str:
    """Make a token and keep it where the next supervisor finds it, in a folder that only the account can read."""
    secret, file = new_token(run), _token_file(run)
    file.touch(mode=0o600)
    file.write_text(secret)
    return secret


def _secrets(adapter: Adapter, token: str) -> tuple[str, ...]:
    """Return what must not be seen in a log."""
    return tuple(filter(None, (token, *(os.environ.get(name, "") for name in adapter.secrets))))
