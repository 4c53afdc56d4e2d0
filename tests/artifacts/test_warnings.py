"""What a delivered text says about its own end: real endings, whole and cut off."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import artifacts
from artifacts.models import Kind
from artifacts.truncation import warning_of

SENTENCES = "The limit is kept per user. It is read on each call. It is never cached. "
ESSAY = "# Limits\n\n" + "\n\n".join([SENTENCES.strip()] * 3)
CODE = "def add(a, b):\n    return [a + b]\n"

WHOLE = {
    "a sentence": (SENTENCES, []),
    "a short note": ("Implemented the login form. All tests pass on both databases now", []),
    "one word": ("Done", []),
    "a name below": (ESSAY + "\n\nAda Lovelace", []),
    "a heading": (ESSAY + "\n\n## What is left to be done here", []),
    "a list without full stops": (ESSAY + "\n\n- the parser and its tests\n- the tables of the reader", []),
    "an address": (ESSAY + "\n\nWhat was measured is written down in https://example.org/a/b", []),
    "a path": (ESSAY + "\n\nWhat was measured is written down in docs/bench.md", []),
    "a table": (ESSAY + "\n\n| a | b |\n| --- | --- |\n| one two three | four five six |", []),
    "a closed fence": ("Run it:\n\n```sh\nmake test\n```", []),
    "a longer fence around another": ("````md\n```py\nx\n```\n````\n", []),
    "fences in a list": ("1. first\n\n   ```sh\n   ls\n   ```\n2. second\n\n   ~~~\n   ```\n   ~~~\n", []),
    "a fence in a quotation": ("> ```py\n> x = [\n> ```\n", []),
    "inline code of three backticks": ("Write ```` ``` ```` and ```a``` to open one.\n", []),
    "a fence as the last line": ("```py\nx\n```\n\n```\n", []),
    "Chinese": ("\u4e00\u4e8c\u4e09\u3002" * 5, []),
    "Thai, which has no full stops": ("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 " * 50, []),
    "a closed bold sentence": (ESSAY + "\n\n**All of it is done and was measured.**", []),
    "blanks only": (" \n ", []),
    "Python": (CODE, ["a.py"]),
    "Python without a last newline": (CODE.rstrip(), ["a.py"]),
    "Python with brackets in strings": ('x = \'([\'\ny = """{ ( \\""" ["""\n# (\nz = r\'\\(\'\n', ["a.py"]),
    "JavaScript with regular expressions": ("const a = /[(`'\"]/g, b = x.split(/\\(/);\n", ["a.js"]),
    "JavaScript with templates": ("f(`${a.map(x => `<${x}>`).join('(')}`)\n", ["a.js"]),
    "JSX": ("const a = <p>Don't {who} (please)</p>;\n", ["a.jsx"]),
    "it's in a comment of a style": ("/* it's { */ a { b: c }\n", ["a.css"]),
    "a style with data in an address": ("a { b: url(data:image/svg+xml;base64,//x('\"); c: d }\n", ["a.css"]),
    "C with branches": ("#ifdef A\nif (a) {\n#else\nif (b) {\n#endif\n}\n", ["a.c"]),
    "shell": ("case $x in\n  a) ls ;;\nesac\n", ["a.sh"]),
    "a Makefile": ("all: test\ntest:", ["Makefile"]),
    "YAML": ("a:\n  b:\n  - c:", ["a.yaml"]),
    "an ini file": ("[a]\nb =", ["a.ini"]),
    "a diff": ("@@ -1,2 +1,2 @@\n-a\n+b\n function c() {", ["a.diff"]),
    "CSV": ("a,b,\n1,2,", ["a.csv"]),
    "JSON": ('{"a": ["}", "\\""]}', ["a.json"]),
    "an empty file": ("", ["a.py"]),
    "brackets that we misread": ("a ] b ( c", ["a.ts"]),
    "plain text": ("Notes. Of three. Short ones.\n", ["a.txt"]),
}
CUT = {
    "a fence": ("Here it is.\n\n```py\ndef add(a, b):\n    retu", [], "line 3 is not closed"),
    "a fence of tildes": ("~~~\n```\n```\nx\n", [], "line 1 is not closed"),
    "a fence in a list": ("- so:\n  ```sh\n  make te", [], "line 2 is not closed"),
    "a fence in code without a path": ("```js\nf(", [], "line 1 is not closed"),
    "a word": (ESSAY + "\n\nIt is safe to call it from many connecti", [], "middle of a sentence"),
    "a word of a list": (
        "\n".join(f"- The limit {n} is kept per user." for n in range(4)) + "\n- The limit is kept per sess",
        [],
        "middle of a sentence",
    ),
    "a plain text": (SENTENCES + "And none of them is ever writ", ["a.txt"], "middle of a sentence"),
    "after a comma": (ESSAY + " It is safe,", ["docs/limits.md"], "ends with ','"),
    "Python after a colon": ("def add(a, b):", ["a.py"], "ends with ':'"),
    "Python in a list": ("x = [\n    1,\n    2", ["a.py"], "'[' in line 1 is not closed"),
    "Python after an equals sign": ("x = 1\ny =", ["a.py"], "ends with '='"),
    "Python in a text": ('def a():\n    """It says (', ["a.py"], "ends with '('"),
    "Python in a long text": ('def a():\n    """It says so', ["a.py"], "string or comment in line 2"),
    "TypeScript": ("export class A {\n  b() {\n    return 1;\n  }\n", ["src/a.ts"], "'{' in line 1 is not closed"),
    "a comment": ("int a;\n/* It says", ["a.c"], "string or comment in line 2"),
    "JSON": ('{"a": [1, 2], "b": "c', ["a.json"], "'{' in line 1 is not closed"),
    "any code after a bracket": ("if x; then\nf() {", ["a.sh"], "ends with '{'"),
    "code without a path": ("function f() {", [], "ends with '{'"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_complete_artifact_is_not_suspected(name: str) -> None:
    text, paths = WHOLE[name]
    assert warning_of(text, paths=paths) is None


@pytest.mark.parametrize("name", CUT)
def test_an_artifact_that_was_cut_off_is_noticed(name: str) -> None:
    text, paths, fact = CUT[name]
    kind = Kind.CODE if "without a path" in name else Kind.GENERAL
    warning = warning_of(text, kind=kind, paths=paths)
    assert warning is not None and fact in warning


def _own_files() -> list[Path]:
    return sorted(Path(artifacts.__file__).parent.rglob("*.py")) + sorted(Path(__file__).parent.rglob("*.py"))


def test_no_file_of_our_own_is_suspected() -> None:
    root = Path(artifacts.__file__).parent.parent
    files = _own_files() + sorted(root.glob("docs/*.md")) + sorted(root.rglob("static/**/*.css")) + [root / "Makefile"]
    assert len(files) > 40
    assert {path.name: found for path in files if (found := warning_of(path.read_text(), paths=[path.name]))} == {}


def test_no_module_of_the_standard_library_is_suspected() -> None:
    sources = [inspect.getsource(module) for module in (json, ast, inspect, st)]
    assert [warning_of(source, paths=["a.py"]) for source in sources] == [None] * 4


def test_own_files_cut_inside_a_bracket_are_noticed() -> None:
    for path in _own_files():
        text = path.read_text()
        place = text.rfind("(") + 1
        if place and not text[: place - 1].rsplit("\n", 1)[-1].strip().startswith(("#", '"')):
            assert warning_of(text[:place] + "\n", paths=["a.py"]), path


NESTED = st.recursive(
    st.sampled_from(["a", "1", "'('", '"]"', "# {\n", "'''[\n'''"]),
    lambda inner: st.tuples(st.sampled_from(["()", "[]", "{}"]), st.lists(inner, max_size=4)).map(
        lambda made: made[0][0] + "".join(f"{each} " for each in made[1]) + made[0][1]
    ),
)


@given(NESTED)
def test_balanced_brackets_are_never_suspected_and_one_more_always_is(text: str) -> None:
    assert warning_of(f"{text}\n", paths=["a.py"]) is None
    assert warning_of(f"( a {text}\nb", paths=["a.py"]) is not None


@given(st.lists(st.sampled_from(["```", "````", "~~~", "text", "", "a `b` c"]), max_size=8))
def test_closed_fences_are_never_suspected(lines: list[str]) -> None:
    body = "\n".join(lines)
    assert warning_of(f"~~~~~text\n{body}\n~~~~~\n") is None
    assert warning_of(f"~~~~~text\n{body}\nx\n") == "The code block that begins in line 1 is not closed."


@given(st.text(max_size=300), st.sampled_from([[], ["a.md"], ["a.py"], ["a.ts"], ["a.txt"], ["a"]]))
def test_any_text_at_all_can_be_measured(text: str, paths: list[str]) -> None:
    fact = warning_of(text, paths=paths)
    assert fact is None or fact.isprintable()


@pytest.mark.parametrize(
    "bomb",
    [
        "`" * 5 + "\n",
        "'",
        '"',
        '"""',
        "/*",
        "`",
        "\\",
        "(",
        "a ",
        "- ",
        "> ",
        "*",
        "]",
        "/ =",
        "=/[",
        "}  /",
        "url(",
        "=/[\\\n",
    ],
)
@pytest.mark.parametrize("paths", [[], ["a.py"], ["a.ts"], ["a.css"]], ids=str)
def test_no_text_is_slow_to_measure(bomb: str, paths: list[str]) -> None:
    for end in ("", "\nx\n"):  # an open end is reported without a look at what is before it
        warning_of(bomb * (1_000_000 // len(bomb)) + end, paths=paths)
