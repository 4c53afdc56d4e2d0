"""The words of a task that are counted: stems and pairs of the title, its first word twice, the description apart."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise

LIMIT = 200
"""Different words of a task at most."""
DESCRIPTION = "…"
"""What marks a word of the description; no word of a title has it."""
_TITLE_CHARS, _TITLE_WORDS = 500, 40
_DESCRIPTION_CHARS, _DESCRIPTION_WORDS = 4_000, 300
_LONGEST = 30
_WORD = re.compile(r"[^\W\d_]+")
_COMMON = {"a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it", "its", "of", "on"}
_COMMON |= {"or", "so", "that", "the", "their", "this", "to", "with"}
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))


def words_of(title: str, description: str = "") -> dict[str, int]:
    """Return how often each word counts. Any string will do, at any length."""
    named = list(islice(_stems(title[:_TITLE_CHARS]), _TITLE_WORDS))
    found = Counter(named)
    found.update(named[:1])
    found.update(f"{first} {second}" for first, second in pairwise(named))
    apart = islice(_stems(description[:_DESCRIPTION_CHARS]), _DESCRIPTION_WORDS)
    found.update(DESCRIPTION + stem for stem in apart)
    return dict(islice(found.items(), LIMIT))


def plain(text: str) -> str:
    """Return a text in one spelling, for the comparison of words."""
    return unicodedata.normalize("NFKC", text).casefold()


def _stems(text: str) -> Iterator[str]:
    for match in _WORD.finditer(plain(text)):
        if (word := match.group()) not in _COMMON:
            yield _stem(word)[:_LONGEST]


def _stem(word: str) -> str:
    """Cut the usual endings of English. What it makes need not be a word, only the same for most of its forms."""
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            word = word.removesuffix(ending) + instead
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def fingerprint(title: str) -> str:
    """Return the same for titles that differ in case and spaces only; by it, a choice finds what was shown before."""
    return hashlib.sha256(" ".join(plain(title).split()).encode(errors="surrogatepass")).hexdigest()
