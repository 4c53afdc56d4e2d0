"""Tokens of sign-in links and access tokens stay out of the logs."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

import pytest
from django.conf import settings

from orchestrator_site.accounts.logs import HideSecrets
from orchestrator_site.tokens.service import PREFIX

SECRET = PREFIX + "aB3-_" * 9
LINK = "/sign-in/" + "aB3-_" * 9 + "/"


def shown(text: Any, *words: Any) -> str:
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, text, words, None)
    assert HideSecrets().filter(record)
    return record.getMessage()


def written(log: logging.Logger, *arguments: Any, **options: Any) -> str:
    """Log through a handler as the settings make it, and return what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(HideSecrets())
    log.addHandler(handler)
    try:
        log.error(*arguments, **options)
    finally:
        log.removeHandler(handler)
    return stream.getvalue()


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("tests.logs")


def test_sign_in_tokens_are_removed() -> None:
    assert shown("%s: %s", "Gone", LINK) == "Gone: /sign-in/…/"
    assert shown(f"Referer http://127.0.0.1:8000{LINK} refused") == "Referer http://127.0.0.1:8000/sign-in/…/ refused"


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        (f"Authorization: Bearer {SECRET}", (), "Authorization: Bearer mto_…"),
        ("headers: %r", ({"authorization": f"Bearer {SECRET}"},), "headers: {'authorization': 'Bearer mto_…'}"),
        ("raw: %s", (SECRET.encode(),), "raw: b'mto_…'"),
        ("path: %s", (f"/api/v1/tasks?token={SECRET}&q=1",), "path: /api/v1/tasks?token=mto_…&q=1"),
        ("%s and %s", (SECRET, SECRET), "mto_… and mto_…"),
    ],
)
def test_access_tokens_are_removed(text: str, words: tuple[Any, ...], expected: str) -> None:
    assert shown(text, *words) == expected


def test_tokens_in_exceptions_and_their_causes_are_removed(log: logging.Logger) -> None:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as cause:
            raise ValueError(f"cannot read {SECRET}") from cause
    except ValueError:
        text = written(log, "It failed.", exc_info=True)
    assert "ValueError: cannot read mto_…" in text
    assert "KeyError: 'mto_…'" in text
    assert SECRET not in text


def test_tokens_in_stacks_are_removed() -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 0, "m", (), None, sinfo=f"Stack\n  {SECRET}")
    HideSecrets().filter(record)
    assert record.stack_info == "Stack\n  mto_…"


def test_mismatched_arguments_neither_raise_nor_leak(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    text = written(log, "only %s", SECRET, SECRET)
    assert text.startswith("only %s ('mto_…', 'mto_…')")
    assert SECRET not in text + capsys.readouterr().err


def test_other_messages_are_unchanged() -> None:
    assert shown("%s: %s", "Not Found", "/sign-in/x") == "Not Found: /sign-in/x"
    assert shown("100% sure of mto_x") == "100% sure of mto_x"


def test_other_tracebacks_are_unchanged(log: logging.Logger) -> None:
    try:
        raise RuntimeError("no secret")
    except RuntimeError:
        assert "RuntimeError: no secret" in written(log, "It failed.", exc_info=sys.exc_info())


def test_every_handler_of_the_settings_hides_secrets() -> None:
    assert all("hide_secrets" in handler["filters"] for handler in settings.LOGGING["handlers"].values())
