"""The product's settings with a web server that cannot start."""

from orchestrator_site.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.site.trial.missing.application"
