"""The app that keeps the board and the database in order."""

from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    name = "maintenance"
