"""The app that keeps artifacts: their content, versions and paths."""

from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    name = "artifacts"

    def ready(self) -> None:
        from artifacts import receivers  # noqa: F401
