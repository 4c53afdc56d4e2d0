"""Start agents for queued runs, and look after them, until a signal comes."""

from __future__ import annotations

import logging
import signal
from functools import partial
from threading import Event
from typing import Any

from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.management.errors import command_errors
from orchestrator_site.up.address import is_reachable, recall
from tasks.agents.supervisor.following import Orders
from tasks.agents.supervisor.loop import Loop


class Command(PlainCommand):
    help = (
        "Start agents for queued runs and look after them. `manage.py up` runs one; several may run. "
        "SIGTERM ends its runs, SIGHUP leaves them to the next one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        orders = Orders()
        signals = {"SIGTERM": orders.end, "SIGINT": orders.end, "SIGBREAK": orders.end, "SIGHUP": orders.leave}
        for name, order in signals.items():
            if number := getattr(signal, name, None):
                signal.signal(number, partial(_give, order))
        logging.getLogger("tasks.agents").setLevel(logging.INFO)
        with command_errors("The supervisor of agents cannot start: {}."):
            Loop(_board, orders).run()


def _give(order: Event, *_: Any) -> None:
    order.set()


def _board() -> str:
    address = recall()
    return address if is_reachable(f"{address}/healthz") else ""
