"""Addresses of the REST API of routing and insights."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
