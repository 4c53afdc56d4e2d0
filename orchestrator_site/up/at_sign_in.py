"""Run `up` whenever the user signs in: what systemd, launchd and Windows need for that. Tests use fake machines."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from django.conf import settings

from orchestrator_site.connect import files
from orchestrator_site.connect.machine import Machine
from orchestrator_site.kernel.errors import Unavailable
from orchestrator_site.kernel.introduction import CLIENT_VARIABLES, heeded

NAME = "mcp-task-orchestrator"
COMMAND_SECONDS = 60
_OF_ONE_PROCESS = frozenset(
    {*CLIENT_VARIABLES, *(f"ORCHESTRATOR_{name}" for name in ("CONNECTION_ID", "CLIENT_DIRECTORY", "TRIAL", "WIRE"))}
)
_SYSTEMD = """\
[Unit]
Description=MCP Task Orchestrator

[Service]
ExecStart={command}
{environment}KillMode=mixed
Restart=on-failure

[Install]
WantedBy=default.target
"""
_WINDOWS = """\
<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><UserId>{user}</UserId></LogonTrigger></Triggers>
  <Settings><ExecutionTimeLimit>PT0S</ExecutionTimeLimit></Settings>
  <Actions><Exec><Command>cmd.exe</Command><Arguments>/d /s /c "{command}"</Arguments></Exec></Actions>
</Task>
"""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A file, and the commands that make the system heed it, forget it, and say whether it runs."""

    path: Path
    text: str
    start: tuple[Words, ...]
    stop: tuple[Words, ...]
    ask: Words


def unit(machine: Machine, options: Words = ()) -> Unit:
    """Return what runs `up` with these options and this process's variables."""
    words = (sys.executable, str(settings.BASE_DIR / "manage.py"), "up", *options)
    environment = variables(machine.environ)
    if machine.is_windows:
        return _task(words, environment)
    if machine.platform == "darwin":
        return _agent(machine, words, environment)
    return _service(machine, words, environment)


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of ours, which the site needs and assistants are compared with."""
    ours = {name: value for name, value in environ.items() if name.startswith("ORCHESTRATOR_") and value}
    home = {"ORCHESTRATOR_HOME": str(settings.ORCHESTRATOR_HOME.resolve())}
    found = ours | heeded(environ) | home
    return {name: found[name] for name in sorted(found) if name not in _OF_ONE_PROCESS}


def _service(machine: Machine, words: Words, environment: dict[str, str]) -> Unit:
    command = " ".join(_quoted(word).replace("$", "$$") for word in words)
    lines = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in environment.items())
    systemctl = ("systemctl", "--user")
    return Unit(
        machine.application_data / "systemd" / "user" / f"{NAME}.service",
        _SYSTEMD.format(command=command, environment=lines),
        start=((*systemctl, "daemon-reload"), (*systemctl, "enable", NAME), (*systemctl, "restart", NAME)),
        stop=((*systemctl, "disable", "--now", NAME),),
        ask=(*systemctl, "is-active", "--quiet", NAME),
    )


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{escaped}"'


def _agent(machine: Machine, words: Words, environment: dict[str, str]) -> Unit:
    path = machine.home / "Library" / "LaunchAgents" / f"{NAME}.plist"
    facts = {
        "Label": NAME,
        "ProgramArguments": list(words),
        "EnvironmentVariables": environment,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
    }
    domain = f"gui/{os.getuid()}"
    return Unit(
        path,
        plistlib.dumps(facts).decode(),
        start=(("launchctl", "bootstrap", domain, str(path)),),
        stop=(("launchctl", "bootout", f"{domain}/{NAME}"),),
        ask=("launchctl", "print", f"{domain}/{NAME}"),
    )


def _task(words: Words, environment: dict[str, str]) -> Unit:
    path = Path(settings.ORCHESTRATOR_HOME) / "service" / "task.xml"
    sets = "".join(f'set "{name}={value}" && ' for name, value in environment.items())
    user = escape(f"{os.environ.get('USERDOMAIN', '')}\\{os.environ.get('USERNAME', '')}")
    text = _WINDOWS.format(user=user, command=escape(sets + subprocess.list2cmdline(words)))
    return Unit(
        path,
        text,
        start=(
            ("schtasks", "/Create", "/F", "/TN", NAME, "/XML", str(path)),
            ("schtasks", "/Run", "/TN", NAME),
        ),
        stop=(("schtasks", "/End", "/TN", NAME), ("schtasks", "/Delete", "/F", "/TN", NAME)),
        ask=("schtasks", "/Query", "/TN", NAME),
    )


def install(wanted: Unit, before: files.Snapshot) -> None:
    """Write the file and start the site by it. Raises Unavailable where the system does not take it."""
    if before.content is not None and wanted.text != before.text and is_running(wanted):
        _run(wanted.stop)
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    files.write(before, wanted.text, is_private=True)
    _run(wanted.start)


def uninstall(unit: Unit) -> None:
    """Stop the site that runs by it and remove the file. Raises Unavailable where the system does not stop it."""
    _run(unit.stop)
    unit.path.unlink()


def is_running(unit: Unit) -> bool:
    try:
        _run((unit.ask,))
    except Unavailable:
        return False
    return True


def _run(commands: tuple[Words, ...]) -> None:
    for words in commands:
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS)
            why = "" if done.returncode == 0 else (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        except FileNotFoundError:
            why = "there is no such program here"
        except subprocess.TimeoutExpired:
            why = f"it took more than {COMMAND_SECONDS} s"
        if why:
            raise Unavailable(f"{' '.join(words)}: {why}.", next="Run that command yourself, or use manage.py up.")
