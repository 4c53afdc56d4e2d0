"""Which specialist a text is for: words, ordered rules, counts of words, and how they are put together. No database."""
