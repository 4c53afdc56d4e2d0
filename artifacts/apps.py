"""The app that holds delivered work: its content, its versions and its paths."""

from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    name = "artifacts"

    def ready(self) -> None:
        """Plug into `tasks`, which may not import this app: works in briefs, search, mirrors, comments of reviewers."""
        from artifacts.reports.brief import offer_works
        from artifacts.search.index import index_tasks
        from artifacts.search.service import tasks_found
        from artifacts.selectors.artifacts import works_of
        from artifacts.services.mirror import mirror_now
        from artifacts.services.review_comments import count_unsent, take_comments
        from tasks.mirrors import offer_mirrors
        from tasks.remarks import offer_remarks
        from tasks.words import offer_search

        offer_mirrors(mirror_now)
        offer_remarks(take_comments, count_unsent)
        offer_works(works_of)
        offer_search(index_tasks, tasks_found)
