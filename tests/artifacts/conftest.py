"""Both stores of content, each as it is used: a folder, and an object store in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_django import Settings

from artifacts.storage import s3
from artifacts.storage.backends import content_store
from tests.artifacts.object_store import object_store
from tests.artifacts.shelf import FolderShelf, ObjectShelf, Shelf


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Return the address of an object store with a bucket `works`."""
    s3._client.cache_clear()
    with object_store() as address:
        yield address


@pytest.fixture
def s3_shelf(s3_address: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Keep content in the object store, below a prefix of this test alone."""
    for name, value in {"ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key", "ENDPOINT_URL_S3": s3_address}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    settings.ORCHESTRATOR_HOME = tmp_path
    settings.ORCHESTRATOR_CONTENT_URL = f"s3://works/{uuid4().hex}"
    store = content_store()
    assert isinstance(store, s3.S3Store)
    return ObjectShelf(store)


@pytest.fixture
def folder_shelf(settings: Settings, tmp_path: Path) -> Shelf:
    """Keep content in a folder of this test alone."""
    settings.ORCHESTRATOR_HOME = tmp_path
    return FolderShelf(tmp_path / "content")


@pytest.fixture(params=["folder_shelf", "s3_shelf"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """Run the test on either."""
    found: Shelf = request.getfixturevalue(request.param)
    return found
