"""The app that holds delivered work: its content, its versions and its paths."""

from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    name = "artifacts"

    def ready(self) -> None:
        """Let briefs and reports name delivered work; `tasks` may not import this app itself."""
        from artifacts.queries import works_of
        from tasks.queries.brief import offer_works

        offer_works(works_of)
