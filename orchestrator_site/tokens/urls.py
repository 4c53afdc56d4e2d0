"""URLs of the pages for access tokens."""

from __future__ import annotations

from django.urls import path

from orchestrator_site.tokens import views

urlpatterns = [
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<str:public_id>/revoke/", views.revoke, name="token-revoke"),
]
