"""Whoever tries token after token is slowed down, and nobody else."""

from __future__ import annotations

import logging

import pytest

from orchestrator_site.tokens import bearer
from orchestrator_site.tokens.bearer import FailureThrottle, TokenError, authenticate, bearer_of
from orchestrator_site.tokens.service import create_token
from tests.factories import make_user


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until its only entry is changed."""
    now = [1000.0]
    monkeypatch.setattr(bearer.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def failures(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> FailureThrottle:
    """A throttle that allows three failures in a minute, in the place of the real one."""
    made = FailureThrottle(failures=3, window_seconds=60)
    monkeypatch.setattr(bearer, "failures", made)
    return made


def test_failures_are_counted_by_address_in_a_window(failures: FailureThrottle, clock: list[float]) -> None:
    assert [failures.failed("a") for _ in range(4)] == [0, 0, 0, 61]
    assert failures.failed("b") == 0
    clock[0] += 30
    assert failures.failed("a") == 31
    clock[0] += 30
    assert failures.failed("a") == 0


def test_the_number_of_addresses_is_limited() -> None:
    counting = FailureThrottle(failures=3)
    for number in range(bearer._ADDRESSES + 100):
        counting.failed(str(number))
    assert len(counting._counted) == bearer._ADDRESSES


@pytest.mark.django_db
def test_a_valid_token_is_never_throttled(failures: FailureThrottle) -> None:
    _, secret = create_token(owner=make_user(is_superuser=True), name="laptop")
    for _ in range(10):
        with pytest.raises(TokenError):
            authenticate("mto_wrong", address="10.0.0.1")
    assert authenticate(secret, address="10.0.0.1").name == "ada/laptop"


@pytest.mark.django_db
def test_too_many_failures_get_a_retry_after(failures: FailureThrottle) -> None:
    answers = []
    for _ in range(4):
        with pytest.raises(TokenError) as raised:
            authenticate("mto_wrong", address="10.0.0.1")
        answers.append((raised.value.status, raised.value.headers))
    assert [status for status, _ in answers] == [401, 401, 401, 429]
    assert answers[0][1]["WWW-Authenticate"].startswith('Bearer realm="task-orchestrator", error="invalid_token"')
    assert answers[3][1] == {"Retry-After": "61"}


@pytest.mark.django_db
def test_a_request_without_any_token_does_not_count(failures: FailureThrottle) -> None:
    for _ in range(10):
        with pytest.raises(TokenError) as raised:
            authenticate(None, address="10.0.0.1")
        assert raised.value.status == 401


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["mto_" + "s3cret" * 7, "s3cret" * 1000])
def test_neither_the_error_nor_the_log_holds_the_secret(
    failures: FailureThrottle, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(TokenError) as raised:
        authenticate(wrong, address="10.0.0.1")
    assert "s3cret" not in f"{raised.value.message} {raised.value.headers} {caplog.text}"
    assert "10.0.0.1" in caplog.text


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer mto_x", "mto_x"),
        ("bearer  mto_x ", "mto_x"),
        ("Basic YWRhOng=", None),
        ("Bearer ", None),
        ("mto_x", None),
        ("", None),
    ],
)
def test_a_token_is_read_only_from_a_bearer_header(header: str, secret: str | None) -> None:
    assert bearer_of(header) == secret
