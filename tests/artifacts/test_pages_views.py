"""The ways to look at an artifact on its page, and the page of differences."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from artifacts.models import Artifact, Content
from artifacts.rendering import sandbox
from tasks.models import Task
from tests.factories import html_of, make_artifact, make_plan, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db
EVIL = "<script>document.title = 'taken'</script> [x](javascript:alert(1)) ![y](data:image/svg+xml,x)"


@pytest.fixture
def task(client: Client) -> Task:
    signed_in(client)
    project = make_project("ledger")
    return make_task(project, parent=make_plan(project, 0))


def _page(client: Client, artifact: Artifact, query: str = "", place: str = "") -> str:
    return html_of(client.get(f"/artifacts/{artifact.public_id}/{place}?{query}"))


def _without_ours(page: str) -> str:
    """A page without the scripts that it is meant to load, each a file of this site."""
    return re.sub(r'<script src="/static/orchestrator/[\w./-]+"( defer)?></script>', "", page)


def _views(page: str) -> list[tuple[str, bool]]:
    found = re.search(r'<nav class="segment".*?</nav>', page, re.DOTALL)
    links = re.findall(r'<a href="\?[^"]*view=(\w+)"( aria-current="true")?>', found.group() if found else "")
    return [(name, bool(current)) for name, current in links]


def test_markdown_is_shown_rendered_and_can_be_shown_otherwise(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "# Report\n\n- *a*", paths=["docs/a.md"])
    page = _page(client, artifact)
    assert _views(page) == [("rendered", True), ("source", False), ("plain", False)]
    assert '<h3 id="md-report">Report</h3>' in page and "<em>a</em>" in page
    assert 'href="?view=source"' in page
    assert 'id="L3"' in _page(client, artifact, "view=source")
    assert '<pre dir="auto">\n# Report\n\n- *a*</pre>' in _page(client, artifact, "view=plain")


def test_code_is_shown_in_colours_with_lines(client: Client, task: Task) -> None:
    page = _page(client, make_artifact(task, "x = 1\n", paths=["a.py"]))
    assert _views(page) == [("source", True), ("plain", False)]
    assert '<span class="mi">1</span>' in page and 'id="L1"><a href="#L1"' in page


@pytest.mark.parametrize("view", ["", "nonsense", "RENDERED", "plain&view="])
def test_a_view_that_is_none_is_the_best(client: Client, task: Task, view: str) -> None:
    assert _views(_page(client, make_artifact(task, paths=["a.py"]), f"view={view}"))[0] == ("source", True)


def test_switching_keeps_the_version(client: Client, task: Task) -> None:
    page = _page(client, make_artifact(task, "one", "two"), "version=1&view=plain")
    assert 'href="?version=1&amp;view=rendered"' in page


@pytest.mark.parametrize("path", ["a.md", "a.html", "a.svg", "a.py", "a.unheard-of"])
@pytest.mark.parametrize("view", ["", "view=source", "view=plain"])
def test_a_hostile_text_runs_nothing_in_any_view(client: Client, task: Task, path: str, view: str) -> None:
    page = _without_ours(_page(client, make_artifact(task, f"# {EVIL}\n\n```html\n{EVIL}\n```", paths=[path]), view))
    assert "<script" not in page and 'href="javascript' not in page
    assert "style=" not in page


def test_it_carries_no_image_of_elsewhere(client: Client, task: Task) -> None:
    page = _page(client, make_artifact(task, "![seen](https://tracker.example/pixel.png)", paths=["a.md"]))
    assert [image for image in re.findall(r"<img[^>]*>", page) if "tracker" in image] == []


def test_beyond_the_limit_it_leads_on_in_the_source(client: Client, task: Task) -> None:
    text = "".join(f"- {number}\n" for number in range(60_000))
    artifact = make_artifact(task, text, paths=["a.md"])
    page = _page(client, artifact)
    link = re.search(r'rel="next" href="(\?view=source&amp;offset=(\d+))">', page)
    assert link is not None
    rest = _page(client, artifact, unescape(link.group(1)).removeprefix("?"))
    line = text[: int(link.group(2))].count("\n") + 1
    assert f'id="L{line}"' in rest and text[: int(link.group(2))].endswith("\n") and f'data-total="{len(text)}"' in page


def test_a_text_that_cannot_be_rendered_is_shown_as_it_is(
    client: Client, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_workers", sandbox.two_workers())
    monkeypatch.setattr(sandbox, "SECONDS", 0.01)
    page = _page(client, make_artifact(task, "# Too hard", paths=["a.md"]))
    assert 'id="not-rendered"' in page and '<pre dir="auto">\n# Too hard</pre>' in page


def test_text_that_turns_its_direction_carries_a_warning_in_every_view(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "a = \u202eresu\u202c", paths=["a.py"])
    assert all("data-bidi" in _page(client, artifact, view) for view in ("", "view=plain"))


def test_damaged_bytes_are_never_shown_from_the_cache(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "# Good", paths=["a.md"])
    _page(client, artifact)
    Content.objects.update(data=b"# Evil")
    assert client.get(f"/artifacts/{artifact.public_id}/").status_code == 500


def test_a_stranger_sees_no_difference_and_no_image(client: Client) -> None:
    artifact = make_artifact(make_task(make_project()))
    for place in ("diff", "image"):
        assert client.get(f"/artifacts/{artifact.public_id}/{place}/").status_code == 302


def test_a_difference_is_shown_unified_and_side_by_side(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "same\nold word\n", "same\nnew word\nmore", paths=["a.md"])
    page = _page(client, artifact, place="diff/")
    assert 'data-added="2" data-removed="1"' in page and "@@" not in page
    assert "<del><b>old</b> word</del>" in page and "<ins><b>new</b> word</ins>" in page
    split = _page(client, artifact, "layout=split", "diff/")
    between = r"</td><td[^>]*><a [^>]*>2</a></td><td[^>]*>"
    assert re.search(rf"<del><b>old</b> word</del>{between}<ins><b>new</b> word</ins>", split)


def test_any_two_versions_can_be_compared_in_both_directions(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "one\n", "two\n", "three\n")
    assert re.search(r"<del>.*one.*<ins>.*three", _page(client, artifact, "from=1&to=3", "diff/"), re.DOTALL)
    assert re.search(r"<del>.*three.*<ins>.*one", _page(client, artifact, "from=3&to=1", "diff/"), re.DOTALL)
    assert re.search(r"<del>.*two.*<ins>.*three", _page(client, artifact, "", "diff/"), re.DOTALL)
    assert 'data-same="all"' in _page(client, artifact, "from=2&to=2", "diff/")


@pytest.mark.parametrize("query", ["from=0", "to=4", "from=x", "to=", "from=99999999999999"])
def test_versions_that_are_not_there_cannot_be_compared(client: Client, task: Task, query: str) -> None:
    artifact = make_artifact(task, "one", "two", "three")
    assert client.get(f"/artifacts/{artifact.public_id}/diff/?{query}").status_code == 404


def test_a_hostile_difference_is_text(client: Client, task: Task) -> None:
    page = _without_ours(_page(client, make_artifact(task, EVIL, f"{EVIL}\n</table>{EVIL}"), place="diff/"))
    assert "<script" not in page and page.count("</table>") == 1


def test_the_versions_lead_to_their_differences(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "one", "two", "three")
    page = _page(client, artifact, "version=2")
    assert f"/artifacts/{artifact.public_id}/diff/?from=1&amp;to=2" in page
    assert f"/artifacts/{artifact.public_id}/diff/?from=2&amp;to=3" in page


def test_a_difference_too_large_for_a_page_says_what_is_left_out(
    client: Client, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artifacts.rendering.difference.SHOWN_ROWS", 10)
    artifact = make_artifact(task, "", "line\n" * 25)
    assert 'data-left-out="15"' in _page(client, artifact, place="diff/")


def test_a_text_is_no_image(client: Client, task: Task) -> None:
    artifact = make_artifact(
        task, "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", paths=["a.svg"]
    )
    assert client.get(f"/artifacts/{artifact.public_id}/image/").status_code == 404
