"""A commented-out specialists file that a project can start from."""

from __future__ import annotations

from pathlib import Path

from orchestrator_site.kernel.errors import Invalid
from tasks.roles import ROLES_FOLDER

FILE = ROLES_FOLDER / "project_roles.yaml"


def has_roles(project: Path) -> bool:
    folder = project / ROLES_FOLDER
    return folder.is_dir() and any(folder.glob("*.y*ml"))


def create_roles_file(project: Path) -> Path | None:
    """Create the file and return its path, or None if it exists. Raises Invalid if it cannot be written."""
    path = project / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(Path(__file__).with_name("project_roles.yaml").read_text(encoding="utf-8"))
    except FileExistsError:
        return None
    except OSError as error:
        raise Invalid(
            f"{path} cannot be written: {error.strerror}.", next="Check the permissions of the folder."
        ) from error
    return path
