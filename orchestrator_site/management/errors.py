"""Messages of commands that cannot reach the data."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db import DatabaseError


def reason_of(error: DatabaseError | OSError) -> str:
    """Return why the database or a file cannot be used, in one line without a full stop."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()).rstrip(".?")


def out_of_reach(error: DatabaseError | OSError) -> CommandError:
    return CommandError(f"The data cannot be reached: {reason_of(error)}. Look closer: manage.py doctor")
