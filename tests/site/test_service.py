"""`manage.py service` has the system run the site, and shows first what it writes."""

from __future__ import annotations

import plistlib
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator_site.connect.machine import Machine
from orchestrator_site.kernel.introduction import heeded
from orchestrator_site.up.at_sign_in import NAME, unit, variables
from tests.site.processes import manage

UNIT = Path("systemd") / "user" / f"{NAME}.service"


@pytest.fixture
def calls(empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that notes its calls in this file, runs what was started, and fails where a file says so."""
    noted, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {noted}\n[ ! -e {tmp_path}/broken ] || {{ echo "no bus" >&2; exit 1; }}\n'
        f'case "$*" in *restart*) touch {tmp_path}/runs;; *disable*) rm -f {tmp_path}/runs;;\n'
        f"*is-active*) [ -e {tmp_path}/runs ];; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return noted


def _machine(platform: str, tmp_path: Path, **environ: str) -> Machine:
    return Machine(platform, tmp_path, {"PATH": "/bin", **environ})


def test_the_unit_is_shown_written_started_and_removed(calls: Path, tmp_path: Path) -> None:
    path = tmp_path / "config" / UNIT
    assert "Not installed" in manage("service", "status").stdout
    asked = manage("service", "install")
    assert (asked.returncode, path.exists()) == (2, False)
    assert "+ExecStart=" in asked.stdout
    done = manage("service", "install", "--port", "8123", "--yes")
    assert done.returncode == 0, done.stderr
    assert f'Environment="ORCHESTRATOR_HOME={tmp_path / "home"}"' in path.read_text()
    assert '"up" "--port" "8123"' in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert calls.read_text().splitlines()[-3:] == [
        "--user daemon-reload",
        f"--user enable {NAME}",
        f"--user restart {NAME}",
    ]
    assert "and runs" in manage("service", "status").stdout
    assert "Already installed" in manage("service", "install", "--port", "8123").stdout
    assert manage("service", "uninstall").returncode == 2
    assert path.exists()
    assert manage("service", "uninstall", "--yes").returncode == 0
    assert not path.exists()


def test_a_system_that_does_not_take_it_is_reported(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    done = manage("service", "install", "--yes")
    assert done.returncode == 1
    assert "no bus" in done.stderr
    assert "but does not run" in manage("service", "status").stdout


def test_the_agent_of_launchd_has_command_and_variables(tmp_path: Path) -> None:
    made = unit(_machine("darwin", tmp_path, ORCHESTRATOR_LEASE_MINUTES="5"), ("--port", "1"))
    facts = plistlib.loads(made.text.encode())
    assert made.path == tmp_path / "Library" / "LaunchAgents" / f"{NAME}.plist"
    assert facts["ProgramArguments"][-3:] == ["up", "--port", "1"]
    assert facts["EnvironmentVariables"]["ORCHESTRATOR_LEASE_MINUTES"] == "5"


def test_the_task_of_windows_is_well_formed(tmp_path: Path) -> None:
    made = unit(_machine("win32", tmp_path, DATABASE_URL="postgres://a:<&>@b/c"))
    arguments = next(each for each in ElementTree.fromstring(made.text).iter() if each.tag.endswith("Arguments"))
    assert 'set "DATABASE_URL=postgres://a:<&>@b/c" && ' in str(arguments.text)


def test_a_unit_quotes_what_systemd_would_expand(tmp_path: Path) -> None:
    made = unit(_machine("linux", tmp_path, DATABASE_URL='postgres://a:100%"\\@b/c'))
    assert 'Environment="DATABASE_URL=postgres://a:100%%\\"\\\\@b/c"' in made.text


def test_the_site_gets_what_assistants_are_compared_with_and_nothing_of_one_process() -> None:
    environ = {
        "ORCHESTRATOR_STDIO_SCOPES": "read",
        "DATABASE_URL": "sqlite:////x/y",
        "ORCHESTRATOR_TLS": "true",
        "ORCHESTRATOR_PROJECT_DIR": "/x",
        "ORCHESTRATOR_WIRE": "1,2",
        "SECRET": "x",
    }
    given = variables(environ)
    assert heeded(given) == heeded(environ)
    assert given.keys() - heeded(environ).keys() == {"ORCHESTRATOR_HOME", "ORCHESTRATOR_TLS"}
