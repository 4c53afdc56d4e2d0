"""Which states of a run follow which; nothing else sets one."""

from __future__ import annotations

from tasks.agents.choices import ENDED, RESUMABLE, RunState

_ENDINGS = frozenset(ENDED)
TABLE: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.PREPARING, RunState.FAILED, RunState.KILLED}),
    RunState.PREPARING: frozenset({RunState.RUNNING, RunState.QUEUED, RunState.STOPPING, RunState.COLLECTING}),
    RunState.RUNNING: frozenset({RunState.ASKING, RunState.RATE_LIMITED, RunState.STOPPING}),
    RunState.ASKING: frozenset({RunState.RUNNING, RunState.STOPPING}),
    RunState.RATE_LIMITED: frozenset({RunState.RUNNING, RunState.STOPPING}),
    # A provider that takes nothing more ends the process, not the run: it waits in the queue.
    RunState.STOPPING: frozenset({RunState.COLLECTING, RunState.QUEUED}),
    RunState.COLLECTING: _ENDINGS,
    **dict.fromkeys(RESUMABLE, frozenset({RunState.QUEUED})),
    RunState.SUCCEEDED: frozenset(),
    RunState.TAMPERED: frozenset({RunState.COLLECTING}),  # once a person trusts it
}
