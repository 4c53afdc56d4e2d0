"""One-time links: made, shown, used once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone

from orchestrator_site.accounts.links import make_link, use_link
from orchestrator_site.models import SignInLink


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_superuser("ada")


def token_of(link: str) -> str:
    return link.removeprefix("/sign-in/").rstrip("/")


def test_a_click_signs_in_and_goes_to_the_projects(client: Client, owner: User) -> None:
    answer = client.post(make_link(owner))
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(owner.pk)


def test_a_get_does_not_use_the_link(client: Client, owner: User) -> None:
    link = make_link(owner)
    assert [client.get(link).status_code, client.head(link).status_code, client.get(link).status_code] == [200] * 3
    assert "_auth_user_id" not in client.session
    assert client.post(link).status_code == 302


def test_a_link_works_once(client: Client, owner: User) -> None:
    link = make_link(owner)
    client.post(link)
    stranger = Client()
    assert stranger.post(link).status_code == 410
    assert stranger.get(link).status_code == 410
    assert "_auth_user_id" not in stranger.session


def test_a_link_expires_after_15_minutes(client: Client, owner: User) -> None:
    link = make_link(owner)
    SignInLink.objects.update(created_at=timezone.now() - timedelta(minutes=15), expires_at=timezone.now())
    assert client.get(link).status_code == 410
    assert client.post(link).status_code == 410


def test_a_link_does_not_live_longer_because_the_clock_was_set_back(client: Client, owner: User) -> None:
    link, ahead = make_link(owner), timezone.now() + timedelta(hours=9)
    SignInLink.objects.update(created_at=ahead, expires_at=ahead + timedelta(minutes=15))
    assert client.get(link).status_code == 410
    assert client.post(link).status_code == 410


def test_a_link_of_an_inactive_user_is_gone(client: Client, owner: User) -> None:
    link = make_link(owner)
    User.objects.update(is_active=False)
    assert client.get(link).status_code == 410
    assert client.post(link).status_code == 410


@pytest.mark.parametrize("token", ["x", "a" * 43, "ü" * 43, "%00" * 20])
def test_an_unknown_token_gets_the_same_answer_as_a_used_one(client: Client, db: None, token: str) -> None:
    answer = client.post(f"/sign-in/{token}/")
    assert answer.status_code == 410
    assert "manage.py sign_in_link" in answer.content.decode()


def test_only_a_digest_of_the_token_is_stored(owner: User) -> None:
    token = token_of(make_link(owner))
    kept = SignInLink.objects.values().get()
    assert len(token) >= 43
    assert token not in str(kept)


@pytest.mark.parametrize("used", [False, True])
def test_the_page_is_not_cached_and_sends_no_referrer(client: Client, owner: User, used: bool) -> None:
    link = make_link(owner)
    if used:
        use_link(token_of(link))
    answer = client.get(link)
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "strict-origin"


def test_a_form_on_another_site_cannot_use_the_link(owner: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    link = make_link(owner)
    assert strict.post(link).status_code == 403
    assert use_link(token_of(link)) == owner


def test_old_links_are_deleted_when_a_new_one_is_made(owner: User) -> None:
    long_ago = timezone.now() - timedelta(days=3)
    SignInLink.objects.create(digest="0", user=owner, created_at=long_ago, expires_at=long_ago + timedelta(minutes=15))
    make_link(owner)
    assert not SignInLink.objects.filter(digest="0").exists()


def test_the_database_rejects_a_link_without_a_lifetime(owner: User) -> None:
    now = timezone.now()
    with pytest.raises(IntegrityError):
        SignInLink.objects.bulk_create([SignInLink(digest="0", user=owner, created_at=now, expires_at=now)])


@pytest.mark.django_db(transaction=True)
def test_one_of_eight_concurrent_requests_signs_in() -> None:
    token = token_of(make_link(User.objects.create_superuser("ada")))
    together = threading.Barrier(8)
    winners: list[User | None] = []

    def use() -> None:
        together.wait()
        winners.append(use_link(token))
        connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 8
    assert [user.username for user in winners if user] == ["ada"]
