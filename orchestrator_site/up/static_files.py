"""Hash and compress the static files before the site serves them, once for each version of them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from filelock import FileLock

# What no page links to; compressing it would take ten times as long as all the rest.
_IGNORED = [
    "*bundle.js.map", "*es-bundle*", "*preset.js*", "gis", "i18n", "index.css", "jquery.js", "redoc", "rest_framework",
    "select2.css", "select2.full.js", "swagger-ui.js", "xregexp.js",
]  # fmt: skip


def collect_static() -> None:
    """Fill STATIC_ROOT if its files are not those of this version; several processes may start at once.

    Older files stay, since pages that are open name them. Raises OSError.
    """
    root = Path(settings.STATIC_ROOT)
    collected = root / "collected"
    with FileLock(root / "collect.lock"):
        version = _version()
        if collected.exists() and collected.read_text() == version:
            return
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=_IGNORED)
        collected.write_text(version)


def _version() -> str:
    return sha256("".join(_facts()).encode()).hexdigest()


def _facts() -> Iterator[str]:
    for finder in get_finders():
        for path, storage in finder.list(_IGNORED):
            found = Path(storage.path(path)).stat()
            yield f"{path} {found.st_size} {found.st_mtime_ns}\n"
