"""The product's settings with jobs that take long or kill their process."""

from orchestrator_site.settings import *  # noqa: F403
from orchestrator_site.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.site.trial"]
