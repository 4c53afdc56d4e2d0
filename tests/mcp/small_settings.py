"""The product's settings with an application of little patience."""

from orchestrator_site.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.mcp.small.application"
