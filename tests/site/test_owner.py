"""The local owner."""

from __future__ import annotations

import getpass

import pytest
from django.contrib.auth.models import User

from orchestrator_site.accounts.owner import local_owner


def named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: name)


def test_the_owner_is_a_superuser_without_a_password(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "ada")
    owner = local_owner()
    assert (owner.username, owner.is_superuser, owner.is_staff) == ("ada", True, True)
    assert not owner.has_usable_password()


def test_the_owner_is_made_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_owner() == local_owner()
    named(monkeypatch, "somebody-else")
    local_owner()
    assert User.objects.count() == 1


def test_an_existing_superuser_is_the_owner(db: None) -> None:
    ada = User.objects.create_superuser("ada")
    assert local_owner() == ada


def test_a_user_of_the_same_name_gains_no_rights(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "ada")
    ada = User.objects.create_user("ada")
    User.objects.create_user("owner")
    assert local_owner().username == "owner-2"
    ada.refresh_from_db()
    assert not ada.is_superuser


@pytest.mark.parametrize(
    ("name", "username"), [("Ada Lovelace", "AdaLovelace"), ("!?", "owner"), ("x" * 200, "x" * 150)]
)
def test_an_invalid_user_name_is_cleaned(db: None, monkeypatch: pytest.MonkeyPatch, name: str, username: str) -> None:
    named(monkeypatch, name)
    owner = local_owner()
    owner.full_clean(exclude=["password"])
    assert owner.username == username


def test_without_a_user_name_the_owner_is_called_owner(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert local_owner().username == "owner"
