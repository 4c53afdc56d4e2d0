"""States of contexts."""

from __future__ import annotations

from django.db import models


class ContextState(models.TextChoices):
    """A lesson is a draft until a person decides; only an active one comes into briefs."""

    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    DISMISSED = "dismissed", "Dismissed"
