"""Starting, watching, adopting and ending the processes of runs.

The supervisor calls these functions, from one thread per run. All are synchronous; what waits takes a time limit. They
keep nothing that another process would need: all there is to know lies in the run folder and in a `Process`, so a
supervisor goes on with what a killed one had started.

    process = start(run_id=…, folder=…, argv=…, environment=…, cwd=…, first_input=…, stdin_stays_open=…, jail=…)
    is_alive(process)                       still that one, and not another process with its pid
    send(process, lines)                    further input; `last=True` ends it
    read(process, offset, log=Log.EVENTS)   lines of a log from a byte offset
    wait(process, seconds=…)                an Exit, or None while the agent runs
    measure(process)                        memory, processes, size of the logs
    Watch(process, …).excess()              why it has to be ended by now, or None
    end(process, interrupt=…, grace=…)      an Ended: afterwards nothing of the run is left
    strays(run_ids), end_strays(run_ids)    processes of runs that have ended, by the marker in their environment
    probe_jail()                            why agents cannot be jailed here, or None
    redact(text, secrets)                   what may be shown of a log
    ports(index)                            the variables that give a run ports of its own

An agent whose job is done gets `send(process, [], last=True)` and some seconds to exit by itself, then `end`.

`start` puts a keeper (`keeper.py`) between supervisor and agent. It outlives the supervisor, passes on input, copies
output into the logs up to their limits, inherits what the agent orphans, and notes the exit code.

What a run leaves behind is found below its keeper and by its marker. Only an agent that kills its keeper and has erased
the marker of a daemon keeps that daemon, and not in a jail, where all processes end with the first.

A run folder, mode 0700: `agent` (its pid), `input` (all that was sent; `input.ended` once no more is
taken), `in` (a FIFO that wakes the keeper), `events.jsonl` and `stderr.log` (what the agent wrote), `exit` (its exit
code), `home/`, `outbox/` and `tmp/` (writable in a jail), and the files that `start` was given.

They raise `Unavailable` (no such program, no such system, a full disk), `Conflict` (started already, does not run) and
what `disk_fault` makes of other errors of the file system.
"""

from __future__ import annotations

from tasks.agents.processes.ending import end, end_strays, strays
from tasks.agents.processes.environment import ports
from tasks.agents.processes.identity import is_alive
from tasks.agents.processes.jail import probe_jail
from tasks.agents.processes.logs import read, redact
from tasks.agents.processes.messages import send
from tasks.agents.processes.model import (
    Ended,
    Excess,
    Exit,
    Jail,
    Limits,
    Lines,
    Log,
    Measured,
    Process,
    Stray,
)
from tasks.agents.processes.starting import start
from tasks.agents.processes.watching import Watch, measure, wait

__all__ = [
    "Ended", "Excess", "Exit", "Jail", "Limits", "Lines", "Log", "Measured", "Process", "Stray", "Watch", "end",
    "end_strays", "is_alive", "measure", "ports", "probe_jail", "read", "redact", "send", "start", "strays",
    "wait",
]  # fmt: skip
