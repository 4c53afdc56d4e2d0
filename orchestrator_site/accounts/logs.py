"""Keep the tokens of sign-in links out of the logs."""

from __future__ import annotations

import logging
import re

TOKEN_IN_PATH = re.compile(r"(/sign-in/)[\w-]{20,}")


class HideSignInTokens(logging.Filter):
    """Cut tokens out of every record: Django logs the path of a request that fails, and this path opens the door."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record where its text holds a token; keep every record."""
        text = record.getMessage()
        if TOKEN_IN_PATH.search(text):
            record.msg, record.args = TOKEN_IN_PATH.sub(r"\1…", text), ()
        return True
