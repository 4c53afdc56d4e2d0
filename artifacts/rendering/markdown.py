"""Markdown as safe HTML: no raw markup, no scheme but the web's, no images from elsewhere, no styles.

Runs only in the rendering process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import count

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.token import STANDARD_TYPES

from artifacts.rendering.source import coloured

DEEPEST = 40
"""Levels of nesting; what is deeper is seen only in the source."""
ID_PREFIX = "md-"
"""Keeps the ids of headings from clashing with others on the page."""
_BELOW = 2
"""The page has headings of the first two levels of its own."""
_TEXT_TAGS = {"p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span", "div"}
_TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}
_HEADINGS = {"h3", "h4", "h5", "h6"}
_TASK = re.compile(r"\[([ xX])\] ")
_CLEANER = nh3.Cleaner(
    tags=_TEXT_TAGS | _TABLE_TAGS | _HEADINGS | {"input"},
    clean_content_tags={"script", "style"},
    attributes={
        "a": {"href", "title"},
        "ol": {"start"},
        "div": {"tabindex"},
        "input": {"type", "disabled", "checked", "aria-label"},
        **{tag: {"id"} for tag in _HEADINGS},
    },
    attribute_filter=lambda tag, name, value: _checked(tag, name, value),
    allowed_classes={
        "span": {name for name in STANDARD_TYPES.values() if name},
        "div": {"sideways"},
        "th": {"center", "right"},
        "td": {"center", "right"},
    },
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    id_prefix=ID_PREFIX,
)


def markdown(text: str, has_ids: bool = True) -> str:
    """Return a Markdown text as HTML that is safe in a page of this site; several in a page must have no ids."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST}).enable(["table", "strikethrough"])
    parser.core.ruler.push("fit_into_page", _fit_into_page)
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return _CLEANER.clean(parser.render(text.removeprefix("\ufeff"), {"has_ids": has_ids}))


def _checked(tag: str, name: str, value: str) -> str | None:
    """Allow links to the web or to a heading of the same text: a path would lead to a page of this site."""
    if name != "href":
        return value
    if value.startswith("#"):
        return f"#{ID_PREFIX}{value[1:].lower()}"
    return value if re.match(r"(?:https?://|mailto:)", value, re.IGNORECASE) else None


def _fit_into_page(state: StateCore) -> None:
    """Put headings below those of the page, draw tasks of lists, and align cells by class, not by style."""
    named: dict[str, count[int]] = {}
    levels = [int(token.tag[1]) for token in state.tokens if token.type == "heading_open"]
    level = _BELOW
    for place, token in enumerate(state.tokens):
        if token.type == "heading_open":
            level = min(int(token.tag[1]) - min(levels) + 1 + _BELOW, level + 1, 6)  # leave no level out
            token.tag = state.tokens[place + 2].tag = f"h{level}"
            if state.env["has_ids"]:
                token.attrSet("id", _id_of(state.tokens[place + 1], named))
        elif token.type in ("th_open", "td_open"):
            token.attrs = {"class": str(style).rpartition(":")[2]} if (style := token.attrGet("style")) else {}
        elif token.type == "inline" and state.tokens[place - 2].type == "list_item_open":
            _draw_task(token.children or [])


def _id_of(heading: Token, named: dict[str, count[int]]) -> str:
    """Name a heading by its words, without marks and URLs, as code forges do, so that tables of contents work."""
    parts = heading.children or ()
    words = "".join(part.content for part in parts if part.type in ("text", "code_inline", "image"))
    slug = re.sub(r"[^\w\- ]", "", words[:200].lower()).strip().replace(" ", "-")
    number = next(named.setdefault(slug, count()))
    return f"{slug}-{number}" if number else slug


def _draw_task(parts: list[Token]) -> None:
    """Turn the mark that begins an item, as in `- [x] done`, into a checkbox."""
    if parts and parts[0].type == "text" and (found := _TASK.match(parts[0].content)):
        parts[0].content = parts[0].content[found.end() :]
        state = 'aria-label="To do"' if found[1] == " " else 'aria-label="Done" checked'
        parts.insert(0, Token("html_inline", "", 0, content=f'<input type="checkbox" disabled {state}>'))


def _code(self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[place]
    language = token.info.strip().split(maxsplit=1)
    return f"<pre><code>{coloured(token.content, language[0] if language else '')}</code></pre>\n"


def _image(self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
    """Name an image and link to it: a browser that loaded it would reveal who reads this."""
    token = tokens[place]
    link = Token("link_open", "a", 1, attrs={"href": token.attrGet("src") or ""})
    name = self.renderInlineAsText(token.children, options, env) or "without a name"
    return f"<a{self.renderAttrs(link)}>[image: {escape(name, quote=False)}]</a>"


_RULES = {
    "fence": _code,
    "code_block": _code,
    "image": _image,
    "table_open": lambda *_: '<div class="sideways" tabindex="0"><table>\n',
    "table_close": lambda *_: "</table></div>\n",
}
