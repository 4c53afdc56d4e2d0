"""What the service promises of access tokens, whichever entry point they come through."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import serializers
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Principal, Scope
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens import service
from orchestrator_site.tokens.formatting import find_project, parse_expiry
from orchestrator_site.tokens.service import create_token, digest_of, find_token, principal_of, revoke_token, tokens_of
from tasks.models import Project
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user("ada", is_staff=True, is_superuser=True)


@pytest.fixture
def grace() -> User:
    return make_user("grace", is_staff=True)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let the service's clock stand at a moment."""
    monkeypatch.setattr(service.timezone, "now", lambda: moment)


def test_the_principal_of_a_token_has_its_owner_name_and_scopes(ada: User) -> None:
    token, secret = create_token(owner=ada, name="laptop", scopes=["write"])
    principal = principal_of(secret)
    assert principal is not None
    assert (principal.name, principal.user_id, principal.token_id) == ("ada/laptop", ada.pk, token.public_id)
    assert principal.scopes == {Scope.READ, Scope.WRITE}
    assert principal.project_id is None


def test_a_secret_is_long_random_and_has_a_prefix(ada: User) -> None:
    secrets = {create_token(owner=ada, name=f"t{number}")[1] for number in range(20)}
    assert len(secrets) == 20
    assert all(re.fullmatch(r"mto_[\w-]{43}", secret) for secret in secrets)


@pytest.mark.parametrize("wrong", ["", "mto_", "laptop", "mto_" + "x" * 43, "\x00", "ß\ud800"])
def test_a_wrong_secret_has_no_principal(ada: User, wrong: str) -> None:
    create_token(owner=ada, name="laptop")
    assert principal_of(wrong) is None


def test_the_digest_of_a_token_is_not_a_secret(ada: User) -> None:
    token, _ = create_token(owner=ada, name="laptop")
    assert principal_of(token.digest) is None
    assert principal_of(token.public_id) is None


def test_a_token_is_valid_until_it_expires(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    end = timezone.now() + timedelta(days=30)
    _, secret = create_token(owner=ada, name="laptop", expires_at=end)
    at(monkeypatch, end - timedelta(microseconds=1))
    assert principal_of(secret) is not None
    at(monkeypatch, end)
    assert principal_of(secret) is None


def test_an_expiry_in_the_past_is_invalid(ada: User) -> None:
    with pytest.raises(Invalid, match="expires_at"):
        create_token(owner=ada, name="laptop", expires_at=timezone.now() - timedelta(seconds=1))


def test_revoking_takes_effect_at_once_and_only_once(ada: User) -> None:
    token, secret = create_token(owner=ada, name="laptop")
    assert revoke_token(token=token) is True
    assert principal_of(secret) is None
    first = AccessToken.objects.get().revoked_at
    assert revoke_token(token=token) is False
    assert AccessToken.objects.get().revoked_at == first


def test_a_token_of_an_inactive_owner_is_rejected(ada: User) -> None:
    token, secret = create_token(owner=ada, name="laptop")
    User.objects.update(is_active=False)
    assert principal_of(secret) is None
    token.refresh_from_db()
    assert token.owner.is_active is False
    assert token.state == "suspended"


def test_a_token_ends_with_the_account_of_its_owner(ada: User) -> None:
    _, secret = create_token(owner=ada, name="laptop")
    ada.delete()
    assert principal_of(secret) is None


def test_a_token_loses_the_scopes_that_its_owner_loses(ada: User) -> None:
    _, secret = create_token(owner=ada, name="all", scopes=["admin"])
    User.objects.update(is_superuser=False)
    principal = principal_of(secret)
    assert principal is not None
    assert principal.scopes == {Scope.READ, Scope.WRITE, Scope.REVIEW}
    User.objects.update(is_staff=False)
    principal = principal_of(secret)
    assert principal is not None
    assert principal.scopes == {Scope.READ}


def test_an_owner_cannot_grant_scopes_that_they_lack(grace: User) -> None:
    with pytest.raises(Forbidden, match="admin"):
        create_token(owner=grace, name="all", scopes=["admin"])
    with pytest.raises(Forbidden, match="write"):
        create_token(owner=make_user("guest"), name="work", scopes=["write"])
    assert not AccessToken.objects.exists()


def test_a_giver_cannot_grant_scopes_or_projects_that_it_lacks(ada: User) -> None:
    ledger = make_project("ledger")
    reader = Principal(name="ada/reader", scopes=frozenset({Scope.READ}), user_id=ada.pk)
    with pytest.raises(Forbidden, match="write"):
        create_token(owner=ada, name="more", scopes=["write"], giver=reader)
    bound = Principal(name="ada/bound", user_id=ada.pk, project_id=ledger.pk)
    for project in (None, make_project("other")):
        with pytest.raises(Forbidden):
            create_token(owner=ada, name="more", project=project, giver=bound)
    assert not AccessToken.objects.exists()
    assert create_token(owner=ada, name="here", project=ledger, giver=bound)[0].project == ledger


@pytest.mark.parametrize("scopes", [[], ["rule"], ["read", ""], ["READ"]])
def test_unknown_scopes_are_invalid_and_the_known_ones_are_named(ada: User, scopes: list[str]) -> None:
    with pytest.raises(Invalid) as raised:
        create_token(owner=ada, name="laptop", scopes=scopes)
    assert raised.value.details["allowed"] == ["read", "write", "review", "admin", "attest"]


def test_a_bound_token_has_only_its_project(ada: User) -> None:
    ledger, other = make_project("ledger"), make_project("other")
    _, secret = create_token(owner=ada, name="laptop", project=ledger)
    principal = principal_of(secret)
    assert principal is not None
    assert principal.project_id == ledger.pk
    principal.require_project(ledger.pk)
    with pytest.raises(NotFound):
        principal.require_project(other.pk)


def test_a_bound_token_is_deleted_with_its_project(ada: User) -> None:
    project = make_project("ledger")
    _, secret = create_token(owner=ada, name="laptop", project=project)
    project.delete()
    assert principal_of(secret) is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x00b", "line\nbreak\x1b", "\u202eturned"])
def test_an_unprintable_name_is_invalid(ada: User, name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        create_token(owner=ada, name=name)


def test_a_name_is_used_once_per_owner_until_it_is_revoked(ada: User, grace: User) -> None:
    token, _ = create_token(owner=ada, name="laptop")
    create_token(owner=grace, name="laptop")
    with pytest.raises(Conflict):
        create_token(owner=ada, name=" laptop ")
    revoke_token(token=token)
    create_token(owner=ada, name="laptop")


def test_the_database_enforces_unique_names(ada: User) -> None:
    create_token(owner=ada, name="laptop")
    rows = [
        AccessToken(public_id="token_0", name="laptop", owner=ada, digest="0", created_at=timezone.now()),
    ]
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessToken.objects.bulk_create(rows)


def test_a_use_is_recorded_at_most_once_a_minute(
    ada: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: object
) -> None:
    _, secret = create_token(owner=ada, name="laptop")
    start = timezone.now()
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (119, 60), (120, 120)):
        at(monkeypatch, start + timedelta(seconds=seconds))
        assert principal_of(secret) is not None
        assert AccessToken.objects.get().last_used_at == start + timedelta(seconds=noted)


def test_a_use_is_recorded_after_the_clock_was_set_back(ada: User) -> None:
    token, secret = create_token(owner=ada, name="laptop")
    AccessToken.objects.update(last_used_at=timezone.now() + timedelta(hours=9))
    assert principal_of(secret) is not None
    token.refresh_from_db()
    assert token.last_used_at and token.last_used_at <= timezone.now()


def test_a_lookup_within_the_minute_takes_one_query_and_writes_nothing(
    ada: User, django_assert_num_queries: object
) -> None:
    _, secret = create_token(owner=ada, name="laptop")
    principal_of(secret)
    with django_assert_num_queries(1):  # type: ignore[operator]
        principal_of(secret)


def everything_stored() -> bytes:
    """Return the very bytes of the database, where they are files of ours; every row of it elsewhere."""
    if connection.vendor != "sqlite":
        return serializers.serialize(
            "json", [row for model in apps.get_models() for row in model.objects.all()]
        ).encode()
    path = Path(connection.settings_dict["NAME"])
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


@pytest.mark.django_db(transaction=True)
def test_the_secret_is_nowhere_in_the_bytes_of_the_database(ada: User) -> None:
    _, secret = create_token(owner=ada, name="laptop")
    assert principal_of(secret) is not None
    stored = everything_stored()
    assert digest_of(secret).encode() in stored
    assert secret.encode() not in stored
    assert secret.removeprefix("mto_").encode() not in stored


def test_a_token_is_found_by_id_and_until_revoked_by_name(ada: User) -> None:
    token, _ = create_token(owner=ada, name="laptop")
    assert find_token(token.public_id) == find_token("laptop") == token
    revoke_token(token=token)
    assert find_token(token.public_id) == token
    with pytest.raises(NotFound):
        find_token("laptop")


def test_a_name_that_several_owners_use_is_ambiguous(ada: User, grace: User) -> None:
    create_token(owner=ada, name="laptop")
    hers, _ = create_token(owner=grace, name="laptop")
    with pytest.raises(Conflict):
        find_token("laptop")
    assert find_token("laptop", owner=grace) == hers
    with pytest.raises(NotFound):
        find_token(hers.public_id, owner=ada)


def test_a_list_begins_with_active_tokens(ada: User, grace: User) -> None:
    first, _ = create_token(owner=ada, name="first")
    create_token(owner=grace, name="hers")
    second, _ = create_token(owner=ada, name="second")
    revoke_token(token=second)
    assert [token.name for token in tokens_of(ada)] == ["first", "second"]
    assert [token.name for token in tokens_of()] == ["hers", "first", "second"]
    assert [token.state for token in tokens_of(ada)] == ["active", "revoked"]
    assert first.state == "active"


def test_expiry_accepts_durations_dates_timestamps_and_never() -> None:
    now = timezone.now()
    for text, length in (("12h", timedelta(hours=12)), ("30d", timedelta(days=30)), ("2w", timedelta(weeks=2))):
        read = parse_expiry(text)
        assert read is not None
        assert abs(read - now - length) < timedelta(seconds=30)
    assert parse_expiry("never") is parse_expiry("") is None
    assert parse_expiry("2031-12-31") == datetime(2031, 12, 31, 23, 59, 59, 999999, UTC)
    assert parse_expiry("2031-12-31T10:00") == datetime(2031, 12, 31, 10, tzinfo=UTC)
    assert parse_expiry("2031-12-31T10:00+02:00") == datetime(2031, 12, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize("text", ["soon", "30", "-3d", "999999999w", "2031-13-01", "\u0663d", "9" * 30 + "d"])
def test_a_malformed_expiry_is_invalid(text: str) -> None:
    with pytest.raises(Invalid, match="expires") as raised:
        parse_expiry(text)
    assert "30d" in raised.value.next


def test_a_project_is_found_by_slug_or_folder(folder: Path) -> None:
    ledger = make_project("ledger")
    assert find_project("ledger") == ledger
    made = find_project(str(folder))
    assert made.root_path == str(folder.resolve())
    assert find_project(str(folder / ".." / folder.name)) == made
    with pytest.raises(NotFound):
        find_project("nowhere")
    assert Project.objects.count() == 2
