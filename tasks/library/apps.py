"""The app of templates, patterns and contexts."""

from django.apps import AppConfig


class LibraryConfig(AppConfig):
    name = "tasks.library"

    def ready(self) -> None:
        from tasks.library import receivers  # noqa: F401
