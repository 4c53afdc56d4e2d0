"""What a database refuses for the moment, as one error for every door."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, InterfaceError, OperationalError

from orchestrator_site.kernel.errors import Transient

logger = logging.getLogger(__name__)

REFUSALS = (OperationalError, IntegrityError, InterfaceError)
"""Busy, full, gone, or two requests that drew the same id: the transaction as a whole did not happen."""


def busy() -> Transient:
    """Return the error that tells of it."""
    return Transient("The database is busy or out of space; nothing was changed.", retry_after_ms=2000)


@contextmanager
def refusals_told(what: str) -> Iterator[None]:
    """Log what the database says, which may hold rows, and raise Transient in its place."""
    try:
        yield
    except REFUSALS as error:
        logger.exception("The database refused %s.", what)
        raise busy() from error
