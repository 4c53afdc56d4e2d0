"""Guessing passwords is slowed by address and by name, and logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orchestrator_site.accounts import forms
from orchestrator_site.accounts.forms import FAILURES
from orchestrator_site.tokens.bearer import FailureThrottle

PHRASE = "a long enough phrase"
PAGES = ["/sign-in/", "/admin/login/"]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("by_address", "by_name"):
        monkeypatch.setattr(forms, name, FailureThrottle(FAILURES, 60.0))


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser("ada", password=PHRASE)


def sign_in(page: str, name: str = "ada", password: str = "wrong", address: str = "10.0.0.1") -> Any:
    return Client(REMOTE_ADDR=address).post(page, {"username": name, "password": password, "next": "/"})


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("by", ["address", "name"])
def test_after_too_many_wrong_ones_even_the_right_one_has_to_wait(ada: User, page: str, by: str) -> None:
    for number in range(FAILURES):
        other = {"name": f"user-{number}"} if by == "address" else {"address": f"10.0.1.{number}", "name": "ADA"}
        assert sign_in(page, **other).status_code == 200
    refused = sign_in(page, password=PHRASE)
    assert "_auth_user_id" not in refused.client.session
    other = {"name": "ada", "address": "10.0.0.2"} if by == "address" else {"name": "bob"}
    assert forms.by_name.failed("someone else") == 0
    assert sign_in(page, **other).context["form"].wait_seconds == 0


def test_a_password_that_was_not_checked_is_429_with_the_time_to_wait(ada: User) -> None:
    answers = [sign_in("/sign-in/") for _ in range(FAILURES + 1)]
    assert [answer.status_code for answer in answers] == [200] * FAILURES + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 61


def test_no_more_are_checked_at_once_and_waiting_is_not_counted(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "CHECK_WAIT_SECONDS", 0.0)
    for _ in range(forms.CHECKS_AT_ONCE):
        assert forms.checks.acquire(blocking=False)
    try:
        answers = [sign_in("/sign-in/", password=PHRASE) for _ in range(FAILURES + 1)]
        assert {(answer.status_code, "Retry-After" in answer) for answer in answers} == {(429, True)}
    finally:
        forms.checks.release(forms.CHECKS_AT_ONCE)
    assert sign_in("/sign-in/", password=PHRASE).status_code == 302


def test_a_check_ends_with_its_request(ada: User) -> None:
    for password in ("wrong", PHRASE, "wrong", PHRASE):
        sign_in("/sign-in/", password=password)
    assert all(forms.checks.acquire(blocking=False) for _ in range(forms.CHECKS_AT_ONCE))
    forms.checks.release(forms.CHECKS_AT_ONCE)


def test_names_that_are_not_checked_make_no_other_forgotten(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_site.tokens.bearer._ADDRESSES", 20)
    for number in range(FAILURES + 1):
        sign_in("/sign-in/", address=f"10.0.1.{number}")
    for number in range(2 * FAILURES + 1):
        sign_in("/sign-in/", name=f"user-{number}", address="10.0.0.9")
    assert sign_in("/sign-in/", password=PHRASE, address="10.0.0.3").status_code == 429


def test_signing_in_often_is_not_slowed(ada: User) -> None:
    answers = [sign_in("/sign-in/", password=PHRASE).status_code for _ in range(FAILURES + 5)]
    assert answers == [302] * (FAILURES + 5)


def test_wrong_ones_are_logged_without_the_password(ada: User, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, forms.__name__):
        for _ in range(FAILURES + 1):
            sign_in("/sign-in/", name="ada\n", password="hunter2")
    lines = [record.getMessage() for record in caplog.records if record.name == forms.__name__]
    assert len(lines) == FAILURES + 1
    assert all("'ada" in line and "'10.0.0.1'" in line and "hunter2" not in line and "\n" not in line for line in lines)
