"""The product's settings with an application that `manage.py up` serves in place of the product's own."""

import os

from orchestrator_site.settings import *  # noqa: F403

ASGI_APPLICATION = f"tests.conformance.asgi.{os.environ['CONFORMANCE_SERVES']}"
