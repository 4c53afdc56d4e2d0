"""The product's settings with an app whose tools block, die and print."""

from orchestrator_site.settings import *  # noqa: F403
from orchestrator_site.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.mcp.trial"]
