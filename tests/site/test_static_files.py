"""Static files are hashed, compressed, and kept by browsers for ever."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.files.base import ContentFile
from django.templatetags.static import static
from django.test import Client

from orchestrator_site.up import static_files
from orchestrator_site.up.static_files import collect_static
from orchestrator_site.web.static_storage import StaticStorage

OURS = site.BASE_DIR / "orchestrator_site" / "web" / "static" / "orchestrator"
pytestmark = pytest.mark.django_db  # whatever is asked for, Django looks after its connections
LINKED = re.compile(r'(?:href|src)="(/static/[^"#]+)')


@pytest.fixture
def linked(client: Client) -> list[str]:
    return LINKED.findall(client.get("/sign-in/").text)


def fetched(client: Client, address: str, coding: str = "identity") -> tuple[dict[str, str], bytes]:
    with closing(client.get(address, headers={"accept-encoding": coding})) as answer:
        assert answer.status_code == 200
        return dict(answer.items()), b"".join(answer)


def test_every_file_of_a_page_is_named_by_its_content_and_immutable(client: Client, linked: list[str]) -> None:
    assert {Path(each).suffix for each in linked} >= {".css", ".js", ".svg", ".woff2"}
    kept = {each: fetched(client, each)[0]["Cache-Control"] for each in linked}
    assert [each for each, how in kept.items() if "immutable" not in how] == []


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_style_sheets_and_scripts_are_compressed(client: Client, linked: list[str], coding: str) -> None:
    texts = [each for each in linked if each.endswith((".css", ".js"))]
    assert {fetched(client, each, coding)[0].get("Content-Encoding") for each in texts} == {coding}


def test_the_first_visit_loads_150_kilobytes_at_most(client: Client, linked: list[str]) -> None:
    own = [static(f"orchestrator/{name}") for name in ("review.css", "work.css", "review.js", "work.js", "icons.svg")]
    weight = sum(len(fetched(client, each, "br")[1]) for each in {*linked, *own})
    assert weight <= 150_000 - 20_000  # which are left to the page itself


def test_all_style_sheets_together_stay_below_64_kilobytes(client: Client) -> None:
    sizes = [len(fetched(client, static(f"orchestrator/{file.name}"))[1]) for file in OURS.glob("*.css")]
    assert len(sizes) >= 10 and min(sizes) > 100
    assert sum(sizes) <= 64_000


@pytest.fixture
def collections(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    settings.STATIC_ROOT = tmp_path
    done: list[str] = []
    monkeypatch.setattr(static_files, "call_command", lambda command, **options: done.append(command))
    return done


def test_files_are_collected_once_for_each_version(collections: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    collect_static()
    collect_static()
    assert len(collections) == 1
    monkeypatch.setattr(static_files, "_version", lambda: "another")
    collect_static()
    assert len(collections) == 2


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:3])
        raise KeyboardInterrupt

    storage = StaticStorage(location=str(tmp_path))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "write_bytes", cut)
        storage._save("orchestrator/site.js", ContentFile(b"let all = 1;"))
    assert not (tmp_path / "orchestrator" / "site.js").exists()
    storage._save("orchestrator/site.js", ContentFile(b"let all = 1;"))
    assert (tmp_path / "orchestrator" / "site.js").read_bytes() == b"let all = 1;"


def test_a_collection_that_was_killed_is_done_again(collections: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*words: str, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(static_files, "call_command", die)
        collect_static()
    collect_static()
    assert len(collections) == 1
