"""Remove the tokens of sign-in links and access tokens from logs."""

from __future__ import annotations

import logging
import re

SIGN_IN_TOKEN = re.compile(r"(/sign-in/)[\w-]{20,}")
ACCESS_TOKEN = re.compile(r"(mto_)[\w-]{8,}")
_PLAIN = logging.Formatter()


class HideSecrets(logging.Filter):
    """Removes secrets from log records: Django logs the path of a failed request, which may be a sign-in link."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # the arguments do not fit, for which logging would print an error
            text = f"{record.msg} {record.args!r}"
            record.msg, record.args = text, ()
        if (shown := without_secrets(text)) != text:
            record.msg, record.args = shown, ()
        if record.exc_info and not record.exc_text:
            record.exc_text = _PLAIN.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = without_secrets(record.exc_text)
        if record.stack_info:
            record.stack_info = without_secrets(record.stack_info)
        return True


def without_secrets(text: str) -> str:
    return ACCESS_TOKEN.sub(r"\1…", SIGN_IN_TOKEN.sub(r"\1…", text))
