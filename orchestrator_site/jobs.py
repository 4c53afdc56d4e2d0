"""Jobs that clean up sign-in links and browser sessions."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone

from maintenance.registry import job
from orchestrator_site.accounts.links import forget_old_links


@job("delete_old_sign_ins", every=timedelta(hours=1))
def delete_old_sign_ins() -> str:
    """Delete expired sign-in links and browser sessions."""
    links = forget_old_links()
    sessions = Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]
    return f"Deleted {links} sign-in links and {sessions} browser sessions."
