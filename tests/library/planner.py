"""Plans what is due in a process of its own: `python -m tests.library.planner NOW [die]`.

It writes `ready`, begins with a line on its input, and writes how many it planned. With `die` it kills itself once the
plan is there, before the transaction ends.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from typing import Any

import django


def main(now: str, die: str = "") -> None:
    django.setup()
    from tasks.library.services import recurring

    if die:
        apply = recurring.apply_template

        def and_die(**given: Any) -> None:
            apply(**given)
            os.kill(os.getpid(), signal.SIGKILL)

        recurring.apply_template = and_die  # type: ignore[assignment]
    print("ready", flush=True)
    for _ in sys.stdin:
        print(recurring.run_due(now=datetime.fromisoformat(now)).planned, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
