"""The lock around migrations."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from maintenance.upgrades import locks
from maintenance.upgrades.locks import file_lock
from orchestrator_site.kernel.errors import Transient
from tests.site.processes import wait_until


def test_a_lock_that_is_held_for_too_long_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "NOTICE_SECONDS", 0)
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0)
    with file_lock(tmp_path / "lock"), pytest.raises(Transient) as caught, file_lock(tmp_path / "lock"):
        pass
    assert caught.value.details["retry_after_ms"] == 60_000


def test_a_process_that_waits_for_the_lock_logs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "NOTICE_SECONDS", 0)
    entered = threading.Event()

    def wait() -> None:
        with file_lock(tmp_path / "lock"):
            entered.set()

    thread = threading.Thread(target=wait)
    with file_lock(tmp_path / "lock"):
        thread.start()
        wait_until(lambda: bool(caplog.records), "the warning")
        assert not entered.is_set()
    thread.join()
    assert entered.is_set()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), file_lock(tmp_path / "lock"):
        raise ZeroDivisionError
    with file_lock(tmp_path / "lock"):
        pass
