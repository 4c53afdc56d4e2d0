"""The product's settings with very little room."""

from orchestrator_site.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.mcp.small.application"
