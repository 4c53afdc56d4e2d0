"""The pages of sessions in a browser: on a phone, on a desk, in both colours, and for those who cannot see."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tasks.choices import Status, Verb
from tasks.models import Session, ToolUse
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_event, make_project, make_session, make_task

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


@pytest.fixture
def session(transactional_db: None) -> Session:
    session = make_session(make_project("ledger"), client_name="Claude Code " * 9, principal="ada/laptop")
    task = make_task(session.project, status=Status.ACTIVE, lease_session=session, title="Count" * 50)
    make_event(task, Verb.CLAIM, session=session)
    now = timezone.now()
    sums = {"calls": 9, "errors": 2, "bytes_sent": 5000, "first_at": now, "last_at": now}
    ToolUse.objects.create(session=session, tool="orchestrator_plan_task", **sums)
    return session


@pytest.mark.parametrize("viewport", [PHONE, DESK])
def test_the_pages_fit_and_break_no_rule(open_page: Open, session: Session, viewport: dict[str, int]) -> None:
    for address in ("/sessions/", f"/sessions/{session.public_id}/", f"/sessions/{session.public_id}/end/"):
        page = open_page(address, viewport=viewport)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], address
        assert violations(page) == [], address
