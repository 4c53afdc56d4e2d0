"""Messages of commands that cannot do what they were asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, connection

from orchestrator_site.kernel.errors import OrchestratorError


def reason_of(error: DatabaseError | OSError) -> str:
    """Return why the database or a file cannot be used, in one line without a full stop."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    why = " ".join(str(error).split()).rstrip(".?")
    return f"{connection.settings_dict['NAME']}: {why}" if connection.vendor == "sqlite" else why


@contextmanager
def command_errors(why: str = "The data cannot be reached: {}. Look closer: manage.py doctor") -> Iterator[None]:
    """Raise CommandError, which is printed in one line, for errors of ours, the database and the system."""
    try:
        yield
    except OrchestratorError as error:
        raise CommandError(f"{error.message} {error.next}".strip()) from error
    except (DatabaseError, OSError) as error:
        raise CommandError(why.format(reason_of(error))) from error
