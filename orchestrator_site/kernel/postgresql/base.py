"""Note each commit before it is sent: where the connection breaks, its outcome is unknown. Open read-only on demand."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.commits import note_commit


class DatabaseWrapper(base.DatabaseWrapper):
    _is_read_only = False

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        self._is_read_only = read_only.is_on()
        if self._is_read_only:
            params["options"] = f"{params.get('options', '')} -c default_transaction_read_only=on"
        return params

    def cursor(self) -> Any:
        if self.connection is not None and not self.in_atomic_block and read_only.is_on() != self._is_read_only:
            self.close()
        return super().cursor()

    def _commit(self) -> None:
        note_commit()
        super()._commit()  # type: ignore[misc]  # the stubs lack it
