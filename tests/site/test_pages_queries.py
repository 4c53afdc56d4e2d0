"""How many queries a page takes does not depend on how much it shows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import make_user
from tests.site.test_pages_permissions import SEEN_BY
from tests.tour import World, grow, make_world

pytestmark = pytest.mark.django_db

FEW, MANY = 24, 30
WHOLE = {"artifact-raw", "files-zip", "task-zip"}
"""Answers that read each work as they send it."""


def test_a_page_takes_as_many_queries_for_many_rows_as_for_few(client: Client) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    names = sorted(set(SEEN_BY) - WHOLE)
    world = make_world()
    grow(world, FEW)
    few = {name: _queries(client, world, name) for name in names}
    grow(world, MANY)
    many = {name: _queries(client, world, name) for name in names}
    assert {name: many[name] for name in names if len(many[name]) > len(few[name])} == {}


def _queries(client: Client, world: World, name: str) -> list[str]:
    address = world.address(name)
    client.get(address)  # the first visit renders work, and caches it
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return [str(each["sql"])[:300] for each in captured.captured_queries]
