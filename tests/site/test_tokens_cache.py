"""Principals are cached for a second, but never beyond a revocation by this process."""

from __future__ import annotations

import pytest

from orchestrator_site.kernel.identity import Principal
from orchestrator_site.tokens import auth_cache, bearer, service
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    auth_cache.clear()


def make_token() -> tuple[service.AccessToken, str]:
    return service.create_token(owner=make_user(is_superuser=True), name="laptop")


def test_a_second_request_needs_no_query(django_assert_num_queries: pytest.FixtureRequest) -> None:
    _, secret = make_token()
    bearer.authenticate(secret, address="test")

    with django_assert_num_queries(0):  # type: ignore[operator]
        assert bearer.recent_principal(secret) is not None


def test_a_principal_is_cached_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = make_token()
    bearer.authenticate(secret, address="test")
    now = auth_cache.time.monotonic()
    monkeypatch.setattr(auth_cache.time, "monotonic", lambda: now + auth_cache.SECONDS)

    assert bearer.recent_principal(secret) is None


def test_a_revoked_token_is_not_cached() -> None:
    token, secret = make_token()
    bearer.authenticate(secret, address="test")

    service.revoke_token(token=token)

    assert bearer.recent_principal(secret) is None


def test_a_lookup_that_began_before_the_revocation_is_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    token, secret = make_token()

    def revoke_during_lookup(secret: str) -> Principal | None:
        found = service.principal_of(secret)
        service.revoke_token(token=token)
        return found

    monkeypatch.setattr(bearer, "principal_of", revoke_during_lookup)
    bearer.authenticate(secret, address="test")

    assert bearer.recent_principal(secret) is None
