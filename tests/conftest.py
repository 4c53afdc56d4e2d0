"""What every test stands on: a data folder of its own, Django set up in it, and the hypothesis profiles."""

from __future__ import annotations

import atexit
import gc
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
os.environ.setdefault("TESTS_SHARED_FOLDER", str(HOME))  # xdist's workers inherit that of the first process
for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
    del os.environ[name]
os.environ["ORCHESTRATOR_HOME"] = str(HOME)
# Neither Git nor the product looks for repositories above the folders of tests, whatever lies there.
os.environ["GIT_CEILING_DIRECTORIES"] = os.path.realpath(tempfile.gettempdir())
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"

import django  # noqa: E402

django.setup()

from django.conf import settings as django_settings  # noqa: E402
from django.db import connection  # noqa: E402

from orchestrator_site.up.static_files import collect_static  # noqa: E402
from tests.assistants import Assistant  # noqa: E402
from tests.homes import make_home, migrated_database  # noqa: E402

collect_static()  # pages name the files as they are served
# The product's hasher takes a quarter of a second for each user that a test makes.
django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Each test client would list all static files when it is made; this way they are looked for when they are asked for.
django_settings.WHITENOISE_AUTOREFRESH = True
IS_SQLITE = connection.vendor == "sqlite"

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


def pytest_configure(config: pytest.Config) -> None:
    if basetemp := config.getoption("basetemp"):
        os.environ["GIT_CEILING_DIRECTORIES"] += os.pathsep + os.path.realpath(basetemp)


def pytest_collection_finish() -> None:
    """Look for garbage rarely, and not in what was imported and collected, which stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    atexit.register(gc.freeze)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Take the migrated database that lies there; without SQLite, none does."""
    return IS_SQLITE


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    if IS_SQLITE:
        shutil.copyfile(migrated_database(), django_settings.DATABASES["default"]["TEST"]["NAME"])


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder, not yet made, that processes started by the test will use."""
    home = tmp_path / "home"
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return home


@pytest.fixture
def fresh_home(empty_home: Path) -> Path:
    """Return such a folder with an up-to-date schema."""
    return make_home(empty_home)


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
