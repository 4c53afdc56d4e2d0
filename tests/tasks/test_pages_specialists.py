"""The pages of specialists: every role and where it comes from; editing with a preview; what the next brief says."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Specialist, Task
from tasks.services.specialists import put_specialist
from tests.assistants import Assistant
from tests.factories import html_of, make_plan, make_project, make_task, make_user, signed_in

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>\u202e"
TYPED = {
    "role_definition": "You weigh every gram. You are exact.",
    "expertise": "Scales\r\n\r\n Weights ",
    "approach": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project("ledger", root_path=str(tmp_path))


@pytest.fixture
def owner(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def address(name: str = "tester", page: str = "") -> str:
    return f"/projects/ledger/specialists/{name}/{page}"


def seen_on(html: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', html)
    assert found, html
    return found[1]


def send(client: Client, path: str, *, do: str = "save", seen: str | None = None, **typed: str) -> Any:
    """Open a form, and send it with what is typed."""
    shown = seen_on(html_of(client.get(path))) if seen is None else seen
    return client.post(path, {"output_format": "", **TYPED, **typed, "seen": shown, "do": do})


def brief_on(html: str) -> str:
    found = re.search(r'id="preview".*?<pre[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert found, html
    return unescape(found[1])


def write_file(project: Project, text: str) -> None:
    folder = Path(project.root_path) / ".task_orchestrator" / "roles"
    folder.mkdir(parents=True)
    (folder / "house.yaml").write_text(text)


def test_every_role_is_listed_with_its_first_sentence_and_its_source(client: Client, project: Project) -> None:
    write_file(project, "taster:\n  role_definition: You taste. You spit.\n")
    Specialist.objects.create(name="warden", role_definition="You guard v1.2 of it. Always.")
    Specialist.objects.create(project=project, name="tester", role_definition="You test here")
    page = html_of(signed_in(client).get("/projects/ledger/specialists/"))
    rows = dict(re.findall(r'<tr id="specialist-(\w+)" (data-source="[^"]+">.*?)</tr>', page, re.DOTALL))
    assert {"architect", "taster", "warden", "tester"} < set(rows)
    assert "<bdi>You taste.</bdi>" in rows["taster"] and ".task_orchestrator/roles/house.yaml" in rows["taster"]
    assert "You guard v1.2 of it.<" in rows["warden"] and 'data-source="site"' in rows["warden"]
    assert "You test here<" in rows["tester"] and 'data-source="project"' in rows["tester"]
    assert 'data-source="default"' in rows["architect"]


def test_file_errors_show_line_and_role(client: Client, project: Project) -> None:
    write_file(project, "taster:\n  role_definition: You taste.\n  expertice: [a]\n")
    page = html_of(signed_in(client).get("/projects/ledger/specialists/"))
    problems = page.partition('id="problems"')[2].partition("</section>")[0]
    assert all(text in problems for text in (".task_orchestrator/roles/house.yaml", "3", "taster", "expertice"))


def test_tasks_are_counted_by_specialist(client: Client, project: Project) -> None:
    make_plan(project, 15, statuses=[Status.PENDING, Status.COMPLETED])
    make_task(project, specialist="tester", archived_at="2026-01-01T00:00Z")
    make_task(make_project(), specialist="tester")
    page = html_of(signed_in(client).get("/projects/ledger/specialists/"))
    row = page.partition('<tr id="specialist-tester"')[2].partition("</tr>")[0]
    assert re.search('data-tasks="3" data-open="[12]"', row)


def test_a_specialist_that_tasks_use_can_be_defined(owner: Client, project: Project) -> None:
    make_task(project, specialist="ghost")
    page = html_of(owner.get("/projects/ledger/specialists/"))
    assert "/projects/ledger/new-specialist/?name=ghost" in page
    assert 'value="ghost"' in html_of(owner.get("/projects/ledger/new-specialist/?name=ghost"))


def test_a_list_costs_the_same_however_many_there_are(client: Client, project: Project) -> None:
    signed_in(client)
    costs = []
    for number in range(30):
        Specialist.objects.create(project=project, name=f"s{number}", role_definition="x")
        make_task(project, specialist="s1")
        if number in (2, 29):
            costs.append([_queries(client, "/projects/ledger/specialists/"), _queries(client, address("s1"))])
    assert costs[0] == costs[1]
    assert max(costs[0]) <= 10


def _queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as context:
        html_of(client.get(path))
    return len(context)


def test_a_role_is_read_whole(client: Client, project: Project) -> None:
    task = make_task(project, specialist="tester", title="Weigh it")
    page = html_of(signed_in(client).get(address()))
    assert 'data-source="default"' in page and "Weigh it" in page and page.count("<h3>") == 4
    assert f"/tasks/{task.public_id}/" in page and "/edit/" not in page


def test_hostile_texts_are_text(owner: Client, project: Project) -> None:
    put_specialist(
        project=project,
        actor=Actor.system(),
        name="tester",
        role_definition=EVIL + "x" * 100_000,
        expertise=[EVIL],
        approach=["</textarea><b>"],
        output_format=EVIL,
    )
    for page in ("", "edit/", "reset/"):
        html = html_of(owner.get(address(page=page)))
        assert "<script>alert" not in html and "</textarea><b>" not in html


@pytest.mark.parametrize("path", ["specialists/nobody/", "specialists/nobody/edit/", "specialists/a%00b/", "x/y/"])
def test_what_is_not_there_is_not_found(owner: Client, project: Project, path: str) -> None:
    assert owner.get(f"/projects/ledger/{path}").status_code == 404
    assert owner.get("/projects/nowhere/specialists/").status_code == 404


@pytest.mark.parametrize("path", ["specialists/tester/edit/", "specialists/tester/reset/", "new-specialist/"])
def test_only_who_rules_the_site_may_write(client: Client, project: Project, path: str) -> None:
    assert client.get(f"/projects/ledger/{path}").status_code == 302
    client.force_login(make_user("rev", is_staff=True))
    assert client.get(f"/projects/ledger/{path}").status_code == 403
    assert client.post(f"/projects/ledger/{path}", TYPED).status_code == 403
    assert not Specialist.objects.exists()


def test_a_saved_role_takes_effect_with_the_next_brief(ada: Assistant, client: Client) -> None:
    project = ada.caller.session().project
    task = ada.plan("Weigh it")["Weigh it"]
    signed_in(client, name="eve", is_staff=True, is_superuser=True)
    path = f"/projects/{project.slug}/specialists/implementer/"
    answer = send(client, f"{path}edit/", output_format="A number.")
    assert (answer.status_code, answer["Location"]) == (302, path)
    brief = ada.call("execute_subtask", task_id=task)["brief"]
    assert "You weigh every gram." in brief and "- Scales\n- Weights\n" in brief and "Output format: A number." in brief
    client.post(f"{path}reset/", {"seen": seen_on(html_of(client.get(f"{path}reset/")))})
    assert "You weigh every gram." not in ada.call("execute_subtask", task_id=task)["brief"]


def test_a_preview_shows_the_brief_with_what_is_typed_and_changes_nothing(owner: Client, project: Project) -> None:
    task = make_task(project, specialist="tester", title="Weigh it", description="All of it.")
    before = Event.objects.count()
    answer = send(owner, address(page="edit/"), do="preview", task=task.public_id)
    brief = brief_on(html_of(answer))
    assert "Weigh it" in brief and "You weigh every gram. You are exact.\nExpertise:\n- Scales\n- Weights" in brief
    assert ">Scales\n\n Weights </textarea>" in html_of(answer).replace("\n>", ">").replace(">\n", ">")
    assert Event.objects.count() == before and not Specialist.objects.exists()


def test_a_preview_has_a_made_up_task_where_there_is_none(owner: Client, project: Project) -> None:
    brief = brief_on(html_of(send(owner, "/projects/ledger/new-specialist/", do="preview", name="weigher")))
    assert "(weigher_000000" in brief and "You weigh every gram." in brief
    other = make_task(make_project(), title="A secret of another project")
    shown = brief_on(html_of(send(owner, address(page="edit/"), do="preview", task=other.public_id)))
    assert "secret" not in shown and "_000000" in shown


def test_a_new_specialist_of_any_good_name_is_added(owner: Client, project: Project) -> None:
    for name in ("weigher", "new", "edit"):
        answer = send(owner, "/projects/ledger/new-specialist/", name=name)
        assert answer["Location"] == f"/projects/ledger/specialists/{name}/"
        assert "You weigh every gram." in html_of(owner.get(answer["Location"]))
        assert "You weigh every gram." in html_of(owner.get(address(name, "edit/")))


def test_a_name_that_is_taken_is_not_written_over(owner: Client, project: Project) -> None:
    answer = send(owner, "/projects/ledger/new-specialist/", name="tester")
    assert answer.status_code == 409 and not Specialist.objects.exists()
    page = answer.content.decode()
    assert 'id="name-errors"' in page and "You weigh every gram." in page


def test_mistakes_stand_beside_their_fields(owner: Client, project: Project) -> None:
    lines = "good\n" + "x" * 200_001
    answer = send(owner, "/projects/ledger/new-specialist/", name="Bad Name", role_definition=" ", expertise=lines)
    page = answer.content.decode()
    assert answer.status_code == 400
    errors = dict(re.findall(r'<ul class="errorlist" id="(\w+)-errors">(.*?)</ul>', page, re.DOTALL))
    assert set(errors) == {"name", "role_definition", "expertise"} and "200,001" in errors["expertise"]
    assert 'value="Bad Name"' in page


def test_concurrent_changes_are_not_lost(owner: Client, project: Project) -> None:
    seen = seen_on(html_of(owner.get(address(page="edit/"))))
    bob = Actor.person(make_user("bob", is_superuser=True), Actor.system().scopes)
    put_specialist(project=project, actor=bob, name="tester", role_definition="Bob's role.")
    answer = send(owner, address(page="edit/"), seen=seen)
    page = answer.content.decode()
    assert answer.status_code == 412
    assert 'id="stale" data-by="bob"' in page and "Bob&#x27;s role." in page and "You weigh every gram." in page
    assert Specialist.objects.get().role_definition == "Bob's role."
    assert send(owner, address(page="edit/"), seen=seen_on(page)).status_code == 302
    assert Specialist.objects.get().role_definition == "You weigh every gram. You are exact."


def test_a_role_removed_since_comes_back_only_on_purpose(owner: Client, project: Project) -> None:
    Specialist.objects.create(project=project, name="weigher", role_definition="x")
    seen = seen_on(html_of(owner.get(address("weigher", "edit/"))))
    Specialist.objects.all().delete()
    answer = send(owner, address("weigher", "edit/"), seen=seen)
    assert answer.status_code == 412 and 'id="stale"' in answer.content.decode()
    assert send(owner, address("weigher", "edit/"), seen=seen_on(answer.content.decode())).status_code == 302


def test_a_reset_asks_first_and_keeps_concurrent_changes(owner: Client, project: Project) -> None:
    Specialist.objects.create(project=project, name="tester", role_definition="Ours.")
    page = html_of(owner.get(address(page="reset/")))
    assert 'data-below="default"' in page
    Specialist.objects.update(role_definition="Newer.")
    owner.post(address(page="reset/"), {"seen": seen_on(page)})
    assert Specialist.objects.get().role_definition == "Newer."
    answer = owner.post(address(page="reset/"), {"seen": seen_on(html_of(owner.get(address(page="reset/"))))})
    assert answer["Location"] == address() and not Specialist.objects.exists()
    assert Event.objects.get().verb == Verb.DELETE_SPECIALIST


def test_a_specialist_of_the_project_alone_is_removed(owner: Client, project: Project) -> None:
    Specialist.objects.create(project=project, name="weigher", role_definition="Ours.")
    page = html_of(owner.get(address("weigher", "reset/")))
    assert "data-below" not in page
    answer = owner.post(address("weigher", "reset/"), {"seen": seen_on(page)})
    assert answer["Location"] == "/projects/ledger/specialists/" and not Specialist.objects.exists()


def test_a_role_of_a_file_is_only_read_and_says_which_file(owner: Client, project: Project) -> None:
    write_file(project, "tester:\n  role_definition: From the file.\n")
    page = html_of(owner.get(address()))
    assert 'id="from-file"' in page and ".task_orchestrator/roles/house.yaml" in page and "/edit/" not in page
    assert owner.get(address(page="edit/"))["Location"] == address()
    answer = owner.post(address(page="edit/"), {**TYPED, "seen": ""})
    assert answer.status_code in (409, 412) and not Specialist.objects.exists()


def test_forms_without_their_token_are_refused(owner: Client, project: Project) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = owner.cookies
    assert strict.post(address(page="edit/"), TYPED).status_code == 403
    assert not Task.objects.exists()
