"""Note each commit before it is sent: where the connection breaks, its outcome is unknown."""

from __future__ import annotations

from django.db.backends.postgresql import base

from orchestrator_site.kernel.commits import note_commit


class DatabaseWrapper(base.DatabaseWrapper):
    def _commit(self) -> None:
        note_commit()
        super()._commit()  # type: ignore[misc]  # the stubs lack it
