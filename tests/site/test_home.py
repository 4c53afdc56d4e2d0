"""Tests run apart from the user's own data."""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.conf import settings


def test_tests_never_touch_the_data_folder_of_the_user() -> None:
    assert Path(tempfile.gettempdir()) in settings.ORCHESTRATOR_HOME.parents
    assert str(settings.ORCHESTRATOR_HOME) in str(settings.DATABASES["default"]["TEST"].get("NAME", "")) or (
        settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    )


def test_the_test_database_is_a_file_under_the_temporary_home(db: None) -> None:
    from django.db import connection

    if connection.vendor == "sqlite":
        assert Path(connection.settings_dict["NAME"]).is_relative_to(settings.ORCHESTRATOR_HOME)
