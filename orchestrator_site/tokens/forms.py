"""The form that makes an access token."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User

from orchestrator_site.kernel.errors import Conflict, OrchestratorError
from orchestrator_site.kernel.identity import Scope, in_order, scopes_of
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.formatting import DESCRIPTIONS, parse_expiry
from orchestrator_site.tokens.service import DEFAULT_SCOPES, NAME_LIMIT, create_token
from tasks.models import Project

LIFETIMES = {"30d": "In 30 days", "90d": "In 90 days", "365d": "In a year", "never": "Never"}


class TokenForm(forms.Form):
    name = forms.CharField(max_length=NAME_LIMIT, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    scopes = forms.MultipleChoiceField(initial=DEFAULT_SCOPES, error_messages={"required": "Choose at least one."})
    project = forms.ModelChoiceField(
        Project.objects.all(), required=False, to_field_name="slug", empty_label="All projects"
    )
    expires = forms.ChoiceField(choices=LIFETIMES.items(), initial="90d")

    def __init__(self, owner: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._owner = owner
        self.fields["scopes"].choices = [(name, name) for name in in_order(scopes_of(owner))]  # type: ignore[attr-defined]

    def scope_choices(self) -> list[dict[str, Any]]:
        chosen = self["scopes"].value() or []
        names = in_order(scopes_of(self._owner))
        return [{"name": name, "allows": DESCRIPTIONS[Scope(name)], "is_chosen": name in chosen} for name in names]

    def create(self) -> tuple[AccessToken, str] | None:
        if not self.is_valid():
            return None
        facts = dict(self.cleaned_data)
        try:
            return create_token(owner=self._owner, expires_at=parse_expiry(facts.pop("expires")), **facts)
        except OrchestratorError as error:
            field = "name" if isinstance(error, Conflict) else None
            self.add_error(field, f"{error.message} {error.next}")
            return None
