"""Addresses of the pages of the library."""

from __future__ import annotations

from django.urls import path

from tasks.library.views import templates

_HERE = "projects/<slug:slug>/library/"
urlpatterns = [
    path(_HERE, templates.library, name="library"),
]
