"""A commented file of roles for a project, as a place to begin."""

from __future__ import annotations

from pathlib import Path

from orchestrator_site.kernel.errors import Invalid
from tasks.roles import ROLES_FOLDER

FILE = ROLES_FOLDER / "project_roles.yaml"


def has_roles(project: Path) -> bool:
    """Tell whether the project has files of roles already, whatever they are called."""
    folder = project / ROLES_FOLDER
    return folder.is_dir() and any(folder.glob("*.y*ml"))


def put_roles(project: Path) -> Path | None:
    """Put the file into a project; None where one is there, which is never overwritten.

    Raises Invalid where it cannot be written.
    """
    path = project / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(Path(__file__).with_name("project_roles.yaml").read_text(encoding="utf-8"))
    except FileExistsError:
        return None
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}.", next="See to the folder's rights.") from error
    return path
