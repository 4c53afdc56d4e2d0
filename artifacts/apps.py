"""The app that holds delivered work: its content, its versions and its paths."""

from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    name = "artifacts"
