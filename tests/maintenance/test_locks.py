"""The lock between processes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from maintenance.upgrades import locks
from maintenance.upgrades.locks import file_lock
from orchestrator_site.kernel.errors import Transient


def test_who_waits_too_long_is_told_what_to_look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.05)
    with file_lock(tmp_path / "lock"), pytest.raises(Transient) as refusal, file_lock(tmp_path / "lock"):
        pass
    assert "process of the orchestrator that hangs" in str(refusal.value.details.get("next", refusal.value.next))


def test_who_waits_for_a_while_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "NOTICE_SECONDS", 0.05)
    entered = threading.Event()

    def wait() -> None:
        with file_lock(tmp_path / "lock"):
            entered.set()

    with file_lock(tmp_path / "lock"):
        thread = threading.Thread(target=wait)
        thread.start()
        while "Waiting" not in caplog.text:
            assert thread.is_alive()
        assert not entered.is_set()
    thread.join()
    assert entered.is_set()
    assert caplog.text.count("Waiting") == 1


def test_readers_share_the_lock_and_a_writer_waits_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.05)
    with file_lock(tmp_path / "lock", shared=True):
        with file_lock(tmp_path / "lock", shared=True):
            pass
        with pytest.raises(Transient), file_lock(tmp_path / "lock"):
            pass


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), file_lock(tmp_path / "lock"):
        raise ZeroDivisionError
    with file_lock(tmp_path / "lock"):
        pass
