"""What a lower app announces and a higher one acts on, in the transaction of the change unless it says otherwise."""

from __future__ import annotations

from django.dispatch import Signal

tasks_changed = Signal()
"""Searchable fields of `tasks` (a sequence) are new; `renamed` says whether a title is among them."""

project_files_changed = Signal()
"""The files that a project keeps a mirror of, or whether it keeps one, changed: `project`."""

verdict_given = Signal()
"""A reviewer decides on `task`, whose row is locked, with a `comment`.

A receiver returns the comment with what was said on single lines, and how many such comments there were.
"""

brief_wanted = Signal()
"""`task` gets a brief, `is_claimed` says whether for work. A receiver returns sections: titles with their texts."""

delivered = Signal()
"""`task` was delivered under its `lease_number`, with `texts`: what the delivery says in words."""

tasks_purged = Signal()
"""The tasks of the query `keys` are about to be deleted for good: a receiver deletes, or detaches, what names them."""

origins_wanted = Signal()
"""The templates of plans are wanted. A receiver returns them by the keys of the sequence `plans`, as `name@version`."""
