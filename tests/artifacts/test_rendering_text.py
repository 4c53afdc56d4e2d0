"""Markdown and code as HTML: what may be in it, and that no text is slow. It runs in a process of its own."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.cache import caches
from hypothesis import given
from hypothesis import strategies as st

from artifacts.models import Content
from artifacts.rendering import sandbox
from artifacts.rendering.lines import KNOWN_BY
from artifacts.rendering.markdown import markdown
from artifacts.rendering.sandbox import render
from artifacts.rendering.source import source
from artifacts.rendering.views_of import RENDERED_CHARACTERS, RENDERED_LINES, View, beginning, rendered, views_of

SIZE = RENDERED_CHARACTERS
ROOT = Path(sandbox.__file__).parents[2]
ALLOWED = {
    "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span", "div", "table",
    "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6", "input",
}  # fmt: skip
ATTRIBUTES = {"href", "title", "class", "id", "start", "rel", "tabindex", "type", "disabled", "checked", "aria-label"}


class Seen(HTMLParser):
    """The tags, attributes and words of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_data(self, data: str) -> None:
        self.words += data


def assert_harmless(html: str) -> None:
    seen = Seen(html)
    assert seen.tags <= ALLOWED
    assert {name for name, _ in seen.attributes} <= ATTRIBUTES
    for name, value in seen.attributes:
        assert name != "href" or re.match(r"(https?://|mailto:|#md-)", value, re.IGNORECASE), value
        assert name != "id" or value.startswith("md-")
        assert name != "type" or value == "checkbox"


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](vbscript:x) [b](data:text/html;base64,PHNjcmlwdD4=) [c](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "[a]: javascript:alert(1)\n\n[a]",
    "![a](javascript:alert(1)) ![b](data:image/svg+xml;base64,PHN2Zz4=)",
    "![a](https://tracker.example/pixel.png)",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "[a](https://x 'title\" onmouseover=\"alert(1)')",
    '```" onmouseover=alert(1) x="\nx\n```',
    "# <a id='main' name=main>x</a>",
    "# main",
    "<style>body{display:none}</style><base href=//evil><meta http-equiv=refresh content=0>",
    "<form action=/sign-out/><button>x</button></form><iframe srcdoc='<script>1</script>'></iframe>",
    '|a|\n|:-:" onclick=alert(1)|\n|b|',
    "[a](//evil.example) [b](/sign-out/) [c](?view=plain) [d](\\\\evil)",
    "</div></section></main><h1>taken</h1>",
    "<!--[if IE]><script>1</script><![endif]--> <![CDATA[<script>]]> <?php ?>",
    "\x00<script\x00>alert(1)</script\x00>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_becomes_harmless(text: str) -> None:
    assert_harmless(markdown(text))
    assert_harmless(markdown(f"- > {text}\n\n| a | b |\n| - | - |\n| {text} | x |\n"))


PIECES = st.sampled_from(
    [*HOSTILE, "`", "```", "\n\n", "\n", "> ", "- ", "|", "*", "[", "](", ")", "<", ">", '"', "&", "\\"]
)


@given(st.lists(PIECES | st.text(max_size=10), max_size=12).map("".join))
def test_any_markdown_becomes_harmless(text: str) -> None:
    assert_harmless(markdown(text))


@given(
    st.text(max_size=300) | st.lists(PIECES, max_size=10).map("".join), st.sampled_from(["a.py", "a.md", "a.html", "x"])
)
def test_source_keeps_every_character_and_counts_lines(text: str, name: str) -> None:
    html = source(text, name, text, 1, False)
    seen = Seen(html)
    assert seen.tags <= {"span", "a"}
    assert {name for name, _ in seen.attributes} <= {"class", "id", "href", "data-line", "tabindex", "aria-hidden"}
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n")
    assert html.count('id="L') == plain.count("\n") + (plain[-1:] != "\n")
    shown = {0x2400 + number: number for number in range(32)} | {0x2421: 0x7F}
    if not set(shown) & set(map(ord, text)):
        assert seen.words.translate(shown).removesuffix("\n") == plain.removesuffix("\n")


def test_markdown_reads_as_it_should() -> None:
    html = markdown(
        "# Top\n\n1. a\n2. b\n\n| x |\n| --: |\n| 1 |\n\n```py\nx = 1\n```\n\n~~s~~ **b** [c](#Top) <d> ![e](https://x/y.png)"
    )
    assert '<h3 id="md-top">Top</h3>' in html
    assert "<ol>\n<li>a</li>" in html and '<td class="right">1</td>' in html and "<s>s</s> <strong>b</strong>" in html
    assert '<span class="n">x</span>' in html and "&lt;d&gt;" in html
    assert (
        'href="#md-top"' in html
        and '<a href="https://x/y.png" rel="noopener noreferrer nofollow">[image: e]</a>' in html
    )


@pytest.mark.parametrize(
    ("item", "state"),
    [("[x] a", ("Done", True)), ("[X] a\n\n  b", ("Done", True)), ("[ ] **a**", ("To do", False))],
)
def test_a_task_of_a_list_is_a_checkbox(item: str, state: tuple[str, bool]) -> None:
    (tag,) = re.findall(r"<input [^>]*>", markdown(f"- {item}"))
    label, is_checked = state
    assert f'aria-label="{label}"' in tag and ("checked=" in tag) == is_checked and "disabled=" in tag


@pytest.mark.parametrize("text", ["[x] a", "- a [x] b", "- [x](https://a.example)", "- [x]a", "- `[x] a`"])
def test_brackets_elsewhere_stay_as_they_are(text: str) -> None:
    assert "<input" not in markdown(text)


def test_headings_leave_no_level_out() -> None:
    html = markdown("## A\n\n##### B\n\n# C\n\n## D\n")
    assert re.findall(r"<h(\d)", html) == ["3", "4", "3", "4"]


def test_a_text_that_shares_its_page_has_no_ids() -> None:
    assert "id=" not in markdown("# A\n\n[a](#a)", has_ids=False)


def test_a_wide_table_can_be_scrolled_by_keyboard() -> None:
    assert markdown("| a |\n|---|\n").startswith('<div class="sideways" tabindex="0"><table>')


def test_headings_of_one_name_get_different_ids() -> None:
    assert re.findall(r'id="([^"]+)"', markdown("# A b\n# a B\n## A b!")) == ["md-a-b", "md-a-b-1", "md-a-b-2"]


@pytest.mark.parametrize(
    ("name", "text", "sign"),
    [
        ("a.py", "def a(): pass", '<span class="k">def</span>'),
        ("Makefile", "all:\n\tls", '<span class="nf">all</span>'),
        ("a.json", '{"a": 1}', '<span class="mi">1</span>'),
        ("", "#!/usr/bin/env python3\ndef a(): pass", '<span class="k">def</span>'),
        ("run", '{"a": [1]}', '<span class="mi">1</span>'),
        ("", "<?xml version='1.0'?><a/>", '<span class="nt">&lt;a/&gt;</span>'),
        ("", "def a(): pass", "def a(): pass"),
        ("a.unheard-of", "[1", "[1"),
        ("", "[" * 100_000, "[[["),
    ],
)
def test_code_is_coloured_by_name_or_content(name: str, text: str, sign: str) -> None:
    assert sign in source(text, name, text, 1, False)


def test_lines_have_anchors_and_characters_without_a_shape_have_one() -> None:
    html = source("a\r\nb\x00\x1b[1m\rc\n\nd", "a.txt", "a", 1, False)
    assert re.findall(r'id="(L\d+)"><a href="#(L\d+)"', html) == [(f"L{n}", f"L{n}") for n in range(1, 5)]
    assert "b\u2400\u241b[1m\u240dc" in html


BOMBS = {
    "quotations": ">" * SIZE,
    "deep quotations": (">" * 50 + " a\n") * 5000,
    "backticks": "`" * SIZE,
    "backticks of all lengths": " ".join("`" * number for number in range(1, 720)),
    "open brackets": "[" * SIZE,
    "open links": "[a](" * (SIZE // 4),
    "open destinations": "[a](<b" * (SIZE // 6),
    "stars": "*a " * (SIZE // 3),
    "stars of two kinds": "a**b" + "c* " * (SIZE // 3),
    "underlines": "_" * SIZE,
    "less than": "<" * SIZE,
    "addresses": "<http://a " * (SIZE // 10),
    "entities": "&" * SIZE,
    "lists": "- " * (SIZE // 2),
    "nested lists": "\n".join(" " * depth + "- a" for depth in range(700)),
    "a wide table": "|a" * 30_000 + "\n" + "|-" * 30_000 + "\n" + "|\n" * 90_000,
    "a long table": "|a|b|\n|-|-|\n" + "|x|y|\n" * (SIZE // 6),
    "references": "[a]: b\n" + "[a]" * (SIZE // 3),
    "comments": "<!--" * (SIZE // 4),
    "parentheses": "[a](" + "(" * SIZE,
    "fences": "```py\nx\n```\n" * 10_000,
    "fences of many languages": "".join(
        f"```{name}\nx\n```\n" for name in ("c", "php", "perl", "haskell", "sql") * 900
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("bomb", BOMBS)
def test_any_text_is_rendered_or_given_up(bomb: str) -> None:
    done = rendered(Content(sha256=bomb), BOMBS[bomb])
    assert done.html is None or len(done.html) <= sandbox.OUTPUT_BYTES


@pytest.mark.django_db
@pytest.mark.parametrize("bomb", ["a wide table", "stars"])
def test_any_text_is_coloured_or_given_up(bomb: str) -> None:
    text = beginning(BOMBS[bomb])
    done = render((bomb,), "part", text=text, name="bomb.md", begin=text[:KNOWN_BY], first=1, goes_on=False)
    assert done is None or len(done) <= sandbox.OUTPUT_BYTES


def test_a_task_that_takes_too_long_is_ended_and_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_workers", sandbox.two_workers())  # no process starts as fast as this
    monkeypatch.setattr(sandbox, "SECONDS", 0.01)
    assert render(("slow",), "markdown", text="a") is None
    monkeypatch.setattr(sandbox, "SECONDS", 30)
    assert render(("slow",), "markdown", text="a") is None
    assert render(("other",), "markdown", text="a") == "<p>a</p>\n"


def test_a_result_that_is_too_large_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "OUTPUT_BYTES", 10)
    assert render(("large",), "markdown", text="a" * 20) is None


def test_the_process_itself_says_nothing_where_that_is_too_much() -> None:
    bomb = f"[a]: http://x.y/{'u' * 1000}\n\n{'[a]' * 20_000}"
    task = json.dumps({"what": "markdown", "most": 10_000, "text": bomb})
    command = [sys.executable, "-m", "artifacts.rendering.sandbox_worker"]
    done = subprocess.run(command, cwd=ROOT, input=task.encode(), capture_output=True, check=False)
    assert done.stdout.startswith(b"ValueError: ") and len(done.stdout) < 400


def test_a_process_that_cannot_start_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_workers", sandbox.two_workers())
    monkeypatch.setattr(
        "artifacts.rendering.sandbox.subprocess.Popen", Mock(side_effect=BlockingIOError(11, "No more"))
    )
    assert render(("unlucky",), "markdown", text="a") is None


def test_a_process_renders_one_text_after_another_and_a_new_one_follows_a_failure() -> None:
    workers = sandbox.two_workers()
    worker = workers.get()
    task = {"what": "markdown", "most": 10_000}
    processes = []
    for text in ("a", "b", None, "c"):
        worker.run({**task, "text": text})
        processes.append(worker._process and worker._process.pid)
    worker.stop()
    first, second, failed, last = processes
    assert first == second and failed is None and last not in (None, first)


def test_a_process_that_was_killed_is_replaced() -> None:
    worker = sandbox.two_workers().get()
    task = {"what": "markdown", "most": 10_000, "text": "a"}
    worker.run(task)
    assert worker._process
    worker._process.kill()
    worker._process.wait()
    assert json.loads(worker.run(task)) == "<p>a</p>\n"
    worker.stop()


def test_two_texts_are_rendered_at_once_and_a_third_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = sandbox.two_workers()
    monkeypatch.setattr(sandbox, "_workers", workers)
    monkeypatch.setattr(sandbox, "SECONDS", 0.01)
    workers.get(), workers.get()
    assert render(("third",), "markdown", text="a") is None


def test_the_process_loads_nothing_that_knows_the_database() -> None:
    code = (
        "import sys; from artifacts.rendering.sandbox_worker import result_of\n"
        "result_of('markdown', 10**6, text='`a`'), result_of('opcodes', 10**6, old=['a'], new=['b'])\n"
        "result_of('part', 10**6, text='a', name='a.py', begin='a', first=1, goes_on=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    assert {"django", "sqlite3"}.isdisjoint(done.stdout.split())


def test_a_process_that_fails_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    assert render(("wrong",), "markdown", wrong="a") is None
    assert "TypeError" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_the_process_bounds_its_own_memory() -> None:
    eager = "import artifacts.rendering.sandbox_worker as it; it.limit(); x = bytearray(2 * 1024 ** 3)"
    done = subprocess.run([sys.executable, "-c", eager], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 1 and b"MemoryError" in done.stderr


def test_what_was_rendered_is_kept_by_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    content = Content(sha256="a" * 64)
    first = rendered(content, "# A")
    monkeypatch.setattr(sandbox._Worker, "run", lambda worker, task: pytest.fail("it was rendered again"))
    assert rendered(content, "# A") == first
    monkeypatch.setattr(sandbox._Worker, "run", lambda worker, task: '"again"')
    monkeypatch.setattr(sandbox, "RENDERER", sandbox.RENDERER + 1)
    assert rendered(content, "# A").html == "again"


def _cached(value: object, *, until: object = None) -> bytes:
    """Return a file of the cache as Django writes it."""
    return pickle.dumps(until) + zlib.compress(pickle.dumps(value))


@pytest.mark.parametrize(
    "raw",
    [b"", _cached('"kept"')[:12], _cached('"kept"')[:-9], bytes(400), b"no" * 50, b"\x80\x04.", b"\x80\x04c\nx\n.",
     _cached(5), _cached("no JSON"), _cached('"kept"', until="never"), pickle.dumps(None) + zlib.compress(b"x" * 9)],
)  # fmt: skip
def test_a_damaged_cache_is_harmless(raw: bytes) -> None:
    render(("damaged",), "markdown", text="a")
    for path in Path(caches["rendered"]._dir).glob("*.djcache"):  # type: ignore[attr-defined]
        path.write_bytes(raw)
    for _ in range(2):
        assert render(("damaged",), "markdown", text="a") == "<p>a</p>\n"


def test_the_cache_holds_a_bounded_number_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = caches["rendered"]
    assert cache._max_entries == settings.CACHES["rendered"]["OPTIONS"]["MAX_ENTRIES"]  # type: ignore[attr-defined]
    monkeypatch.setattr(cache, "_max_entries", 50)
    for number in range(70):
        cache.set(str(number), "x")
    assert len(list(Path(cache._dir).glob("*.djcache"))) <= 51  # type: ignore[attr-defined]


@given(st.text("ab\n", max_size=100), st.integers(1, 30), st.integers(1, 5))
def test_what_is_rendered_is_a_beginning_of_complete_lines(text: str, most: int, lines: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artifacts.rendering.views_of.RENDERED_CHARACTERS", most)
        patch.setattr("artifacts.rendering.views_of.RENDERED_LINES", lines)
        found = beginning(text)
    assert text.startswith(found) and len(found) <= most and found.count("\n") <= lines
    assert found == text or found.endswith("\n") or "\n" not in text[:most]


def test_a_text_within_the_limits_is_rendered_complete() -> None:
    assert beginning("a\n" * RENDERED_LINES) == "a\n" * RENDERED_LINES
    assert beginning("a\n" * (RENDERED_LINES + 1)) == "a\n" * RENDERED_LINES
    assert beginning("a" * SIZE) == "a" * SIZE


@pytest.mark.parametrize(
    ("name", "kind", "text", "best"),
    [
        ("a.md", "code", "x", View.RENDERED),
        ("a.py", "documentation", "# x", View.SOURCE),
        ("", "general", "x", View.RENDERED),
        ("", "code", "x = 1", View.SOURCE),
        ("", "code", "Here:\n```py\nx\n```", View.RENDERED),
        ("LICENSE", "general", "# x", View.SOURCE),
    ],
)
def test_the_best_view_follows_name_kind_and_text(name: str, kind: str, text: str, best: View) -> None:
    views = views_of(name, kind, text)
    assert (views[0], views[-1]) == (best, View.PLAIN)


def test_the_site_itself_loads_no_parser() -> None:
    code = "import django, sys; django.setup(); import artifacts.views.artifacts, artifacts.tools; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    assert {"markdown_it", "nh3", "pygments"}.isdisjoint(done.stdout.split())


def test_a_heading_after_a_byte_order_mark_is_a_heading() -> None:
    assert markdown("\ufeff# Title\n") == markdown("# Title\n")


@pytest.mark.parametrize("heading", ["The [web](https://a.example)", "_The_ **web**", "The `web`"])
def test_a_heading_is_named_by_its_words_alone(heading: str) -> None:
    assert 'id="md-the-web"' in markdown(f"# {heading}\n")


def test_a_lexer_that_breaks_lines_of_its_own_moves_no_number() -> None:
    html = source("*** Test ***\nA  b\u2028c\u0085d\nlast\n", "a.robot", "***", 1, False)
    assert html.count("<span id=") == 3 and re.search(r'id="L3".*last', html)
