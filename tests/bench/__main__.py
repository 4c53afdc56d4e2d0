"""Measure the speed table of the product on this machine: `python -m tests.bench`.

Nothing here asserts a time. It ends with an error only where a call fails or delivers something wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import figures

NAMES = (
    "start",
    "lists",
    "plan",
    "work",
    "templates",
    "storm",
    "million",
    "artifact",
    "search",
    "memory",
    "resident",
    "http",
    "restarts",
    "isolation",
    "routing",
    "status",
    "welcome",
    "next",
)
NAMES += ("uploads", "pages", "insights", "work-on-large", "memory-on-large", "maintenance")


def main() -> None:
    """Measure in a data folder of its own, which is removed at the end."""
    given = _arguments()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without compiled files every start would compile again
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-bench-"))
    try:
        result = _measure(folder / "home", given.only or NAMES, quick=given.quick)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(result, indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    else:
        print(f"\n{text}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the speed table.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON here instead of behind the table")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES, help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="fewer runs, and 10,000 instead of 100,000 subtasks")
    return parser.parse_args()


def _measure(home: Path, names: tuple[str, ...], *, quick: bool) -> dict[str, object]:
    machine = figures.machine()
    print(", ".join(f"{name.replace('_', ' ')} {fact}" for name, fact in machine.items()), end="\n\n")
    figures.show_heading()
    _set_up(home)
    from tests.bench.suite import run  # needs Django

    found = []
    for figure in run(home, names, quick=quick):
        figures.show(figure)
        found.append(figure)
    missed = [figure.what for figure in found if figure.met is False]
    print(f"\n{sum(bool(each.met) for each in found)} goals met, {len(missed)} missed.", file=sys.stdout)
    return {"machine": machine, "quick": quick, "figures": [figure.as_json() for figure in found]}


def _set_up(home: Path) -> None:
    """Make an empty database that the servers of this run use too; the settings read the environment at import."""
    for name in [name for name in os.environ if name.startswith(("ORCHESTRATOR_", "DATABASE_"))]:
        del os.environ[name]
    os.environ["ORCHESTRATOR_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
    import django

    django.setup()
    from maintenance.upgrades.ensure_schema import ensure_schema

    ensure_schema()


if __name__ == "__main__":
    main()
