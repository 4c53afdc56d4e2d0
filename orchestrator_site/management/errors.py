"""Messages of commands that cannot do what they were asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError

from orchestrator_site.kernel.errors import OrchestratorError


def reason_of(error: DatabaseError | OSError) -> str:
    """Return why the database or a file cannot be used, in one line without a full stop."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()).rstrip(".?")


@contextmanager
def command_errors() -> Iterator[None]:
    """Raise CommandError, which is printed in one line, for errors of ours and where the data cannot be reached."""
    try:
        yield
    except OrchestratorError as error:
        raise CommandError(f"{error.message} {error.next}".strip()) from error
    except (DatabaseError, OSError) as error:
        message = f"The data cannot be reached: {reason_of(error)}. Look closer: manage.py doctor"
        raise CommandError(message) from error
