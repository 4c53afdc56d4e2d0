"""The product's settings with requests that never end."""

from orchestrator_site.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.site.trial.unending.application"
