"""Delivered work as a person reads it: Markdown, code and differences. Stored text is never trusted.

`markdown`, `source` and `opcodes` turn text into HTML or numbers and know nothing of Django; `process` runs them in a
process of its own, which `apart` starts, limits and ends; `views_of` and `rendered` are what a page asks.
"""
