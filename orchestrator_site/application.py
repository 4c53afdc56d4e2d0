"""The ASGI application that uvicorn serves."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

django.setup(set_prefix=False)

# These need Django's settings.
from django.core.signals import request_finished  # noqa: E402
from django.db import connection  # noqa: E402

from maintenance.upgrades.failure import serve_read_only_where_failed  # noqa: E402
from orchestrator_site.accounts.credentials import credential_of, sender_of  # noqa: E402
from orchestrator_site.asgi.site import Site  # noqa: E402
from orchestrator_site.mount import mounted  # noqa: E402


def close_connection(**_: Any) -> None:
    """Close the connection that a request opened. Each request has its own thread, so no other could reuse it."""
    if not connection.in_atomic_block:
        connection.close()


# Only for requests to this application: those of Django's test client end in the thread of the test.
request_finished.connect(close_connection, sender=Site, dispatch_uid="close_connection")

serve_read_only_where_failed()
site: Any = Site(sender_of, credential_of)
application: Any = mounted(site)
