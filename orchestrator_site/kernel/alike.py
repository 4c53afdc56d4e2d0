"""How much two short texts have in common, as sets of words."""

from __future__ import annotations


def words_of(text: str) -> frozenset[str]:
    return frozenset("".join(char if char.isalnum() else " " for char in text.casefold()).split())


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of all words that both have (Jaccard)."""
    return len(one & other) / max(len(one | other), 1)
