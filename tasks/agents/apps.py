"""The app of agents that do subtasks in processes of their own."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "tasks.agents"

    def ready(self) -> None:
        from tasks.agents import health, receivers  # noqa: F401
