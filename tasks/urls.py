"""Addresses of the pages of projects, plans and tasks."""

from __future__ import annotations

from django.urls import path

from tasks import views

urlpatterns = [
    path("", views.projects, name="projects"),
    path("projects/<slug:slug>/", views.project, name="project"),
    path("projects/<slug:slug>/tasks/", views.tasks, name="tasks"),
    path("tasks/<str:public_id>/", views.task, name="task"),
]
