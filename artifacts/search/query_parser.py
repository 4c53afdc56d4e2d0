"""Parse search queries: any string is valid, and nothing in it is ever syntax of a database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import punctuation

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.text import unstorable

QUERY_LIMIT = 10_000
TERMS = 32
"""Terms that count; more do not improve results."""
_WORDS_OF_TERM = 16
_TERM = re.compile(r'"\s*+([^"]++)"|(\S+)')
_SIGNS = str.maketrans(dict.fromkeys(punctuation, " "))
"""Punctuation, which no word holds in any database."""
_HAS_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or several in a row where they were quoted or written as one; `begins` with a star after it.

    Words are as they were written, since only the database that indexed the documents knows where they end.
    """

    text: str
    words: tuple[str, ...]
    begins: bool = False


def terms_of(query: str) -> list[Term]:
    """Return the terms of a query, each once.

    Raises Invalid for an empty or too long query, and for one that holds what no text holds.
    """
    if why := unstorable(query):
        raise Invalid(f"query: {why}.", next="Send the words to look for.")
    if len(query) > QUERY_LIMIT:
        raise Invalid(f"query: {len(query):,} characters; {QUERY_LIMIT:,} are allowed.", next="Send fewer words.")
    if not query.strip():
        raise Invalid("query: there are no words in it.", next="Send the words to look for.")
    found: dict[str, Term] = {}
    for quoted, bare in _TERM.findall(query):
        if len(found) == TERMS:
            break
        text = quoted.strip() or bare
        words = [word for word in without_signs(text).split() if _HAS_WORD.search(word)]
        term = Term(text.rstrip("*") or text, tuple(words[:_WORDS_OF_TERM]), begins=bare.endswith("*"))
        found.setdefault(text.casefold(), term)
    return list(found.values())


def without_signs(text: str) -> str:
    return text.translate(_SIGNS)
