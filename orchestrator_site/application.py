"""The ASGI application that uvicorn serves: the bridge at its address, the site at all others."""

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
    """Close what a request has opened. Each runs in a thread of its own, so nobody would ever use it again."""
    if not connection.in_atomic_block:
        connection.close()


# Of requests that this application served, and no others: those of Django's test client end in the test's own thread.
request_finished.connect(close_connection, sender=Site, dispatch_uid="close_connection")

site: Any = Site()
application: Any = mounted(bounded(site))
