"""Addresses of the pages of insights."""

from __future__ import annotations

from django.urls import path

from tasks.insights.views.insights import count_again, insights

urlpatterns = [
    path("projects/<slug:slug>/insights/", insights, name="insights"),
    path("projects/<slug:slug>/insights/count/", count_again, name="insights-count"),
]
