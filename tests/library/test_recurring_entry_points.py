"""Recurring plans over REST and on their pages."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tasks.library.models import Recurring
from tasks.library.selectors.recurring import NOT_PLANNED
from tasks.library.services.recurring import run_due
from tasks.models import Project, Task
from tests.factories import html_of, make_project, sent, signed_in
from tests.library.rows import make_template
from tests.library.samples import CHORES, make_recurring, save_chores
from tests.rest import rest

HERE = "/projects/shop/library/recurring/"
API = "/projects/shop/recurring"
CHORE = {"name": "Chores", "template": "chores", "cron": "0 9 * * MON", "is_on": True}


@pytest.fixture
def project(db: None) -> Project:
    project = make_project("shop", settings={"time_zone": "Europe/Berlin"})
    save_chores(project)
    return project


@pytest.fixture
def owner(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def typed(client: Client, address: str, **changed: Any) -> Any:
    """Send the form of a page with what is typed; None leaves a field out."""
    fields = {**sent(html_of(client.get(address)), '<form class="body fields" method="post">'), **changed}
    return client.post(address, {name: value for name, value in fields.items() if value is not None})


def row_of(page: str, row: Recurring) -> str:
    found = re.search(rf'<tr id="recurring-{row.pk}".*?</tr>', page, re.DOTALL)
    assert found
    return found[0]


def test_rest_creates_reads_edits_switches_and_deletes_one(project: Project) -> None:
    client = rest()
    made = client.send("POST", API, CHORE)
    row = made.json()
    assert made.status_code == 201 and row["time_zone"] == "Europe/Berlin" and len(row["next_times"]) == 3
    assert client.get(made["Location"]) == row == client.get(API)["results"][0]
    address = f"{API}/{row['recurring_id']}"
    edited = client.send("PATCH", address, {"every_minutes": 90, "is_on": False}).json()
    assert (edited["cron"], edited["every_minutes"], edited["is_on"], edited["next_times"]) == ("", 90, False, [])
    assert client.send("DELETE", address).status_code == 204
    client.refused(404, "GET", address)


def test_rest_plans_now_and_refuses_a_second_one_while_that_is_open(project: Project) -> None:
    client = rest()
    address = f"{API}/{make_recurring(project).pk}/plans"
    made = client.post(address)
    assert Task.objects.get(public_id=made["plan"]).title == "Chores of the kitchen"
    assert client.refused(409, "POST", address)["code"] == "conflict"


def test_an_edit_of_what_has_changed_since_is_refused(project: Project) -> None:
    client, row = rest(), make_recurring(project)
    address = f"{API}/{row.pk}"
    etag = client.send("GET", address)["ETag"]
    assert client.send("GET", address)["ETag"] == etag
    client.send("PATCH", address, {"name": "Others"})
    client.refused(412, "PATCH", address, {"is_on": False}, If_Match=etag)
    client.refused(412, "DELETE", address, If_Match=etag)


@pytest.mark.parametrize(
    "wrong, at",
    [
        ({"cron": "* * * * *"}, "cron"),
        ({"cron": "", "every_minutes": 10**30}, "every_minutes"),
        ({"parameters": {"colour": "red"}}, "parameters.colour"),
        ({"parameters": []}, "parameters"),
        ({"every": 5}, "every"),
    ],
)
def test_rest_names_what_is_wrong(project: Project, wrong: dict[str, Any], at: str) -> None:
    problem = rest().refused(400, "POST", API, {**CHORE, **wrong})
    assert [each["at"] for each in problem["problems"]] == [at]


def test_only_who_manages_the_project_changes_one_over_rest(project: Project) -> None:
    writer, row = rest(scopes=("read", "write")), make_recurring(project)
    for method, address, body in (
        ("POST", API, CHORE),
        ("PATCH", f"{API}/{row.pk}", {}),
        ("DELETE", f"{API}/{row.pk}", None),
    ):
        writer.refused(403, method, address, body)
    assert writer.post(f"{API}/{row.pk}/plans")["plan"]


def test_a_person_puts_a_template_on_a_schedule(project: Project, owner: Client) -> None:
    assert 'value="chores"' in html_of(owner.get(f"{HERE}new/"))
    address = f"{HERE}new/?template=chores"
    page = typed(owner, address, cron="30 2 * * *", do="times")
    assert (
        page.status_code == 200
        and len(re.findall(r"<time ", page.content.decode().partition('id="times"')[2][:900])) == 3
    )
    assert not Recurring.objects.exists()
    typed(owner, address, name="Daily", cron="30 2 * * *", **{"parameters.place": "cellar", "is_on": "on"})
    row = Recurring.objects.get()
    assert (row.name, row.parameters["place"], row.is_on, row.changed_by) == ("Daily", "cellar", True, "ada")
    assert 'data-on="yes"' in row_of(html_of(owner.get(HERE)), row)


def test_a_new_one_is_off_unless_the_box_is_ticked(project: Project, owner: Client) -> None:
    typed(owner, f"{HERE}new/?template=chores", cron="30 2 * * *")
    assert not Recurring.objects.get().is_on


def test_parameters_that_were_left_alone_follow_the_template(project: Project, owner: Client) -> None:
    make_template(project)
    typed(owner, f"{HERE}new/?template=chores", cron="0 9 * * *", **{"parameters.goal": "Shine"})
    row = Recurring.objects.get()
    assert row.parameters == {"goal": "Shine"}
    typed(owner, f"{HERE}{row.pk}/", **{"parameters.goal": "Shine", "parameters.wet": "false", "template": "chores"})
    row.refresh_from_db()
    assert row.parameters == {"goal": "Shine", "wet": False}
    assert '<option value="false" selected>' in html_of(owner.get(f"{HERE}{row.pk}/"))


def test_what_is_wrong_is_named_at_its_field_and_what_was_typed_is_kept(project: Project, owner: Client) -> None:
    answer = typed(owner, f"{HERE}new/?template=chores", cron="* * * * *", **{"parameters.days": "many"})
    page = answer.content.decode()
    assert answer.status_code == 400 and not Recurring.objects.exists()
    assert 'value="* * * * *"' in page and 'value="many"' in page and 'id="cron-errors"' in page
    answer = typed(owner, f"{HERE}new/?template=chores", cron="0 9 * * *", **{"parameters.days": "many"})
    assert 'id="parameters.days-errors"' in answer.content.decode()


def test_minutes_that_are_no_number_are_named(project: Project, owner: Client) -> None:
    answer = typed(owner, f"{HERE}new/?template=chores", every_minutes="soon")
    assert answer.status_code == 400 and 'id="every_minutes-errors"' in answer.content.decode()


def test_the_form_shows_what_is_kept_and_saves_it_alike(project: Project, owner: Client) -> None:
    row = make_recurring(project, parameters={"place": "cellar"}, cron="", every_minutes=60)
    before = Recurring.objects.values("name", "template", "parameters", "every_minutes", "is_on", "next_at").get()
    typed(owner, f"{HERE}{row.pk}/")
    assert (
        Recurring.objects.values("name", "template", "parameters", "every_minutes", "is_on", "next_at").get() == before
    )


def test_an_edit_on_a_page_of_what_has_changed_since_is_said_and_can_be_saved_again(
    project: Project, owner: Client
) -> None:
    row = make_recurring(project)
    typed_in = sent(html_of(owner.get(f"{HERE}{row.pk}/")), '<form class="body fields" method="post">')
    Recurring.objects.update(cron="0 7 * * *", changed_by="grace", changed_at=timezone.now())
    shown = owner.post(f"{HERE}{row.pk}/", {**typed_in, "name": "Mine", "do": "times"})
    assert f'value="{typed_in["seen"][0]}"' in shown.content.decode()
    answer = owner.post(f"{HERE}{row.pk}/", {**typed_in, "name": "Mine"})
    page = answer.content.decode()
    assert answer.status_code == 412 and "grace" in page and 'value="Mine"' in page
    assert Recurring.objects.get().cron == "0 7 * * *"
    owner.post(f"{HERE}{row.pk}/", sent(page, '<form class="body fields" method="post">'))
    assert (Recurring.objects.get().name, Recurring.objects.get().cron) == ("Mine", "0 9 * * *")


def test_a_turn_that_came_while_a_form_was_open_is_no_change(project: Project, owner: Client) -> None:
    row = make_recurring(project)
    typed_in = sent(html_of(owner.get(f"{HERE}{row.pk}/")), '<form class="body fields" method="post">')
    assert run_due(now=row.next_at).planned == 1
    assert owner.post(f"{HERE}{row.pk}/", {**typed_in, "name": "Mine"}).status_code == 302


def test_buttons_switch_plan_and_delete(project: Project, owner: Client) -> None:
    row = make_recurring(project, is_on=False)
    for verb, is_on in (("on", True), ("off", False)):
        owner.post(f"{HERE}{row.pk}/{verb}/")
        assert Recurring.objects.get().is_on is is_on
    made = owner.post(f"{HERE}{row.pk}/plan/")
    assert made["Location"] == f"/tasks/{Task.objects.plans().get().public_id}/"
    assert owner.post(f"{HERE}{row.pk}/plan/", follow=True).status_code == 200
    assert Task.objects.plans().count() == 1
    assert owner.post(f"{HERE}{row.pk}/nonsense/").status_code == 404
    owner.post(f"{HERE}{row.pk}/delete/")
    assert not Recurring.objects.exists()


def test_the_list_shows_what_no_longer_fits(project: Project, owner: Client) -> None:
    row = make_recurring(project, parameters={"place": "cellar"})
    Recurring.objects.update(outcome=f"{NOT_PLANNED}No template 'chores'.", next_at=timezone.now() + timedelta(days=1))
    assert "state failed" in row_of(html_of(owner.get(HERE)), row)


def test_one_whose_template_is_gone_can_still_be_opened_and_switched_off(project: Project, owner: Client) -> None:
    row = make_recurring(project)
    Recurring.objects.update(template="gone")
    assert owner.get(f"{HERE}{row.pk}/").status_code == 200
    owner.post(f"{HERE}{row.pk}/off/")
    assert not Recurring.objects.get().is_on


def test_a_reader_sees_the_list_without_buttons_and_may_not_post(project: Project, client: Client) -> None:
    row, reader = make_recurring(project), signed_in(client)
    assert "<form" not in row_of(html_of(reader.get(HERE)), row)
    for verb in ("on", "off", "plan", "delete"):
        assert reader.post(f"{HERE}{row.pk}/{verb}/").status_code == 403
    assert Recurring.objects.count() == 1 and not Task.objects.exists()


def test_a_reviewer_may_plan_now_and_change_nothing(project: Project, client: Client) -> None:
    row, reviewer = make_recurring(project), signed_in(client, is_staff=True)
    reviewer.post(f"{HERE}{row.pk}/delete/")
    reviewer.post(f"{HERE}{row.pk}/off/")
    assert Recurring.objects.get().is_on
    reviewer.post(f"{HERE}{row.pk}/plan/")
    assert Task.objects.plans().exists()


def test_it_is_found_only_in_its_project(project: Project, owner: Client) -> None:
    other = make_project("other")
    save_chores(other, CHORES)
    row = make_recurring(other)
    assert owner.get(f"{HERE}{row.pk}/").status_code == 404
    assert owner.post(f"{HERE}{row.pk}/delete/").status_code == 404
    rest().refused(404, "GET", f"{API}/{row.pk}")
