"""The form that makes an access token."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User

from orchestrator_site.kernel.errors import Conflict, OrchestratorError
from orchestrator_site.kernel.identity import in_order, scopes_of
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.formatting import ALLOWS, expiry_of
from orchestrator_site.tokens.service import DEFAULT_SCOPES, NAME_LIMIT, create_token
from tasks.models import Project

LIFETIMES = {"30d": "In 30 days", "90d": "In 90 days", "365d": "In a year", "never": "Never"}


class TokenForm(forms.Form):
    """What a person says of a new token; the service decides whether it can be."""

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
        """Return what the checkboxes show."""
        chosen = self["scopes"].value() or []
        names = in_order(scopes_of(self._owner))
        allows = {scope.value: words for scope, words in ALLOWS.items()}
        return [{"name": name, "allows": allows[name], "is_chosen": name in chosen} for name in names]

    def create(self) -> tuple[AccessToken, str] | None:
        """Make the token; None where the form has to be filled in again, with the reasons beside its fields."""
        if not self.is_valid():
            return None
        facts = self.cleaned_data
        try:
            return create_token(
                owner=self._owner,
                name=facts["name"],
                scopes=facts["scopes"],
                project=facts["project"],
                expires_at=expiry_of(facts["expires"]),
            )
        except OrchestratorError as error:
            field = "name" if isinstance(error, Conflict) else None
            self.add_error(field, f"{error.message} {error.next}")
            return None
