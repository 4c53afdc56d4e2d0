"""Artifacts as a person reads them: Markdown, code and differences. Stored text is never trusted.

`markdown`, `source` and `opcodes` turn text into HTML or numbers and do not import Django; `sandbox_worker` runs them
in a process of its own, which `sandbox` starts, limits and ends. Pages call `views_of`, `parts` and `difference`.
"""
