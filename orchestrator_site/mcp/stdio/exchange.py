"""The exchange of a worker that runs: the next one serves before the old one goes. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from orchestrator_site.kernel.polling import poll
from orchestrator_site.mcp.stdio import messages
from orchestrator_site.mcp.stdio.framing import CONTROL, log
from orchestrator_site.mcp.stdio.link import Link
from orchestrator_site.mcp.stdio.relay import Relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How long a new worker may take until it serves; its imports take seconds on a busy machine.
START_SECONDS = 60.0
# How long calls in flight may take where a signal asks, and how long a worker may take to answer who asked and to stop.
FINISH_SECONDS = 30.0
ANSWER_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
_LISTS = ("tools", "prompts", "resources")


class Order:
    """A wanted restart. A call in a worker asks for it and gets the outcome, or a signal does.

    Wanted are `token` of the call, `timeout` in seconds, `is_trial`: only try whether a new worker serves; `reason`,
    `who`.
    """

    def __init__(self, asker: Link | None, wanted: dict[str, Any], site: Link | None = None) -> None:
        """`site` is a connection to it that is to serve, in place of a new worker."""
        self.asker = asker
        self.wanted = wanted
        self.site = site

    def answer(self, facts: dict[str, Any]) -> None:
        if self.asker:
            self.asker.send(messages.encode({CONTROL: "answer", "token": self.wanted.get("token"), "facts": facts}))


BY_SITE = {"timeout": FINISH_SECONDS, "reason": "the site runs", "who": "system"}
BY_CHANGE = Order(None, {"timeout": FINISH_SECONDS, "reason": "code or settings have changed", "who": "system"})
BY_SIGNAL = Order(None, {"timeout": FINISH_SECONDS, "reason": "signal", "who": "system"})


class Exchange:
    """Carries out restarts one after the other, in a thread of its own."""

    def __init__(
        self,
        relay: Relay,
        start: Callable[[bool, Link | None], Link | None],
        switch: Callable[[Link], tuple[bool, Link | None]],
    ) -> None:
        """`start` starts a worker, perhaps on trial, or takes the site, beside what serves; None once all ends.

        `switch` lets it serve, and returns whether it does and the one that served before.
        """
        self._relay = relay
        self._start = start
        self._switch = switch
        self._failures = 0
        self._not_before = 0.0
        # SimpleQueue.put may be called from a signal handler.
        self.orders: SimpleQueue[Order] = SimpleQueue()

    def run(self) -> None:
        while True:
            self._carry_out(self.orders.get())

    def _carry_out(self, order: Order) -> None:
        began = time.monotonic()
        if (seconds := self._not_before - began) > 0:
            order.answer({"problem": "The last restarts failed.", "retry_after_ms": int(seconds * 1000) + 1})
            if order.site:
                order.site.kill()
                order.site.reap(0)
            return
        is_trial = bool(order.wanted.get("is_trial"))
        worker, problem = self._start_next(is_trial, order.site)
        if worker is None:
            self._fail(order, problem)
            return
        self._failures = 0
        facts = {**worker.facts, "start_seconds": round(time.monotonic() - began, 3)}
        if is_trial:
            order.answer({**facts, "lists_changed": _changed(order.asker, worker)})
            self._stop(worker, is_done=True)
            return
        self._hand_over(order, worker, facts, began)

    def _start_next(self, is_trial: bool, site: Link | None) -> tuple[Link | None, str]:
        """Return a worker that serves, or why there is none."""
        try:
            worker = self._start(is_trial, site)
        except OSError as problem:
            return None, f"The system cannot start it: {problem.strerror}."
        if worker is None:
            return None, "The connection is ending."
        if not worker.has_reported.wait(START_SECONDS):
            worker.kill()
            return None, f"It did not serve within {START_SECONDS:.0f} s."
        if worker.has_ended or "problem" in worker.facts:
            return None, worker.facts.get("problem") or "It ended before it served; the log has the reason."
        return worker, ""

    def _fail(self, order: Order, problem: str) -> None:
        """Leave the old worker as it is; further attempts have to wait, longer with each that fails."""
        pause = min(2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._not_before = time.monotonic() + pause
        log(f"the restart failed, the worker before goes on: {problem}")
        self._conclude(order, {"problem": problem, "retry_after_ms": int(pause * 1000)})

    def _conclude(self, order: Order, facts: dict[str, Any]) -> None:
        """Tell who asked for it what was done, and the worker that serves now, which records it."""
        about = {name: order.wanted.get(name) for name in ("reason", "who")}
        order.answer(facts)
        if not order.wanted.get("is_trial"):
            self._relay.tell(messages.encode({CONTROL: "restarted", "facts": facts | about}))

    def _hand_over(self, order: Order, worker: Link, facts: dict[str, Any], began: float) -> None:
        switched = time.monotonic()
        serves, old = self._switch(worker)
        if not serves:
            self._fail(order, "It ended as soon as it served; the log has the reason.")
            return
        changed = _changed(old, worker)
        self._relay.announce(changed)
        facts |= {"switch_seconds": round(time.monotonic() - switched, 3), "lists_changed": changed}
        Thread(target=self._retire, args=[order, old, facts, began], name="retire", daemon=True).start()

    def _retire(self, order: Order, old: Link | None, facts: dict[str, Any], began: float) -> None:
        """Let the old worker finish its calls, say what was done, and end it."""
        carried = self._wait_for_calls(old, order.wanted.get("timeout", FINISH_SECONDS)) if old else (0, 0)
        before = {f"old_{name}": old.facts.get(name) for name in ("pid", "version")} if old else {}
        facts |= before | {"calls_finished": carried[0], "calls_cut_off": carried[1]}
        facts["seconds"] = round(time.monotonic() - began, 3)
        self._conclude(order, facts)
        if old:
            self._stop(old, is_done=not carried[1])

    def _wait_for_calls(self, old: Link, seconds: float) -> tuple[int, int]:
        """Return how many calls it finished, and how many it still had at the end of the time."""
        _, in_flight = self._relay.calls_of(old)
        poll(lambda: old.has_ended or not self._relay.calls_of(old)[1], seconds=seconds)
        _, left = self._relay.calls_of(old)
        return in_flight - left, left

    def _stop(self, old: Link, *, is_done: bool) -> None:
        poll(lambda: old.has_ended or not self._relay.calls_of(old)[0], seconds=ANSWER_SECONDS)
        if is_done:
            old.send(messages.encode({CONTROL: "stop"}))
            poll(lambda: old.has_ended, seconds=ANSWER_SECONDS)
        if not old.has_ended:
            old.kill()


def _changed(old: Link | None, new: Link) -> list[str]:
    """Return which lists differ; all of them where the old worker did not say what it lists."""
    before, after = ((worker.facts.get("lists") or {}) if worker else {} for worker in (old, new))
    return [kind for kind in _LISTS if before.get(kind) != after.get(kind)]
