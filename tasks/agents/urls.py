"""Addresses of the pages of runs."""

from __future__ import annotations

from django.urls import path

from tasks.agents.views import agents, changes, merge, run, settings, start, verbs

_HERE, _RUN = "projects/<slug:slug>/agents/", "runs/<str:public_id>/"
urlpatterns = [
    path("agents/", agents.agents, name="agents"),
    path(_HERE, agents.project_agents, name="project-agents"),
    path(f"{_HERE}settings/", settings.settings, name="isolation-settings"),
    path(f"{_HERE}worktrees/", agents.sweep, name="worktrees"),
    path("tasks/<str:public_id>/run/", start.start, name="run-start"),
    path(_RUN, run.run, name="run"),
    path(f"{_RUN}changes/", changes.changes, name="run-changes"),
    path(f"{_RUN}changes.patch", changes.as_patch, name="run-patch"),
    path(f"{_RUN}merge/", merge.merge, name="run-merge"),
    path(f"{_RUN}message/", verbs.message, name="run-message"),
    path(f"{_RUN}answer/", verbs.answer, name="run-answer"),
    path(f"{_RUN}act/<str:verb>/", verbs.act, name="run-act"),
]
