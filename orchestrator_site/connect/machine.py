"""The machine as far as the places of configuration files depend on it; tests make one up."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator_site.kernel.errors import Invalid
from tasks.services.projects import find_root


@dataclass(frozen=True, slots=True)
class Machine:
    """A platform as `sys.platform` names it, a home folder, and the environment."""

    platform: str
    home: Path
    environ: Mapping[str, str]

    @property
    def is_windows(self) -> bool:
        """Whether paths and variables are those of Windows."""
        return self.platform == "win32"

    def folder(self, variable: str, otherwise: Path) -> Path:
        """Return the absolute folder that a variable names, or another one."""
        named = Path(self.environ.get(variable) or ".").expanduser()
        return named if named.is_absolute() else otherwise

    @property
    def application_data(self) -> Path:
        """Where desktop programs keep their settings."""
        if self.is_windows:
            return self.folder("APPDATA", self.home / "AppData" / "Roaming")
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        return self.folder("XDG_CONFIG_HOME", self.home / ".config")

    @property
    def local_data(self) -> Path:
        """Where packaged Windows programs live."""
        return self.folder("LOCALAPPDATA", self.home / "AppData" / "Local")

    def has_command(self, *names: str) -> bool:
        """Tell whether one of these programs can be started by its name."""
        return any(shutil.which(name, path=self.environ.get("PATH", "")) for name in names)


def project_folder(path: Path | None) -> Path | None:
    """Return the project of a folder that a person named, None where none was; raises Invalid for what is no folder."""
    if path is None:
        return None
    folder = path.expanduser().absolute()
    if not folder.is_dir():
        raise Invalid(f"--project: {folder} is no folder.", next="Name the folder of the project: --project DIR")
    return find_root(explicit=str(folder), environ={}, working_directory="")


def this_machine() -> Machine:
    """Return the machine that this process runs on."""
    return Machine(sys.platform, Path.home(), os.environ)
