"""The app that holds projects, sessions, tasks and everything that happens to them."""

from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"
