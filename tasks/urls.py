"""Addresses of the pages of projects, plans and tasks."""

from __future__ import annotations

from django.urls import path

from tasks.views import act, board, home, plan, project, task

urlpatterns = [
    path("", home.projects, name="projects"),
    path("projects/<slug:slug>/", project.project, name="project"),
    path("projects/<slug:slug>/board/", board.board, name="board"),
    path("projects/<slug:slug>/tasks/", project.tasks, name="tasks"),
    path("tasks/<str:public_id>/", task.task, name="task"),
    path("tasks/<str:public_id>/act/", act.menu, name="act"),
    path("tasks/<str:public_id>/act/<str:verb>/", act.do, name="act-verb"),
    path("tasks/<str:public_id>/graph/", plan.graph, name="graph"),
]
