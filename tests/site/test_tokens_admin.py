"""Access tokens in the admin: to be seen and ended, and nothing else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token, principal_of
from tests.factories import html_of, make_user, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/orchestrator_site/accesstoken/"


@pytest.fixture
def ada(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def revoke(client: Client, token: AccessToken) -> object:
    return client.post(LIST, {"action": "revoke", "_selected_action": [token.pk]}, follow=True)


def test_a_token_is_shown_without_its_digest(ada: Client) -> None:
    token, _ = create_token(owner=User.objects.get(), name="laptop")
    for address in (LIST, f"{LIST}{token.pk}/change/"):
        html = html_of(ada.get(address))
        assert "laptop" in html
        assert token.digest not in html


def test_tokens_can_be_neither_added_nor_changed_nor_deleted(ada: Client) -> None:
    token, _ = create_token(owner=User.objects.get(), name="laptop")
    assert ada.get(f"{LIST}add/").status_code == 403
    assert ada.post(f"{LIST}{token.pk}/change/", {"name": "other"}).status_code == 403
    assert ada.post(f"{LIST}{token.pk}/delete/", {"post": "yes"}).status_code == 403
    assert AccessToken.objects.get().name == "laptop"


def test_a_superuser_can_revoke_selected_tokens(ada: Client) -> None:
    token, secret = create_token(owner=User.objects.get(), name="laptop")
    _, kept = create_token(owner=User.objects.get(), name="kept")
    assert "1 revoked." in html_of(revoke(ada, token))
    assert principal_of(secret) is None
    assert principal_of(kept) is not None


def test_staff_with_view_permission_cannot_revoke() -> None:
    grace = make_user("grace", is_staff=True)
    grace.user_permissions.add(Permission.objects.get(codename="view_accesstoken"))
    client = Client()
    client.force_login(grace)
    token, secret = create_token(owner=make_user("ada", is_superuser=True), name="laptop")
    assert "laptop" in html_of(client.get(LIST))
    revoke(client, token)
    assert principal_of(secret) is not None
