"""The ASGI application that uvicorn serves: MCP at its URL, the site at all others."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

django.setup(set_prefix=False)

# These need Django to be set up.
from django.core.signals import request_finished  # noqa: E402
from django.db import connection  # noqa: E402

from orchestrator_site.asgi.body_limit import bounded  # noqa: E402
from orchestrator_site.asgi.streaming_body import Site  # noqa: E402
from orchestrator_site.mount import mounted  # noqa: E402


def close_connection(**_: Any) -> None:
    """Close the connection of a request. Each request runs in a thread of its own, so none would reuse it."""
    if not connection.in_atomic_block:
        connection.close()


# Only for requests that this application served: those of Django's test client end in the test's own thread.
request_finished.connect(close_connection, sender=Site, dispatch_uid="close_connection")

site: Any = Site()
application: Any = mounted(bounded(site))
