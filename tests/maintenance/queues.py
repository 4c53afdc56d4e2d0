"""Let this process queue jobs in Redis."""

from __future__ import annotations

import pytest
from django.conf import settings
from django_q.conf import Conf

UNREACHABLE = "redis://127.0.0.1:1/0"


def use_redis(url: str, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settings, "ORCHESTRATOR_QUEUE_URL", url)
    patch.setattr(Conf, "BROKER_CLASS", "maintenance.redis_broker.RedisBroker")
