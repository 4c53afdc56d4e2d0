"""The pages of templates: the list, one of them with its versions, writing and deleting, for a project and the site."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tasks.identity.actor import Actor
from tasks.library.models import Template
from tasks.library.services.templates import save_template
from tasks.models import Project
from tests.factories import html_of, make_plan, make_project, note_of, sent, signed_in
from tests.library.rows import chores, make_origin, make_template
from tests.tour import HOSTILE

pytestmark = pytest.mark.django_db

HERE, SITE = "/projects/ledger/library/", "/library/"
FORM = '<form class="box" method="post"'
FIELDS = '<form class="body fields"'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project("ledger", root_path=str(tmp_path))


@pytest.fixture
def owner(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def write_file(project: Project, text: str, name: str = "chores.yaml") -> None:
    folder = Path(project.root_path) / ".task_orchestrator/templates"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def row_of(page: str, name: str) -> str:
    found = re.search(rf'<tr id="template-{name}".*?</tr>', page, re.DOTALL)
    assert found, f"no row of {name}"
    return found[0]


def save(client: Client, address: str, change: dict[str, str] | None = None, **typed: str) -> Any:
    """Open a form, and send it with what is typed, or with its text changed."""
    fields = sent(html_of(client.get(address)), FORM)
    for old, new in (change or {}).items():
        fields["text"] = [fields["text"][0].replace(old, new)]
    return client.post(address, {**fields, **typed})


def lines_with_problems(page: str) -> list[str]:
    return re.findall(r'data-at="([^"]+)"', page)


def test_the_list_names_every_source(client: Client, project: Project) -> None:
    make_template(None, chores(name="of_site"), name="of_site")
    make_template(project, chores(name="of_project"), name="of_project")
    write_file(project, chores(name="of_file"))
    page = html_of(signed_in(client).get(HERE))
    sources = {name: re.search(r'data-source="([^"]+)"', row_of(page, name)) for name in ("of_site", "of_project")}
    assert {name: found and found[1] for name, found in sources.items()} == {"of_site": "site", "of_project": "project"}
    assert 'data-source=".task_orchestrator/templates/chores.yaml"' in row_of(page, "of_file")
    assert 'data-source="default"' in row_of(page, "feature")


def test_the_list_counts_the_plans_of_each_template_in_this_project(client: Client, project: Project) -> None:
    make_template(project)
    for place in (project, project, make_project("other")):
        make_origin(make_plan(place, 1))
    page = html_of(signed_in(client).get(HERE))
    assert 'data-plans="2"' in row_of(page, "chores") and 'data-plans="0"' in row_of(page, "feature")


def test_a_broken_file_is_named_with_its_line(client: Client, project: Project) -> None:
    write_file(project, chores().replace("specialist: researcher", "specialist: weigher"))
    page = unescape(html_of(signed_in(client).get(HERE)))
    assert ".task_orchestrator/templates/chores.yaml, line 13:" in page


def test_a_saved_template_that_no_longer_fits_can_be_opened_and_repaired(owner: Client, project: Project) -> None:
    make_template(project, chores().replace("specialist: researcher", "specialist: gone"))
    address = f"{HERE}templates/chores/edit/"
    assert address in html_of(owner.get(HERE))
    assert owner.get(f"{HERE}templates/chores/").status_code == 404
    assert save(owner, address, {"specialist: gone": "specialist: tester"}).status_code == 302
    assert owner.get(f"{HERE}templates/chores/").status_code == 200


def test_a_template_shows_its_steps_with_needs_gates_and_conditions(client: Client, project: Project) -> None:
    make_template(project)
    page = unescape(html_of(signed_in(client).get(f"{HERE}templates/chores/")))
    assert re.findall(r'data-step="(\w+)" data-needs="([\w ]*)"', page) == [
        ("look", ""), ("clean", "look"), ("dry", "clean"),
    ]  # fmt: skip
    rows = page.split("data-step=")
    assert ">report</span>" in rows[1] and "<code>jobs</code>" in rows[2] and "<bdi>wet is set</bdi>" in rows[3]
    assert re.findall(r'data-parameter="(\w+)"', page) == ["place", "goal", "days", "wet", "how", "jobs"]


def test_a_template_lists_the_plans_of_this_project_alone(client: Client, project: Project) -> None:
    make_template(None)
    mine, other = make_plan(project, 1), make_plan(make_project("other"), 1)
    for plan in (mine, other):
        make_origin(plan)
    page = html_of(signed_in(client).get(f"{HERE}templates/chores/"))
    assert f"/tasks/{mine.public_id}/" in page and f"/tasks/{other.public_id}/" not in page


def test_versions_are_compared_with_the_one_before(client: Client, project: Project) -> None:
    old, new = make_template(project, chores("Old")), make_template(project, chores("New"))
    page = html_of(signed_in(client).get(f"{HERE}templates/chores/versions/{new.pk}/"))
    assert 'data-added="5" data-removed="5"' in page
    page = html_of(client.get(f"{HERE}templates/chores/versions/{old.pk}/?against={new.pk}&layout=split"))
    assert 'class="diff lines split"' in page


def test_the_first_version_shows_its_text(client: Client, project: Project) -> None:
    version = make_template(project)
    page = html_of(signed_in(client).get(f"{HERE}templates/chores/versions/{version.pk}/"))
    assert "template: chores" in page and "data-added" not in page


@pytest.mark.parametrize("other", ["project", "name"])
def test_versions_of_other_projects_and_templates_are_not_found(client: Client, project: Project, other: str) -> None:
    make_template(project)
    place = make_project("other") if other == "project" else project
    version = make_template(place, name="chores" if other == "project" else "elsewhere")
    assert signed_in(client).get(f"{HERE}templates/chores/versions/{version.pk}/").status_code == 404


@pytest.mark.parametrize("name", ["nothing", "No%00thing", "..%2f.."])
def test_a_template_that_is_not_there_is_not_found(owner: Client, project: Project, name: str) -> None:
    pages = ("", "plan/", "edit/", "delete/", "versions/1/")
    assert {owner.get(f"{HERE}templates/{name}/{page}").status_code for page in pages} == {404}


def test_a_new_template_is_saved_and_planned_with_at_once(owner: Client, project: Project) -> None:
    answer = save(owner, f"{HERE}new-template/")
    assert answer["Location"] == f"{HERE}templates/my_template/"
    assert "my_template" in html_of(owner.get(HERE))
    assert owner.get(f"{HERE}templates/my_template/plan/").status_code == 200


def test_every_mistake_is_named_with_its_line_and_the_text_is_kept(owner: Client, project: Project) -> None:
    wrong = chores().replace("{place}", "{plcae}").replace("needs: [look]", "needs: [lok]")
    answer = save(owner, f"{HERE}new-template/", text=wrong)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert {"line 13", "line 18"} <= set(lines_with_problems(page))
    assert sent(page, FORM)["text"][0].replace("\r\n", "\n") == wrong
    assert not Template.objects.exists()


def test_a_new_template_takes_no_name_that_is_there(owner: Client, project: Project) -> None:
    answer = save(owner, f"{HERE}new-template/", text=chores(name="feature"))
    assert answer.status_code == 409 and note_of(answer.content.decode(), "conflict")


def test_a_template_is_saved_under_its_own_name_only(owner: Client, project: Project) -> None:
    make_template(project)
    answer = save(owner, f"{HERE}templates/chores/edit/", text=chores(name="other"))
    assert lines_with_problems(answer.content.decode()) == ["template"]


def test_a_built_in_template_is_copied_to_the_project(owner: Client, project: Project) -> None:
    assert save(owner, f"{HERE}templates/feature/edit/", {'version: "1"': 'version: "1-ours"'}).status_code == 302
    saved = Template.objects.get(project=project, name="feature")
    assert (saved.number, saved.version, saved.saved_by) == (1, "1-ours", "ada")


def test_a_template_of_a_project_is_copied_to_the_site(owner: Client, project: Project) -> None:
    make_template(project, chores("Everywhere"))
    copied = f"{SITE}templates/chores/edit/?from=ledger"
    assert copied in html_of(owner.get(f"{HERE}templates/chores/"))
    assert save(owner, copied)["Location"] == f"{SITE}templates/chores/"
    assert Template.objects.get(project=None).text == chores("Everywhere")


def test_an_old_version_is_saved_again(owner: Client, project: Project) -> None:
    old = make_template(project, chores("Old"))
    make_template(project, chores("New"))
    again = f"{HERE}templates/chores/edit/?version={old.pk}"
    assert again in html_of(owner.get(f"{HERE}templates/chores/versions/{old.pk}/"))
    save(owner, again)
    assert list(Template.objects.order_by("number").values_list("text", flat=True)) == [
        chores("Old"), chores("New"), chores("Old"),
    ]  # fmt: skip


@pytest.mark.parametrize("plan", ["task_00000000", "No\x00thing"])
def test_a_template_is_drafted_only_from_a_plan_of_its_project(owner: Client, project: Project, plan: str) -> None:
    other = make_plan(make_project("other"), 1)
    assert save(owner, f"{HERE}new-template/", plan=plan).status_code == 404
    assert save(owner, f"{HERE}new-template/", plan=other.public_id).status_code == 404
    assert not Template.objects.exists()


def test_a_file_is_not_edited_here(owner: Client, project: Project) -> None:
    write_file(project, chores())
    assert 'id="from-file"' in html_of(owner.get(f"{HERE}templates/chores/"))
    assert owner.get(f"{HERE}templates/chores/edit/")["Location"] == f"{HERE}templates/chores/"
    answer = owner.post(f"{HERE}templates/chores/edit/", {"text": chores("Mine"), "seen": ""})
    assert answer.status_code in (409, 412) and not Template.objects.exists()


def test_what_another_person_saved_is_not_overwritten_unseen(owner: Client, project: Project) -> None:
    make_template(project, chores("First"))
    address = f"{HERE}templates/chores/edit/"
    opened = sent(html_of(owner.get(address)), FORM)
    bob = Actor(kind="person", name="bob")
    save_template(project=project, actor=bob, text=chores("Theirs"))
    answer = owner.post(address, {**opened, "text": chores("Mine")})
    page = answer.content.decode()
    assert (answer.status_code, 'data-by="bob"' in page) == (412, True)
    again = sent(page, FORM)
    assert chores("Mine") == again["text"][0].replace("\r\n", "\n")
    assert owner.post(address, again).status_code == 302
    assert Template.objects.order_by("-number")[0].text == chores("Mine")


def test_a_deleted_template_leaves_the_one_below_and_its_history(owner: Client, project: Project) -> None:
    make_template(None, chores("Site's"))
    make_template(project)
    address = f"{HERE}templates/chores/delete/"
    page = html_of(owner.get(address))
    assert 'data-below="site"' in page
    assert owner.post(address, sent(page, FIELDS)).status_code == 302
    page = html_of(owner.get(f"{HERE}templates/chores/"))
    assert 'data-source="site"' in page and "#2, deleted" in page


def test_a_saved_template_that_no_longer_fits_can_be_deleted(owner: Client, project: Project) -> None:
    make_template(project, chores().replace("specialist: researcher", "specialist: gone"))
    address = f"{HERE}templates/chores/delete/"
    assert address in html_of(owner.get(f"{HERE}templates/chores/edit/"))
    owner.post(address, sent(html_of(owner.get(address)), FIELDS))
    assert Template.objects.filter(is_deleted=True).exists()


def test_only_what_was_saved_here_is_deleted_here(owner: Client, project: Project) -> None:
    make_template(None)
    assert {owner.get(f"{HERE}templates/{name}/delete/").status_code for name in ("chores", "feature")} == {404}


def test_a_template_that_was_saved_again_is_not_deleted_unseen(owner: Client, project: Project) -> None:
    make_template(project, chores("First"))
    address = f"{HERE}templates/chores/delete/"
    opened = sent(html_of(owner.get(address)), FIELDS)
    make_template(project, chores("Second"))
    owner.post(address, opened)
    assert 'data-source="project"' in html_of(owner.get(f"{HERE}templates/chores/"))


def test_the_site_has_its_own_templates_that_every_project_sees(owner: Client, project: Project) -> None:
    assert save(owner, f"{SITE}new-template/", text=chores("For all"))["Location"] == f"{SITE}templates/chores/"
    assert 'data-source="site"' in row_of(html_of(owner.get(HERE)), "chores")
    assert 'data-source="site"' in row_of(html_of(owner.get(SITE)), "chores")
    assert "/plan/" not in html_of(owner.get(SITE))


def test_a_new_project_without_plans_offers_the_templates(client: Client, project: Project) -> None:
    signed_in(client)
    assert all(f'<a href="{HERE}">' in html_of(client.get(f"/projects/ledger/{page}")) for page in ("", "board/"))


def test_texts_of_templates_are_shown_as_text(client: Client, project: Project) -> None:
    make_template(project, chores(HOSTILE))
    page = html_of(signed_in(client).get(f"{HERE}templates/chores/")) + html_of(client.get(HERE))
    assert "<script>document.title" not in page and "<img src=x" not in page
    assert "&lt;script&gt;" in page
