"""The content store that the settings name."""

from __future__ import annotations

from django.conf import settings

from artifacts.storage.base import ContentStore
from artifacts.storage.local import LocalStore, folder


def content_store() -> ContentStore:
    if settings.ORCHESTRATOR_CONTENT_URL:
        from artifacts.storage.s3 import s3_store  # its packages are optional

        return s3_store(settings.ORCHESTRATOR_CONTENT_URL)
    return LocalStore(folder())
