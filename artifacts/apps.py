"""The app that holds delivered work: its content, its versions and its paths."""

from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    name = "artifacts"

    def ready(self) -> None:
        """Plug into `tasks`, which may not import this app: works in briefs, search, mirrors, comments of reviewers."""
        from artifacts.queries import works_of
        from artifacts.search.index import index_tasks
        from artifacts.search.search import tasks_found
        from artifacts.services.mirror import mirror_now
        from artifacts.services.send_back import count_unsent, take_comments
        from tasks.mirrors import offer_mirrors
        from tasks.queries.brief import offer_works
        from tasks.remarks import offer_remarks
        from tasks.words import offer_search

        offer_mirrors(mirror_now)
        offer_remarks(take_comments, count_unsent)
        offer_works(works_of)
        offer_search(index_tasks, tasks_found)
