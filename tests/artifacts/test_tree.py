"""The tree of a project's logical paths: one folder at a time, on the page and over REST."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts.models import ArtifactPath
from artifacts.paths import normalised
from artifacts.selectors import tree
from orchestrator_site.kernel.errors import Invalid, NotFound
from tasks.models import Project, Task
from tests.artifacts.test_zip import make_many
from tests.factories import html_of, make_artifact, make_project, make_task, signed_in
from tests.rest import rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(project, title="Build the shop")


def listed(project: Project, path: str = "", limit: int = 100) -> list[str]:
    """Return the names in a folder, page by page."""
    names, cursor = [], None
    while True:
        found = tree.folder_of(project, path, limit=limit, cursor=cursor)
        assert len(found.folders) + len(found.files) <= limit
        names += [f"{name}/" for name in found.folders] + [file.name for file in found.files]
        cursor = found.cursor
        if cursor is None:
            return names


def test_a_folder_shows_what_lies_right_in_it_folders_first(project: Project, task: Task) -> None:
    for path in ("z", "a.py", "src/b", "src/a/deep/er", "docs/x", "src/c", "srcs/d", "src.d/e"):
        make_artifact(task, path, paths=[path])
    make_artifact(make_task(make_project("other")), "x", paths=["other/y"])
    assert listed(project) == ["docs/", "src/", "src.d/", "srcs/", "a.py", "z"]
    assert listed(project, "src") == listed(project, "/src/") == ["a/", "b", "c"]
    assert listed(project, "src/a") == ["deep/"]
    assert tree.folder_of(project, "src/a/deep", limit=9).trail == [
        ("src", "src"),
        ("a", "src/a"),
        ("deep", "src/a/deep"),
    ]


def test_a_file_says_what_is_known_of_its_latest_version(project: Project, task: Task) -> None:
    artifact = make_artifact(task, "one", "größer", paths=["src/a.py"], kind="code")
    (file,) = tree.folder_of(project, "src", limit=9).files
    assert (file.path, file.artifact_id, file.kind) == ("src/a.py", artifact.public_id, "code")
    assert (file.version, file.size_bytes, file.task_id) == (2, 8, task.public_id)


def test_artifacts_of_several_tasks_at_one_path_are_all_listed(project: Project, task: Task) -> None:
    first, second = make_artifact(task, paths=["a"]), make_artifact(make_task(project), paths=["a"])
    assert [file.artifact_id for file in tree.folder_of(project, limit=9, path="").files] == [
        first.public_id,
        second.public_id,
    ]
    assert listed(project, limit=1) == ["a", "a"]


def test_artifacts_without_a_path_are_listed_separately_the_newest_first(project: Project, task: Task) -> None:
    old, new = make_artifact(task), make_artifact(task)
    make_artifact(task, paths=["(no path)/x"])
    top = tree.folder_of(project, "", limit=9)
    assert top.folders == ["(no path)"] and top.has_pathless
    names = [f"{each.public_id}.md" for each in (new, old)]
    assert [file.name for file in tree.pathless_of(project, limit=9).files] == names
    first = tree.pathless_of(project, limit=1)
    assert [file.name for file in tree.pathless_of(project, limit=1, cursor=first.cursor).files] == names[1:]


def test_a_folder_that_is_none_and_a_cursor_that_is_none_are_refused(project: Project, task: Task) -> None:
    make_artifact(task, paths=["src/a"])
    for path in ("sr", "src/a", "SRC", "src%"):
        with pytest.raises(NotFound):
            tree.folder_of(project, path, limit=9)
    for cursor in ("", "x", "file", "file:x:y", "folder:1", "folder:-1:a", "folder:1:a/b", "file:" + "9" * 30 + ":a"):
        with pytest.raises(Invalid):
            tree.folder_of(project, "", limit=9, cursor=cursor)
    for path in ("a\x00b", "a" * 256, "a/" * 600):
        with pytest.raises(NotFound):
            tree.folder_of(project, path, limit=9)
    for path in ("", "/", "..", "a/..", "./", "C:"):
        assert tree.folder_of(project, path, limit=9).folders == ["src"]


NAMES = st.text(st.sampled_from("ab0/.%_ \U0010ffff\ue000ä~-A"), min_size=1, max_size=12)


@settings(max_examples=30)
@given(st.lists(NAMES, max_size=12), st.integers(1, 4))
def test_every_folder_lists_exactly_what_is_in_it_whatever_the_names(texts: list[str], limit: int) -> None:
    project = make_project()
    artifact = make_artifact(make_task(project))
    paths = set()
    for text in texts:
        try:
            paths.add(normalised(text))
        except ValueError:
            continue
    ArtifactPath.objects.bulk_create(ArtifactPath(artifact=artifact, project=project, path=path) for path in paths)
    folders = {""} | {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)}
    for folder in folders:
        inside = [
            path.removeprefix(f"{folder}/" if folder else "")
            for path in paths
            if path.startswith(folder and f"{folder}/")
        ]
        below = sorted({name.split("/")[0] for name in inside if "/" in name})
        right_in = sorted(name for name in inside if "/" not in name)
        found = listed(project, folder, limit)
        assert sorted(name[:-1] for name in found if name.endswith("/")) == below
        assert sorted(name for name in found if not name.endswith("/")) == right_in
        assert tree.folder_of(project, folder, limit=100).folders == below


def test_ten_thousand_artifacts_are_listed_in_few_quick_queries_that_read_no_more_than_a_page(task: Task) -> None:
    make_many(task, 500)
    artifact = make_artifact(task)
    ArtifactPath.objects.bulk_create(
        ArtifactPath(artifact=artifact, project=task.project, path=f"many/d{number % 2_000}/f{number}.py")
        for number in range(9_500)
    )
    for path in ("", "many", "many/d7", "src", "src/3"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            began = time.thread_time()
            tree.folder_of(task.project, path, limit=100)
            took = time.thread_time() - began
        assert len(queries) <= 4, path
        assert took < 1, path  # far above what it takes; a look at each path would be slower
    with connection.cursor() as cursor:
        plan = f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{queries[0]['sql']}"
        cursor.execute(plan)
        assert "artifact_path_" in str(cursor.fetchall())


def test_a_folder_says_how_much_is_below_it_and_when_the_last_came(project: Project, task: Task) -> None:
    make_artifact(task, "one", "größer", paths=["src/a.py"])
    last = make_artifact(task, "x", paths=["src/deep/er/b.py"])
    make_artifact(task, "not in it", paths=["src-old/c.py", "srcs/d.py"])
    facts = {folder.name: folder for folder in tree.summed(project, tree.folder_of(project, "", limit=9))}
    assert (facts["src"].files, facts["src"].size_bytes, facts["src"].updated_at) == (2, 9, last.updated_at)
    assert [facts[name].files for name in ("src-old", "srcs")] == [1, 1]
    (deep,) = tree.summed(project, tree.folder_of(project, "src", limit=9))
    assert (deep.name, deep.files) == ("deep", 1)


def test_of_a_folder_with_very_many_files_some_are_counted(
    project: Project, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_SUMMED", 6), ("_SUMMED_EACH", 1)):
        monkeypatch.setattr(tree, name, value)
    for path in ("few/a", "many/a", "many/b", "many/c", "many/d"):
        make_artifact(task, paths=[path])
    few, many = tree.summed(project, tree.folder_of(project, "", limit=9))
    assert (few.files, many.files, many.size_bytes, many.updated_at) == (1, 3, None, None)


# The page


def test_files_are_a_tab_of_the_project_and_its_top_has_no_breadcrumbs(task: Task, client: Client) -> None:
    make_artifact(task, paths=["src/app/a.py"])
    signed_in(client)
    top, below = (html_of(client.get(f"/projects/shop/files/{path}")) for path in ("", "src/"))
    assert 'href="/projects/shop/files/" aria-current="page"' in top and 'class="trail"' not in top
    assert 'href="/projects/shop/files/" aria-current="true"' in below and 'class="trail"' in below
    assert 'data-files="1"' in top


def test_the_page_shows_folders_and_files_and_leads_on(task: Task, client: Client) -> None:
    artifact = make_artifact(task, "x" * 2048, paths=["src/app/größe #1?.py"], kind="code")
    signed_in(client)
    assert 'href="/projects/shop/files/"' in html_of(client.get("/projects/shop/"))
    assert 'href="/projects/shop/files/src/"' in html_of(client.get("/projects/shop/files/"))
    assert 'href="/projects/shop/files/src/app/"' in html_of(client.get("/projects/shop/files/src/"))
    page = html_of(client.get("/projects/shop/files/src/app/"))
    for shown in ("größe #1?.py", f"/artifacts/{artifact.public_id}/", "Code", "2.0", "Build the shop", "/files/src/"):
        assert shown in page


@pytest.mark.parametrize("name", ["a b", "ä", "100%", "#x", "?q=1", "a+b", "<b>", "..a", "a&b;", "\u202egnp"])
def test_odd_names_of_folders_are_found_by_their_links(task: Task, client: Client, name: str) -> None:
    make_artifact(task, paths=[f"{name}/{name}/file"])
    signed_in(client)
    address = f"/projects/shop/files/{quote(name)}/"
    assert f'href="{address}"' in html_of(client.get("/projects/shop/files/"))
    assert f'href="{address}{quote(name)}/"' in html_of(client.get(address))
    page = html_of(client.get(f"{address}{quote(name)}/"))
    assert ">file<" in page and "<b>/" not in page and "\u202e" not in page


def test_an_empty_project_says_how_files_come_about(project: Project, client: Client) -> None:
    assert "<code>file_paths</code>" in html_of(signed_in(client).get("/projects/shop/files/"))


def test_a_folder_that_is_none_is_not_found(task: Task, client: Client) -> None:
    make_artifact(task, paths=["src/a"])
    signed_in(client)
    for path in ("nope/", "src/a/", "..%2f..%2fetc/", "%00/"):
        assert client.get(f"/projects/shop/files/{path}").status_code in (400, 404)
    assert client.get("/projects/nope/files/").status_code == 404


def test_pages_of_a_large_folder_follow_each_other(task: Task, client: Client) -> None:
    make_many(task, 150)
    signed_in(client)
    ArtifactPath.objects.all().update(path="x")
    for number, path in enumerate(ArtifactPath.objects.all()):
        ArtifactPath.objects.filter(pk=path.pk).update(path=f"many/{number:03}")
    first = html_of(client.get("/projects/shop/files/many/"))
    assert ">099<" in first and ">100<" not in first
    query = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = html_of(client.get(f"/projects/shop/files/many/{query}"))
    assert ">100<" in second and ">149<" in second and ">099<" not in second and "First page" in second


def test_artifacts_without_a_path_have_a_page(task: Task, client: Client) -> None:
    artifact = make_artifact(task)
    signed_in(client)
    assert "?pathless=true" in html_of(client.get("/projects/shop/files/"))
    assert f"{artifact.public_id}.md" in html_of(client.get("/projects/shop/files/?pathless=true"))


def test_the_page_is_for_people_who_signed_in(project: Project, client: Client) -> None:
    assert client.get("/projects/shop/files/").status_code == 302


# REST


def test_rest_lists_a_folder_in_pages(task: Task) -> None:
    for path in ("src/a", "src/b/c", "z"):
        make_artifact(task, path, paths=[path])
    make_artifact(task)
    ada = rest(scopes=("read",))
    answer = ada.get("/projects/shop/files?limit=1")
    names = [row["path"] or row["name"] for row in answer["results"]]
    assert names == ["src/", "(no path)"] and answer["pathless"] is True
    following = ada.get(answer["next"])
    assert [row["path"] for row in following["results"]] == ["z"] and following["next"] is None
    inside: list[dict[str, Any]] = ada.get("/projects/shop/files?path=src/")["results"]
    assert [(row["type"], row["path"]) for row in inside] == [("folder", "src/b/"), ("file", "src/a")]
    assert set(inside[0]) == set(inside[1])
    assert len(ada.get("/projects/shop/files?pathless=true")["results"]) == 1


def test_rest_refuses_what_it_does_not_know(task: Task) -> None:
    make_artifact(task, paths=["a"])
    ada = rest(scopes=("read",))
    for query in (
        "cursor=x",
        "limit=0",
        "limit=1000",
        "pathless=maybe",
        "pathless=true&path=a",
        "folder=a",
        "path=..%00",
    ):
        ada.refused(400, "GET", f"/projects/shop/files?{query}")
    ada.refused(404, "GET", "/projects/shop/files?path=none")
    ada.refused(404, "GET", "/projects/nope/files")


def test_a_token_of_another_project_finds_no_folder(task: Task) -> None:
    make_artifact(task, paths=["a"])
    rest(scopes=("read",), project=make_project("other")).refused(404, "GET", "/projects/shop/files")
