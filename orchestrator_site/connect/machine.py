"""What the locations of configuration files depend on; tests use fake machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator_site.kernel.errors import Invalid
from tasks.services.projects import find_folder


@dataclass(frozen=True, slots=True)
class Machine:
    """The platform (as in `sys.platform`), home folder and environment."""

    platform: str
    home: Path
    environ: Mapping[str, str]

    @property
    def is_windows(self) -> bool:
        return self.platform == "win32"

    def folder(self, variable: str, default: Path) -> Path:
        """Return the folder named by an environment variable if it is absolute, else the default."""
        named = Path(self.environ.get(variable) or ".").expanduser()
        return named if named.is_absolute() else default

    @property
    def application_data(self) -> Path:
        if self.is_windows:
            return self.folder("APPDATA", self.home / "AppData" / "Roaming")
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        return self.folder("XDG_CONFIG_HOME", self.home / ".config")


def project_folder(path: Path | None) -> Path | None:
    """Return the folder given by the user, if any, without links. Raises Invalid if it is not a folder."""
    if path is None:
        return None
    folder = path.expanduser().absolute()
    if not folder.is_dir():
        raise Invalid(f"--project: {folder} is not a folder.", next="Pass the project's folder: --project DIR")
    return find_folder(explicit=str(folder), environ={}, working_directory="")


def this_machine() -> Machine:
    return Machine(sys.platform, Path.home(), os.environ)
