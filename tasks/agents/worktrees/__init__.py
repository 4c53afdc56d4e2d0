"""Git worktrees of runs: made, filled, collected, compared, merged and removed.

The supervisor calls, in this order: `locate` once per project, `make` (or `restore`, `current`), `copy_ignored`, its
own run of the project's setup command; after the run's last process is gone `clear_locks`, `collect`, and later
`remove`. Pages and tools call `difference`, `behind`, `forecast` and `merge`; the sweep `sizes` and `sweepable`.

After a run, its worktree may hold anything, and so may the repository if the run was not in a jail. So Git never reads
the worktree's own `.git`: every call names the repository's folder, a temporary index and, where needed, the folder
with the files. Programs that a configuration names (hooks, fsmonitor, filters, merge drivers, textconv) are switched
off, no transport is allowed, and the repository's configuration, hooks, `info/` and branches are compared with those
before the run first. The one exception is Git LFS, if it is configured as it installs itself.

All functions wait for Git, with a time limit, and may be called from several threads. They raise what
`orchestrator_site/kernel/errors.py` defines: `Unavailable` if Git is missing or older than 2.38, `Transient` if the
time is up, `Conflict` if Git refuses, and what each function names. Limits: a partial clone works only with the objects
that it has, since nothing is fetched; a sparse checkout gets worktrees with all files.
"""

from tasks.agents.worktrees.collecting import collect, tampering
from tasks.agents.worktrees.copying import copy_ignored
from tasks.agents.worktrees.making import (
    clear_locks,
    current,
    discard,
    has_branch,
    locate,
    make,
    remove,
    restore,
    trusted,
)
from tasks.agents.worktrees.merging import behind, difference, forecast, merge
from tasks.agents.worktrees.records import (
    Changed,
    Clash,
    Collected,
    Copied,
    Forecast,
    Kind,
    Link,
    Merged,
    Mode,
    Size,
    Worktree,
)
from tasks.agents.worktrees.sweeping import sizes, sweepable

__all__ = [
    "Changed",
    "Clash",
    "Collected",
    "Copied",
    "Forecast",
    "Kind",
    "Link",
    "Merged",
    "Mode",
    "Size",
    "Worktree",
    "behind",
    "clear_locks",
    "collect",
    "copy_ignored",
    "current",
    "difference",
    "discard",
    "forecast",
    "has_branch",
    "locate",
    "make",
    "merge",
    "remove",
    "restore",
    "sizes",
    "sweepable",
    "tampering",
    "trusted",
]
