"""The product's settings with the jobs of the trial."""

from orchestrator_site.settings import *  # noqa: F403
from orchestrator_site.settings import INSTALLED_APPS as _APPS
from orchestrator_site.settings import Q_CLUSTER as _CLUSTER
from orchestrator_site.settings import env as _env

INSTALLED_APPS = [*_APPS, "tests.maintenance.trial.apps.Trial"]
# With rounds of half a minute the cluster looks at its schedules at once. It kills a job whose remaining time, less a
# round each time, is exactly zero, which it never is with rounds of a tenth of a second.
Q_CLUSTER = {**_CLUSTER, "guard_cycle": _env.float("TRIAL_GUARD_CYCLE", default=0.25)}
