"""Standard output carries only protocol lines, whatever is printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp.stdio_client import MODERN, ROOT, connected, environment


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_prints_never_reach_the_client(home: Path, unbuffered: str) -> None:
    with connected(home, PYTHONUNBUFFERED=unbuffered, TRIAL_PRINTS="1") as client:
        assert client.call("trial_print", text="from a tool")["printed"] is True
        assert client.end() == 0
        assert client.rest() == []
        stray = client.errors()
    for source in ("an AppConfig", "a child", "a tool"):
        assert f"stray: from {source}" in stray
    assert "stray: on the descriptor" in stray
    assert "stray: at exit, unflushed" in stray


def test_a_worker_without_a_proxy_prints_only_messages(home: Path) -> None:
    request = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":%s}}\n' % json.dumps(MODERN).encode()
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator_site.mcp.stdio.worker"],
        input=request,
        env=environment(home) | {"TRIAL_PRINTS": "1"},
        cwd=ROOT,
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert done.stdout.startswith(b'{"jsonrpc":"2.0","id":1,"result":')
    assert done.stdout.count(b"\n") == 1
    assert b"stray: from an AppConfig" in done.stderr


def test_the_proxy_imports_neither_django_nor_the_sdk() -> None:
    code = (
        "import sys; from orchestrator_site.mcp.stdio.proxy import main; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "orchestrator_site" in done.stdout
    for name in ("django", "mcp", "pydantic", "tasks"):
        assert f"'{name}'" not in done.stdout


def test_the_proxy_starts_without_what_is_slow_to_import() -> None:
    names = "{'typing', 'subprocess', 'pathlib'}"
    code = f"import sys, orchestrator_site.mcp.stdio.proxy; print({names} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_nothing_is_imported_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("json.py", "tasks.py", "django.py", "sitecustomize.py"):
        (folder / name).write_text("raise SystemExit('imported from the folder of the client')")
    monkeypatch.chdir(folder)
    with connected(tmp_path / "home") as client:
        answer = client.call("trial_echo")
    assert answer["directory"] == str(Path.cwd())


def test_each_connection_has_its_own_id_and_only_the_variables_that_name_a_project(home: Path) -> None:
    variables = {"CLAUDE_PROJECT_DIR": "/one", "VSCODE_CWD": "/two"}
    with connected(home, **variables, SECRET_TOKEN="no") as one, connected(home, modern=True) as other:
        first, second = one.call("trial_echo"), other.call("trial_echo")
    assert first["environ"] == variables
    assert first["connection_id"] != second["connection_id"]
