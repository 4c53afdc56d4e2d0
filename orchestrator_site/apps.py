"""The app that holds the site's own commands and the bridge."""

from django.apps import AppConfig


class OrchestratorSiteConfig(AppConfig):
    name = "orchestrator_site"
    verbose_name = "Access"
