"""Make the sprite of icons: our own shapes, and those icons of Lucide that the templates use.

`python -m orchestrator_site.web.sprite FOLDER` reads the unpacked npm package lucide-static.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SPRITE = HERE / "static/orchestrator/icons.svg"
_USED = re.compile(r"""\{% icon ["']([a-z0-9-]+)["']|icon=["']([a-z0-9-]+)["']|# icon: ([a-z0-9-]+)""")
_SYMBOL = re.compile(r'<symbol id="([\w-]+)"')
_DRAWING = re.compile(r".*<svg[^>]*>(.*)</svg>.*", re.DOTALL)


def used(root: Path) -> set[str]:
    """Return the names of the icons that templates draw, and those that code names in a comment beside them."""
    tags = [*root.glob("*/templatetags/*.py"), *root.glob("tasks/*/templatetags/*.py"), HERE / "templatetags/ui.py"]
    texts = [*root.glob("templates/**/*.html"), *tags]
    return {name for text in texts for match in _USED.findall(text.read_text("utf-8")) for name in match if name}


def sprite(package: Path, names: set[str]) -> str:
    """Return the sprite. Raises FileNotFoundError for a name that neither Lucide nor our own shapes have."""
    shapes = (HERE / "shapes.svg").read_text("utf-8").removesuffix("</svg>\n")
    icons = sorted(names - set(_SYMBOL.findall(shapes)))
    return f"{shapes}{''.join(_symbols(package, icons))}</svg>\n"


def _symbols(package: Path, names: list[str]) -> Iterator[str]:
    for name in names:
        drawing = _DRAWING.sub(r"\1", (package / "icons" / f"{name}.svg").read_text("utf-8"))
        inside = re.sub(r"\s*\n\s*", "", drawing).replace(" />", "/>").strip()
        yield f'<symbol id="{name}" viewBox="0 0 24 24">{inside}</symbol>\n'


if __name__ == "__main__":
    lucide = Path(sys.argv[1])
    SPRITE.write_text(sprite(lucide, used(HERE.parent.parent)), "utf-8")
    (SPRITE.parent / "vendor/lucide-LICENSE").write_bytes((lucide / "LICENSE").read_bytes())
