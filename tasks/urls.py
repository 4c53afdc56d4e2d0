"""Addresses of the pages of projects, plans and tasks."""

from __future__ import annotations

from django.urls import path

from tasks.views import act, board, edit, gates, order, plan, project, resources, sessions, settings, specialists, task

urlpatterns = [
    path("", project.projects, name="projects"),
    path("projects/", project.project_list, name="project-list"),
    path("projects/<slug:slug>/", project.project, name="project"),
    path("projects/<slug:slug>/board/", board.board, name="board"),
    path("projects/<slug:slug>/tasks/", project.tasks, name="tasks"),
    path("projects/<slug:slug>/resources/", resources.resources, name="resources"),
    path("projects/<slug:slug>/resources/free/", resources.free, name="resource-free"),
    path("projects/<slug:slug>/settings/", settings.settings, name="project-settings"),
    path("projects/<slug:slug>/settings/yaml/", settings.as_yaml, name="settings-yaml"),
    path("projects/<slug:slug>/settings.yaml", settings.download, name="settings-download"),
    path("projects/<slug:slug>/new-specialist/", specialists.new, name="specialist-new"),
    path("projects/<slug:slug>/specialists/", specialists.specialists, name="specialists"),
    path("projects/<slug:slug>/specialists/<str:name>/", specialists.specialist, name="specialist"),
    path("projects/<slug:slug>/specialists/<str:name>/edit/", specialists.edit, name="specialist-edit"),
    path("projects/<slug:slug>/specialists/<str:name>/reset/", specialists.reset, name="specialist-reset"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions/<str:public_id>/", sessions.session, name="session"),
    path("sessions/<str:public_id>/end/", sessions.end, name="session-end"),
    path("tasks/<str:public_id>/", task.task, name="task"),
    path("tasks/<str:public_id>/edit/", edit.edit, name="task-edit"),
    path("tasks/<str:public_id>/order/", order.change, name="task-order"),
    path("tasks/<str:public_id>/act/", act.menu, name="act"),
    path("tasks/<str:public_id>/act/<str:verb>/", act.do, name="act-verb"),
    path("tasks/<str:public_id>/waive/", gates.waive, name="waive"),
    path("tasks/<str:public_id>/graph/", plan.graph, name="graph"),
    path("tasks/<str:public_id>/timeline/", plan.timeline, name="timeline"),
    path("tasks/<str:public_id>/synthesis/", plan.synthesis, name="synthesis"),
    path("tasks/<str:public_id>/synthesis.md", plan.synthesis_markdown, name="synthesis-markdown"),
]
