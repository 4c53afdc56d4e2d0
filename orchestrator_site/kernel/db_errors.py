"""Map transient database errors to one exception."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, InterfaceError, OperationalError

from orchestrator_site.kernel.errors import Transient

logger = logging.getLogger(__name__)

TRANSIENT_ERRORS = (OperationalError, IntegrityError, InterfaceError)
"""Busy, full, gone, or two requests with the same random id: the whole transaction was rolled back."""


def busy() -> Transient:
    return Transient("The database is busy or out of space; nothing was changed.", retry_after_ms=2000)


@contextmanager
def db_errors_mapped(what: str) -> Iterator[None]:
    """Log the database's message, which may hold rows, and raise Transient instead."""
    try:
        yield
    except TRANSIENT_ERRORS as error:
        logger.exception("The database refused %s.", what)
        raise busy() from error
