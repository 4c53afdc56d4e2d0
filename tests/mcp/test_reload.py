"""`mcp_serve --reload` takes over what has changed of all that a server reads when it starts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator_site.mcp.stdio import reload
from tests.assistants import subtask
from tests.mcp.resident import serving
from tests.mcp.stdio_client import children, connected, wait_for

Step = Callable[[], object]


class Over(Exception):
    pass


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with code, settings of a person's own, and data."""
    for name in ("tasks/tools/loop.py", "tasks/roles.yaml", "conf/base.py", "conf/local.py", "home/secret_key"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    monkeypatch.setattr(reload, "ROOT", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "conf.local")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def watch(*steps: Step) -> list[str]:
        """Return what is noticed if a step is done before each look."""
        found: list[str] = []
        left = iter(steps)

        def sleep(_: float) -> None:
            if (step := next(left, None)) is None:
                raise Over
            step()

        monkeypatch.setattr(reload, "time", SimpleNamespace(sleep=sleep))
        with pytest.raises(Over):
            reload.watch(lambda: found.append("change"))
        return found

    return watch


def nothing() -> None:
    pass


@pytest.mark.parametrize(
    "name", ["tasks/tools/loop.py", "tasks/tools/new.py", "tasks/roles.yaml", "conf/base.py", "home/secret_key"]
)
def test_what_a_server_reads_is_watched(root: Path, noticed: Callable[..., list[str]], name: str) -> None:
    assert noticed(lambda: (root / name).write_text("otherwise"), nothing, nothing) == ["change"]


def test_a_removed_module_is_noticed(root: Path, noticed: Callable[..., list[str]]) -> None:
    assert noticed((root / "tasks/tools/loop.py").unlink, nothing, nothing) == ["change"]


@pytest.mark.parametrize("name", ["tasks/notes.txt", "home/orchestrator.sqlite3", "elsewhere.py"])
def test_what_no_server_reads_is_not(root: Path, noticed: Callable[..., list[str]], name: str) -> None:
    assert noticed(lambda: (root / name).write_text("new"), nothing, nothing) == []


def test_the_key_that_the_first_server_makes_is_no_change(root: Path, noticed: Callable[..., list[str]]) -> None:
    key = root / "home/secret_key"
    key.unlink()
    assert noticed(lambda: key.write_text("made"), nothing, nothing) == []


def test_changes_are_taken_over_once_they_have_settled(root: Path, noticed: Callable[..., list[str]]) -> None:
    file = root / "tasks/tools/loop.py"
    steps = [lambda number=number: file.write_text("x" * number) for number in range(3)]
    assert noticed(*steps, nothing, nothing) == ["change"]


def test_a_setting_that_is_narrowed_in_a_file_holds_from_then_on(home: Path, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "__init__.py").touch()
    (conf / "scopes.py").write_text("SCOPES = ['read', 'write']\n")
    (conf / "local.py").write_text(
        "from orchestrator_site.settings import *\nfrom conf.scopes import SCOPES as ORCHESTRATOR_STDIO_SCOPES\n"
    )
    environ = {"DJANGO_SETTINGS_MODULE": "conf.local", "PYTHONPATH": str(tmp_path)}
    plan = {"description": "A job", "subtasks": [subtask("First")]}
    (tmp_path / "project").mkdir()
    environ["ORCHESTRATOR_PROJECT_DIR"] = str(tmp_path / "project")
    with connected(home, trial=False, words=("--reload",), **environ) as client:
        assert client.call("orchestrator_plan_task", **plan)["subtasks"]
        (conf / "scopes.py").write_text("SCOPES = ['read']\n")
        wait_for(lambda: client.call("orchestrator_plan_task", **plan).get("code") == "forbidden", "the restart")


def test_it_has_a_worker_of_its_own_also_where_the_site_runs(home: Path) -> None:
    with serving(home), connected(home, words=("--reload",)) as client:
        assert client.call("trial_echo")["pid"] in children(client.process.pid)
