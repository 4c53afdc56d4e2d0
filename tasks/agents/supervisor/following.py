"""Follows an agent at work: takes in what it says, passes on what people say, and notices when it is over."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from threading import Event as ThreadEvent
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict
from tasks import events
from tasks.agents import processes, run_log
from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters import events as heard
from tasks.agents.adapters.events import Event
from tasks.agents.brief import FOLLOW_UP
from tasks.agents.choices import AskState, RunState
from tasks.agents.models import Attempt, Run, RunAsk
from tasks.agents.places import log_of
from tasks.agents.selectors.runs import cost_of_plan
from tasks.agents.services.supervise import SUPERVISOR
from tasks.agents.services.transitions import move, write
from tasks.agents.settings import IsolationSettings
from tasks.agents.supervisor.launching import Started
from tasks.agents.supervisor.outcome import is_delivered, why_not_its
from tasks.choices import Verb
from tasks.services.sessions import declare_model

POLL_SECONDS = 0.1
LOOK_SECONDS = 0.5
"""How often rows are read: what people say, and whether they want the run to end."""
SAVE_SECONDS = 1.0
WATCH_SECONDS = 3.0
GRACE_SECONDS = 10.0
"""How long a process may live on after the agent has said that it is done."""
ASK_MINUTES = 15
"""An ask that no one answers in time is denied."""
MEMORY_LIMIT = 6 * 1024**3
_EXCESS = {
    processes.Excess.IDLE: (RunState.TIMED_OUT, "It said nothing for {minutes} minutes."),
    processes.Excess.MEMORY: (RunState.FAILED, "It used more memory than a run may."),
    processes.Excess.LOG_FULL: (RunState.FAILED, "It wrote more than a run may."),
}


@dataclass(frozen=True, slots=True)
class Over:
    """Why a run is over: `state` is empty where the agent itself came to an end."""

    state: RunState | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the whole supervisor is asked: to end its runs, or to leave them to the next one."""

    end: ThreadEvent = field(default_factory=ThreadEvent)
    leave: ThreadEvent = field(default_factory=ThreadEvent)


class Left(Exception):
    """The run goes on without this supervisor."""


class Follower:
    """Follows one process of a run's agent. `follow` returns once it is over, and raises Left and NotKept."""

    def __init__(self, run: Run, started: Started, settings: IsolationSettings, orders: Orders) -> None:
        self._run, self._settings, self._orders = run, settings, orders
        self._attempt, self._process = started.attempt, started.process
        self._talk, self._secrets = started.conversation, started.secrets
        self._offset = started.attempt.offset
        self._before = _totals_before(started.attempt)
        self._usage = heard.Usage()
        self._due = dict.fromkeys(("look", "save", "watch"), 0.0)
        self._ended_at: float | None = None
        self._is_closed = False
        self._memory = run.memory_peak
        self._saved: dict[str, Any] = {}
        self._watch = self._new_watch()
        self._paused_at = time.monotonic()
        self._catch_up()

    def _new_watch(self) -> processes.Watch:
        idle = self._run.limits["idle_minutes"] * 60
        return processes.Watch(self._process, idle_seconds=idle, memory_bytes=MEMORY_LIMIT)

    def follow(self) -> Over:
        while True:
            time.sleep(POLL_SECONDS)  # there is no telling whether it writes or exits first
            is_gone = processes.wait(self._process, seconds=0) is not None
            while self._take_in():
                pass
            over = self._ordered() or self._why_over(is_gone)
            if over is not None or self._is_due("save", SAVE_SECONDS):
                self._save()
            if over is not None:
                return over

    def _ordered(self) -> Over | None:
        if self._orders.leave.is_set():
            self._save()
            raise Left
        return Over(RunState.INTERRUPTED, "The server was stopped.") if self._orders.end.is_set() else None

    def _catch_up(self) -> None:
        """Rebuild the conversation from what another supervisor took in."""
        at = 0
        while at < self._offset:
            lines = processes.read(self._process, at)
            for line in lines.lines:
                for event in self._talk.feed(line):
                    if isinstance(event, heard.Usage):
                        self._usage = event
            if lines.next_offset == at:
                return
            at = lines.next_offset

    def _take_in(self) -> bool:
        lines = processes.read(self._process, self._offset)
        if not lines.lines:
            return False
        taken = [event for line in lines.lines for event in self._talk.feed(line)]
        for event in taken:
            self._act_on(event)
        self._note(entry for event in taken if (entry := run_log.entry_of(event)))
        self._offset = lines.next_offset
        self._attempt.heard_at = timezone.now()
        return not lines.at_end

    def _note(self, entries: Iterable[dict[str, Any]]) -> None:
        def clean(value: Any) -> Any:
            return processes.redact(value, self._secrets) if isinstance(value, str) else value

        run_log.append(log_of(self._run), ({name: clean(value) for name, value in each.items()} for each in entries))

    def _act_on(self, event: Event) -> None:
        match event:
            case heard.Send(lines):
                self._send(list(lines))
            case heard.Started(session_id=session_id, model=model):
                self._attempt.session_id = session_id or self._attempt.session_id
                if model and self._run.session is not None:
                    declare_model(self._run.session, model)
            case heard.Turn():
                self._run.turns += 1
                if self._run.state == RunState.RATE_LIMITED:
                    self._go_on()
            case heard.Usage():
                self._usage = event
            case heard.Compacted():
                self._run.compactions += 1
            case heard.Asks():
                self._ask(event)
            case heard.Withdrawn(ask_id):
                self._attempt.asks.filter(ask_id=ask_id, state=AskState.OPEN).update(state=AskState.LAPSED)
            case heard.Retry(rate_limited=True) | heard.RateLimited():
                self._wait_for_provider()
            case heard.Ended():
                self._ended_at = time.monotonic()

    def _ask(self, event: heard.Asks) -> None:
        tool, question = (processes.redact(text, self._secrets) for text in (event.tool, event.summary))
        facts = {"run": self._run, "tool": tool[:200], "question": question}
        is_first = self._run.state == RunState.RUNNING
        with transaction.atomic():
            _, is_new = RunAsk.objects.get_or_create(attempt=self._attempt, ask_id=event.ask_id, defaults=facts)
            if is_new and not is_first:  # beside others, which is no change of the run's state
                note = {"run": self._run.public_id, "asks": tool[:200]}
                events.record(
                    actor=SUPERVISOR, verb=Verb.RUN, project=self._run.project_id, task=self._run.task, after=note
                )
        self._pause(RunState.ASKING, f"May it use {tool}? {question}")

    def _wait_for_provider(self) -> None:
        self._pause(RunState.RATE_LIMITED, "The agent's provider is busy.")

    def _pause(self, state: RunState, reason: str) -> None:
        if self._run.state == RunState.RUNNING:
            move(self._run, state, actor=SUPERVISOR, reason=reason)
            self._paused_at = time.monotonic()

    def _go_on(self) -> None:
        """Leave a pause, which does not count towards the run's time; what it still asks for is a pause again."""
        paused = timedelta(seconds=time.monotonic() - self._paused_at)
        deadline = self._run.deadline + paused if self._run.deadline else None
        move(self._run, RunState.RUNNING, actor=SUPERVISOR, deadline=deadline)
        self._watch = self._new_watch()
        if asked := self._attempt.asks.filter(state=AskState.OPEN).first():
            self._pause(RunState.ASKING, f"May it use {asked.tool}? {asked.question}")

    def _why_over(self, is_gone: bool) -> Over | None:
        if self._is_due("look", LOOK_SECONDS) and (over := self._look()):
            return over
        if is_gone:
            return Over()
        if self._talk.ended and (over := self._after_its_end()):
            return over
        return self._beyond() if self._is_due("watch", WATCH_SECONDS) else None

    def _look(self) -> Over | None:
        """Read what others have written about the run, and pass it on."""
        self._run.refresh_from_db(fields=["stop", "stopped_by", "deadline"])
        if self._run.stop:
            return Over(RunState(self._run.stop), f"Ended by {self._run.stopped_by}.")
        if why := why_not_its(self._run):
            return Over(RunState.KILLED, why)
        self._pass_on_answers()
        self._pass_on_messages()
        return None

    def _pass_on_answers(self) -> None:
        late = timezone.now() - timedelta(minutes=ASK_MINUTES)
        asks = self._attempt.asks
        asks.filter(state=AskState.OPEN, asked_at__lt=late).update(
            state=AskState.DENIED, reason="No one answered in time.", answered_at=timezone.now()
        )
        for ask in asks.filter(state__in=[AskState.ALLOWED, AskState.DENIED], sent_at=None):
            self._say(
                lambda ask=ask: self._talk.answer(ask.ask_id, allow=ask.state == AskState.ALLOWED, reason=ask.reason)
            )
            asks.filter(pk=ask.pk).update(sent_at=timezone.now())
        if self._run.state == RunState.ASKING and not asks.filter(state=AskState.OPEN).exists():
            self._go_on()

    def _pass_on_messages(self) -> None:
        if not self._talk.takes_messages:
            return
        for message in self._run.messages.filter(sent_at=None):
            self._say(lambda message=message: self._talk.message(message.text))
            self._note([{"kind": "message", "text": message.text, "by": message.written_by}])
            self._run.messages.filter(pk=message.pk).update(sent_at=timezone.now())
            self._ended_at = None

    def _say(self, make: Any) -> None:
        """Send lines; what the agent does not take any longer is dropped, since its end says more."""
        try:
            self._send(make())
        except Conflict as error:
            self._note([{"kind": "warned", "text": error.message}])

    def _send(self, lines: list[bytes], *, last: bool = False) -> None:
        try:
            processes.send(self._process, lines, last=last)
        except Conflict:
            return  # it has just exited, which the next look notices

    def _after_its_end(self) -> Over | None:
        """Ask once for a delivery that is missing; give the process some time to exit by itself."""
        if not is_delivered(self._run) and not self._attempt.follow_ups and self._talk.takes_messages:
            self._attempt.follow_ups += 1
            Attempt.objects.filter(pk=self._attempt.pk).update(follow_ups=self._attempt.follow_ups)
            self._note([{"kind": "message", "text": FOLLOW_UP}])
            self._say(lambda: self._talk.message(FOLLOW_UP))
            return None
        if self._ended_at is None:  # another supervisor saw it
            self._ended_at = time.monotonic()
        if not self._is_closed:
            self._is_closed = True
            self._send([], last=True)
        grace = GRACE_SECONDS if ADAPTERS[self._run.agent].heeds_end else 0
        return Over() if time.monotonic() - self._ended_at >= grace else None

    def _beyond(self) -> Over | None:
        """Return which limit was passed. An ask stops the clock of silence, not that of the whole run."""
        run = self._run
        if run.state == RunState.RUNNING and run.deadline and timezone.now() > run.deadline:
            return Over(RunState.TIMED_OUT, f"It took longer than {run.limits['minutes']} minutes.")
        if run.turns > run.limits["turns"]:
            return Over(RunState.FAILED, f"It took more than {run.limits['turns']} turns.")
        if run.cost_usd > Decimal(run.limits["cost_usd"]):
            return Over(RunState.FAILED, f"It cost more than {run.limits['cost_usd']} USD.")
        if cost_of_plan(run.plan_id) > self._settings.plan_cost_usd:
            return Over(RunState.FAILED, f"The runs of the plan cost more than {self._settings.plan_cost_usd} USD.")
        excess = self._watch.excess()
        self._memory = max(self._memory, processes.measure(self._process).memory_bytes)
        if excess is None or (excess == processes.Excess.IDLE and run.state != RunState.RUNNING):
            return None
        state, why = _EXCESS[excess]
        return Over(state, why.format(minutes=run.limits["idle_minutes"]))

    def _save(self) -> None:
        attempt = self._attempt
        totals = _totals(self._run, self._before, self._usage, self._memory) | {"offset": self._offset}
        if totals == self._saved:
            return
        self._saved = dict(totals)
        attempt.offset, attempt.usage = totals.pop("offset"), asdict(self._usage)
        write(self._run, **totals)
        Attempt.objects.filter(pk=attempt.pk).update(
            offset=attempt.offset, usage=attempt.usage, session_id=attempt.session_id, heard_at=attempt.heard_at
        )

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + seconds
        return True


def _totals_before(attempt: Attempt) -> heard.Usage:
    """Return what earlier attempts of the run used."""
    total = heard.Usage(cost_usd=0.0)
    for usage in attempt.run.attempts.exclude(pk=attempt.pk).values_list("usage", flat=True):
        total = replace(
            total,
            read_tokens=total.read_tokens + (usage.get("read_tokens") or 0),
            written_tokens=total.written_tokens + (usage.get("written_tokens") or 0),
            cached_tokens=total.cached_tokens + (usage.get("cached_tokens") or 0),
            cost_usd=(total.cost_usd or 0) + (usage.get("cost_usd") or 0),
        )
    return total


def _totals(run: Run, before: heard.Usage, usage: heard.Usage, memory: int) -> dict[str, Any]:
    return {
        "turns": run.turns,
        "compactions": run.compactions,
        "tokens_in": before.read_tokens + usage.read_tokens,
        "tokens_out": before.written_tokens + usage.written_tokens,
        "tokens_cached": before.cached_tokens + usage.cached_tokens,
        "context_used": usage.context or run.context_used,
        "context_peak": max(run.context_peak, usage.context or 0),
        "context_size": usage.window or run.context_size,
        "cost_usd": Decimal(str(round((before.cost_usd or 0) + (usage.cost_usd or 0), 6))),
        "memory_peak": memory,
    }
