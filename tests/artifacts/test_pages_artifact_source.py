"""The source of a work on its page: in parts, with lines to point at, what is found in it, and the folder beside it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from artifacts.models import Artifact, Content
from artifacts.rendering.parts import PARTS_PER_PAGE
from tasks.models import Task
from tests.factories import html_of, make_artifact, make_project, make_task, make_user, signed_in

pytestmark = pytest.mark.django_db
CODE = "".join(f"def f{number}():\n    return '{number}'\n\n\n" for number in range(45_000))
EVIL = "<script>document.title = 'taken'</script>\u202e\x00 <img src=x onerror=alert(1)> </pre></div> 😀"


@pytest.fixture
def task(client: Client) -> Task:
    signed_in(client)
    return make_task(make_project("shop"), title="Count it")


@pytest.fixture
def long(task: Task) -> Artifact:
    return make_artifact(task, CODE, paths=["src/app/long.py"], kind="code")


def _page(client: Client, artifact: Artifact, query: str = "", place: str = "") -> str:
    return html_of(client.get(f"/artifacts/{artifact.public_id}/{place}?{query}"))


def _numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<span id="L(\d+)"', page)]


def test_the_first_part_is_there_and_each_other_one_has_a_link_and_its_lines(client: Client, long: Artifact) -> None:
    page = _page(client, long)
    shown, links = _numbers(page), re.findall(r'<a class="part unread".*?</a>', page, re.DOTALL)
    assert shown[0] == 1 and len(links) == PARTS_PER_PAGE - 1
    assert f'data-first="{shown[-1] + 1}"' in links[0] and 'href="?part=2&amp;view=source"' in links[0]
    assert f"{CODE.count(chr(10)):,} lines" in page


def test_every_line_is_reached_from_part_to_part_without_a_script(client: Client, task: Task) -> None:
    long, address, numbers = make_artifact(task, CODE[:150_000], paths=["long.py"]), "", []
    while address is not None:
        page = _page(client, long, address)
        numbers += _numbers(page)
        found = re.search(r'rel="next" href="\?([^"]+)">', page)
        address = unescape(found.group(1)) if found else None
    assert numbers == list(range(1, CODE[:150_000].count("\n") + 2))


def test_a_part_by_itself_is_what_the_page_of_it_shows(client: Client, long: Artifact) -> None:
    part = _page(client, long, "part=3", "part/")
    assert part in _page(client, long, "part=3") and "<html" not in part and _numbers(part)[0] > 1
    small = make_artifact(long.task, "", paths=["empty.py"])
    assert client.get(f"/artifacts/{small.public_id}/part/").status_code == 404
    assert client.get("/artifacts/artifact_ffffffff/part/").status_code == 404
    client.logout()
    assert client.get(f"/artifacts/{long.public_id}/part/").status_code == 302


def _pages_led_to(page: str) -> list[int]:
    """The first parts of the pages that the pager links: the first and previous ones, then the next and last."""
    pager = re.sub(r"<noscript>.*?</noscript>", "", page, flags=re.DOTALL).rpartition('<nav class="pager"')[2]
    return [int(number) for number in re.findall(r'class="button" href="\?part=(\d+)', pager)]


def test_pages_of_a_longer_work_lead_to_each_other(client: Client, long: Artifact) -> None:
    first = _page(client, long)
    assert "1 of 2" in first and _pages_led_to(first) == [PARTS_PER_PAGE + 1, PARTS_PER_PAGE + 1]
    last = _page(client, long, f"part={PARTS_PER_PAGE + 1}")
    assert "2 of 2" in last and _pages_led_to(last) == [1, 1]


@pytest.mark.parametrize("query", ["part=0", "part=x", "part=-1", "part=", "line=x", "line=0", "line=3-"])
def test_a_place_that_is_none_is_the_beginning(client: Client, long: Artifact, query: str) -> None:
    assert _numbers(_page(client, long, query))[0] == 1


def test_a_place_behind_the_end_is_the_last_part(client: Client, long: Artifact) -> None:
    for query in ("part=999999", "line=999999999", f"line={CODE.count(chr(10))}"):
        assert _numbers(_page(client, long, query))[-1] == CODE.count("\n")


def test_lines_that_an_address_names_are_opened_and_marked(client: Client, long: Artifact) -> None:
    page = _page(client, long, "line=50001-50003")
    assert re.findall(r'id="L(\d+)" class="here"', page) == ["50001", "50002", "50003"]
    assert 'class="here"' not in _page(client, long, "line=3-1").replace('id="L3" class="here"', "")


def test_the_form_of_lines_leads_to_their_address(client: Client, long: Artifact) -> None:
    answer = client.get(f"/artifacts/{long.public_id}/?version=1&view=source&part=2&go=500-510")
    assert answer.status_code == 302
    assert answer["Location"] == f"/artifacts/{long.public_id}/?version=1&view=source&line=500-510#L500"
    assert _numbers(_page(client, long, "go=//evil.example"))[0] == 1


def test_a_place_in_markdown_is_shown_in_its_source(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "# One\n\ntwo\n", paths=["a.md"])
    assert 'id="L3" class="here"' in _page(client, artifact, "line=3")
    assert 'id="L3"' in _page(client, artifact, "offset=7") and 'id="L3"' not in _page(client, artifact)


@pytest.mark.parametrize("view", ["", "view=source", "view=plain"])
def test_find_works_in_any_version_and_view(client: Client, task: Task, view: str) -> None:
    artifact = make_artifact(task, "one\nthe needle here\n", "no more\n", paths=["a.md"])
    answer = client.get(f"/artifacts/{artifact.public_id}/?version=1&find=NEEDLE&{view}", follow=True)
    page = html_of(answer)
    assert 'data-total="1"' in page and "<mark>needle</mark>" in page and 'value="NEEDLE"' in page
    link = re.search(r'<li><a href="\?([^"#]+)#L2">', page)
    assert link and 'id="L2" class="here"' in _page(client, artifact, unescape(link.group(1)))
    assert 'data-total="0"' in _page(client, artifact, "find=needle")


def test_find_goes_to_the_first_hit(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "one\n" * 9 + "the needle here\n", paths=["a.py"])
    address = f"/artifacts/{artifact.public_id}/?find=needle"
    assert client.get(address)["Location"] == f"{address}&view=source&line=10#L10"
    assert client.get(f"{address}&line=3").status_code == 200


def test_more_hits_than_one_list_holds_follow_it(client: Client, long: Artifact) -> None:
    page = _page(client, long, "find=return&line=2")
    assert 'data-total="1000"' in page and page.count("<mark>") == 20
    following = re.search(r'rel="next" href="\?([^"]+after=[^"]+)">', page)
    assert following and client.get(f"/artifacts/{long.public_id}/?{unescape(following[1])}")["Location"].endswith(
        "#L82"
    )


@pytest.mark.parametrize("query", ["find=%00", "find=", "find=%20", "find=x&after=x", "find=" + "%22" * 50])
def test_a_search_that_is_none_is_no_error(client: Client, long: Artifact, query: str) -> None:
    assert _numbers(_page(client, long, query))[0] == 1


def test_hostile_text_is_text_where_it_is_found_and_where_it_is_shown(client: Client, task: Task) -> None:
    artifact = make_artifact(task, f"{EVIL}\n{'w' * 100_000}{EVIL}\n", paths=[f"a/{EVIL.replace(chr(0), '')}.py"[:200]])
    for query in ("", "find=script", "find=onerror", "part=3", "part=4&find=%3Cimg", f"find={EVIL[:20]}"):
        page = html_of(client.get(f"/artifacts/{artifact.public_id}/?{query}", follow=True))
        assert "<script>" not in page and "<img src=x" not in page and "\x00" not in page
        assert page.count('<div class="source') == page.count("</pre>") == 1


def test_damaged_bytes_are_no_part(client: Client, long: Artifact) -> None:
    _page(client, long, "part=2", "part/")
    Content.objects.update(stored_as="f" * 64)
    assert client.get(f"/artifacts/{long.public_id}/part/?part=2").status_code == 500


def test_what_can_be_copied_has_a_button_and_what_cannot_says_so(client: Client, task: Task) -> None:
    assert "data-copy-work" in _page(client, make_artifact(task, "short"))
    assert "data-too-large" in _page(client, make_artifact(task, "x" * 3_000_000))


def test_beside_a_work_is_its_folder_with_itself_marked(client: Client, long: Artifact) -> None:
    for path in ("src/app/other.py", "src/app/parts/x.py", "src/other.py"):
        make_artifact(long.task, path, paths=[path])
    page = _page(client, long)
    beside = page[page.index('id="beside"') : page.index("</details>", page.index('id="beside"'))]
    assert re.findall(r"<bdi>([^<]+)</bdi>", beside) == ["Shop", "src", "app", "parts", "long.py", "other.py"]
    assert re.findall(r'aria-current="true">.*?<bdi>([^<]+)', beside) == ["long.py"]


def test_in_a_large_folder_the_list_begins_where_the_work_is(client: Client, task: Task) -> None:
    works = [make_artifact(task, "x", paths=[f"many/{number:03}.py"]) for number in range(90)]
    page = _page(client, works[80])
    assert 'title="many/080.py" aria-current="true"' in page and "many/089.py" in page and "many/001.py" not in page
    assert '<p class="cut"><a href="/projects/shop/files/many/">' in _page(client, works[0])


def test_a_newer_version_is_announced_and_the_text_stays(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "one", "two", paths=["a.py"])
    page = _page(client, artifact, "version=1")
    note = page.partition('id="newer"')[2].partition("</div>")[0]
    assert f"/artifacts/{artifact.public_id}/diff/?from=1&amp;to=2" in note
    assert 'id="text-1" data-version="1" hx-morph-skip' in page
    assert f"task={task.public_id}&amp;verb=deliver" in page


def test_lines_of_a_difference_lead_to_their_versions(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "one\n", "two\n", paths=["a.py"])
    page = _page(client, artifact, place="diff/")
    assert f'href="/artifacts/{artifact.public_id}/?version=2&amp;view=source&amp;line=1#L1">1</a>' in page


@pytest.mark.parametrize("others", [3, 25])
def test_it_takes_as_many_queries_however_much_lies_beside_and_however_long_it_is(
    client: Client, task: Task, django_assert_num_queries: DjangoAssertNumQueries, others: int
) -> None:
    artifact = make_artifact(task, "x = 1\n" * others * 5_000, *"ab"[: others % 2], paths=["src/a.py"])
    for number in range(others):
        make_artifact(task, "x", paths=[f"src/{number}.py"])
        make_artifact(task, "x", paths=[f"src/{number}/x.py"])
    client.force_login(make_user("bob"))
    with django_assert_num_queries(11):
        client.get(f"/artifacts/{artifact.public_id}/?find=x&line=3")
    with django_assert_num_queries(5):
        client.get(f"/artifacts/{artifact.public_id}/part/?part=2")
