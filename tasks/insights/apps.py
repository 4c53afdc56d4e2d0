"""The app of suggestions and figures."""

from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "tasks.insights"

    def ready(self) -> None:
        from tasks.insights import receivers  # noqa: F401
