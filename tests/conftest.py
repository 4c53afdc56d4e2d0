"""What every test stands on: a data folder of its own, Django set up in it, and the hypothesis profiles."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The settings make their data folder when they load, so it is named before anything imports them: that is why
# DJANGO_SETTINGS_MODULE is set here and not in pyproject.toml. Each xdist worker comes through here and gets its own.
if "orchestrator_site.settings" in sys.modules:
    pytest.exit("Unset DJANGO_SETTINGS_MODULE: tests would write to your own data folder.", returncode=3)
HOME = Path(tempfile.mkdtemp(prefix="orchestrator-tests-"))
for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
    del os.environ[name]
os.environ["ORCHESTRATOR_HOME"] = str(HOME)
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"

import django  # noqa: E402

django.setup()

from django.conf import settings as django_settings  # noqa: E402

# The product's hasher takes a quarter of a second for each user that a test makes.
django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

from tests.assistants import Assistant  # noqa: E402

# A test database on a busy machine is slow now and then; the time limit is pytest's.
settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile(
    "long", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Keep the name of the settings from the workers, which inherit it too early; they come through here again."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty data folder that processes started by the test will use."""
    home = tmp_path / "home"
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a user's project."""
    path = tmp_path / "shop"
    path.mkdir()
    return path


@pytest.fixture
def ada(db: None, folder: Path) -> Assistant:
    """Return an assistant at work in the project."""
    assistant = Assistant(folder)
    assistant.call("initialize_session")
    return assistant


@pytest.fixture
def bob(ada: Assistant) -> Assistant:
    """Return another one in the same project."""
    assistant = Assistant(ada.folder)
    assistant.call("initialize_session")
    return assistant
