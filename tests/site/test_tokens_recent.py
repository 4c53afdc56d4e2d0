"""Who was proved a moment ago: for a second, and never beyond a revocation by this process."""

from __future__ import annotations

import pytest

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.tokens import auth_cache, bearer, service
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_is_remembered() -> None:
    auth_cache.forget()


def make_token() -> tuple[service.AccessToken, str]:
    return service.create_token(owner=make_user(is_superuser=True), name="laptop")


def test_a_second_request_asks_no_database(django_assert_num_queries: pytest.FixtureRequest) -> None:
    _, secret = make_token()
    bearer.authenticate(secret, address="test")

    with django_assert_num_queries(0):  # type: ignore[operator]
        assert bearer.proved_recently(secret) is not None


def test_a_second_later_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = make_token()
    bearer.authenticate(secret, address="test")
    now = auth_cache.time.monotonic()
    monkeypatch.setattr(auth_cache.time, "monotonic", lambda: now + auth_cache.SECONDS)

    assert bearer.proved_recently(secret) is None


def test_a_revoked_token_is_not_remembered() -> None:
    token, secret = make_token()
    bearer.authenticate(secret, address="test")

    service.revoke_token(token=token)

    assert bearer.proved_recently(secret) is None


def test_a_look_that_began_before_the_revocation_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    token, secret = make_token()

    def revoked_meanwhile(secret: str) -> Principal | None:
        found = service.principal_of(secret)
        service.revoke_token(token=token)
        return found

    monkeypatch.setattr(bearer, "principal_of", revoked_meanwhile)
    bearer.authenticate(secret, address="test")

    assert bearer.proved_recently(secret) is None
