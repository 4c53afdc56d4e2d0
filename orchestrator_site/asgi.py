"""The ASGI application that uvicorn serves: the bridge at its address, the site at all others."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")

django.setup(set_prefix=False)

from orchestrator_site.arriving import Site  # noqa: E402
from orchestrator_site.bodies import bounded  # noqa: E402  -- its parts need Django to be set up
from orchestrator_site.mcp.mount import mounted  # noqa: E402

application: Any = mounted(bounded(Site()))
