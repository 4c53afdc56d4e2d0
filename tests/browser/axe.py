"""What axe-core finds wrong with a page for those who cannot see, hear or point."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
"""WCAG 2.2, levels A and AA, and what is good to do beyond it."""
LINES = ".n"
"""Numbers of lines are as high as the lines of code that they number, which WCAG leaves out of the size of targets."""
_RUN = """async ({ options, lines }) => {
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    for (const transition of transitions) transition.finish();
    const found = await axe.run(document, options);
    const isLine = (node) => document.querySelector(node.target[0]).closest(lines) !== null;
    for (const rule of found.violations) {
        if (rule.id === "target-size") rule.nodes = rule.nodes.filter((node) => !isLine(node));
    }
    return found.violations;
}"""
_OPTIONS = {
    "runOnly": {"type": "tag", "values": list(RULES)},
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
_COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}


def violations(page: Page) -> list[str]:
    """Return a line for each element that breaks a rule: the rule, what it asks for, where, and what is there.

    The page is light afterwards; in the dark, only its colors differ.
    The script comes in by the browser's own entry point for debuggers, which no policy of the page closes.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    page.emulate_media(color_scheme="light")
    found = page.evaluate(_RUN, {"options": _OPTIONS, "lines": LINES})
    page.emulate_media(color_scheme="dark")
    found += page.evaluate(_RUN, {"options": _COLORS, "lines": LINES})
    page.emulate_media(color_scheme="light")
    return [_line(rule, node) for rule in found for node in rule["nodes"]]


def _line(rule: dict[str, Any], node: dict[str, Any]) -> str:
    why = " ".join(check["message"] for check in (*node["any"], *node["all"], *node["none"]))
    return f"{rule['id']}: {rule['help']}: {' '.join(map(str, node['target']))}: {node['html'][:120]}: {why[:300]}"
