"""Tokens of sign-in links stay out of the logs."""

from __future__ import annotations

import logging

from orchestrator_site.accounts.logs import HideSignInTokens


def shown(text: str, *words: str) -> str:
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, text, words, None)
    assert HideSignInTokens().filter(record)
    return record.getMessage()


def test_a_token_is_cut_out_wherever_it_stands() -> None:
    token = "aB3-_" * 9
    assert shown("%s: %s", "Gone", f"/sign-in/{token}/") == "Gone: /sign-in/…/"
    assert shown(f"Referer http://127.0.0.1:8000/sign-in/{token}/ refused") == (
        "Referer http://127.0.0.1:8000/sign-in/…/ refused"
    )


def test_any_other_line_stays_as_it_is() -> None:
    assert shown("%s: %s", "Not Found", "/sign-in/x") == "Not Found: /sign-in/x"
    assert shown("100% sure") == "100% sure"
