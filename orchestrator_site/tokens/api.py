"""/tokens: list, make and revoke access tokens."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Forbidden
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.models import AccessToken
from orchestrator_site.rest.fields import Body, BoundedList, Choice, String
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.tokens.service import DEFAULT_SCOPES, NAME_LIMIT, create_token, revoke_token
from tasks.api.base import ProjectApi

Secrets = list[str]  # inside the view, `list` is an action
STATES = ("active", "revoked", "expired", "suspended")


class TokenShape(serializers.ModelSerializer[AccessToken]):
    """An access token, without its secret."""

    token_id = serializers.CharField(source="public_id")
    owner = serializers.CharField(source="owner.username")
    scopes = BoundedList(child=serializers.ChoiceField(list(Scope)))
    project = serializers.CharField(source="project.slug", allow_null=True, default=None)
    state = serializers.ChoiceField(STATES)

    class Meta:
        model = AccessToken
        fields: tuple[str, ...] = (
            "token_id", "name", "owner", "scopes", "project", "state", "created_at", "expires_at", "last_used_at",
            "revoked_at",
        )  # fmt: skip


class TokenMade(TokenShape):
    """A new access token with its secret, which is null if the same request was answered before."""

    secret = serializers.CharField(allow_null=True, default=None)

    class Meta(TokenShape.Meta):
        fields = (*TokenShape.Meta.fields, "secret")


class TokenBody(Body):
    name = String(max_length=NAME_LIMIT)
    scopes = serializers.ListField(child=Choice(list(Scope)), default=list(DEFAULT_SCOPES), max_length=len(Scope))
    project = String(required=False, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class TokenViews(ProjectApi):
    """Access tokens by their id: those of the caller, or all of them with the scope `admin`."""

    queryset = AccessToken.objects.all()
    serializer_class = TokenShape
    lookup_url_kwarg = "token_id"
    lookup_value_regex = "[^/]+"
    scopes = {"create": Scope.READ, "revoke": Scope.READ}
    statuses = {"create": 201}
    bodies = {"create": TokenBody}
    answers = {"create": TokenMade}

    def list(self, request: Request) -> Response:
        """List access tokens."""
        return self.listed(self._rows())

    def retrieve(self, request: Request, token_id: str) -> Response:
        """Read an access token."""
        return self.shown(self.one(self._rows(), "token", token_id))

    def create(self, request: Request) -> Response:
        """Make an access token for yourself. Only this response contains its secret."""
        self._check_scope()
        secrets: Secrets = []
        answer = self.once(lambda: self._create(secrets), project=None)
        self.headers["Cache-Control"] = "no-store"
        answer.data = {**answer.data, "secret": secrets[0] if secrets else None}
        return answer

    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, token_id: str) -> Response:
        """Revoke an access token permanently."""
        found = self.one(self._rows(), "token", token_id)
        return self.once(lambda: self._revoke(found), project=None)

    def _create(self, secrets: Secrets) -> Reply:
        # The reply is stored for the Idempotency-Key, so it must not contain the secret.
        facts = self.given()
        slug = facts.get("project")
        token, secret = create_token(
            owner=User.objects.get(pk=self.principal.user_id or 0),
            name=facts["name"],
            scopes=facts["scopes"],
            project=self.project(slug) if slug is not None else None,
            expires_at=facts.get("expires_at"),
            giver=self.principal,
        )
        secrets.append(secret)
        return self.reply(token, status=201, location=reverse("api-token-detail", args=[token.public_id]))

    def _revoke(self, token: AccessToken) -> Reply:
        revoke_token(token=token)
        token.refresh_from_db()
        return self.reply(token)

    def _rows(self) -> QuerySet[AccessToken]:
        self._check_scope()
        rows = AccessToken.objects.select_related("owner", "project")
        if Scope.ADMIN not in self.principal.scopes:
            rows = rows.filter(owner_id=self.principal.user_id)
        return self.visible(rows)

    def _check_scope(self) -> None:
        """People manage their own tokens; a token can manage tokens only with the scope `admin`."""
        if self.principal.token_id and Scope.ADMIN not in self.principal.scopes:
            raise Forbidden(
                "An access token needs the scope 'admin' to manage access tokens.",
                next="Sign in and use /tokens/, or use a token with that scope.",
                details={"scope": Scope.ADMIN.value},
            )
