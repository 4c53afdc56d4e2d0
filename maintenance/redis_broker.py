"""The queue in Redis, where ORCHESTRATOR_QUEUE_URL names one: it may be away while the database is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from django.conf import settings
from django_q.brokers.redis_broker import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator_site.kernel.errors import Transient

CONNECT_SECONDS = 2.0


class RedisBroker(Redis):  # type: ignore[misc]  # it has no types
    """Raises Transient where Redis cannot be reached. A job that a worker has is in it no more: schedules repeat it."""

    def enqueue(self, task: str) -> Any:
        with _errors_mapped():
            return super().enqueue(task)

    def queue_size(self) -> int:
        with _errors_mapped():
            return int(super().queue_size())

    @staticmethod
    def get_connection(list_key: str | None = None) -> redis.Redis:
        return redis.Redis.from_url(
            settings.ORCHESTRATOR_QUEUE_URL, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 1)
        )


@contextmanager
def _errors_mapped() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Transient("The queue cannot be reached.") from error
