"""The sprite holds the icons that pages use, and no other."""

from __future__ import annotations

import re

from django.conf import settings

from orchestrator_site.web.sprite import HERE, SPRITE, used


def symbols(text: str) -> set[str]:
    return set(re.findall(r'<symbol id="([\w-]+)"', text))


def test_the_sprite_holds_every_icon_that_is_used_and_no_other() -> None:
    shapes = symbols((HERE / "shapes.svg").read_text("utf-8"))
    assert symbols(SPRITE.read_text("utf-8")) - shapes == used(settings.BASE_DIR) - shapes


def test_the_licence_of_the_icons_lies_beside_them() -> None:
    assert (SPRITE.parent / "vendor" / "lucide-LICENSE").stat().st_size > 0
    assert (SPRITE.parent / "vendor" / "inter-LICENSE").stat().st_size > 0
