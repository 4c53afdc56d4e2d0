"""Charts fit their frame, name what they show, and draw nothing where there is nothing to draw."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tasks.insights.charts import HEIGHT, WIDTH, bars, line, reach


def numbers(svg: str, name: str) -> list[float]:
    return [float(each) for each in re.findall(rf' {name}="([\d.]+)"', svg)]


@pytest.mark.parametrize("values", [[], [0.0], [0.0, 0.0], [3.0, 1.0, 2.0], [1e9, 1.0]])
def test_bars_stay_within_their_frame_and_stand_on_its_ground(values: list[float]) -> None:
    svg = bars("Per day", [(str(at), value) for at, value in enumerate(values)])
    rects = list(ElementTree.fromstring(svg).iter("rect"))
    assert len(rects) == len(values)
    for rect in rects:
        assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= WIDTH
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) == pytest.approx(HEIGHT, abs=0.02)


def test_the_highest_bar_is_as_high_as_the_chart() -> None:
    svg = bars("Per day", [("1 May", 2), ("2 May", 8)])
    assert [float(each) for each in re.findall(r'width="[\d.]+" height="([\d.]+)"', svg)] == [HEIGHT / 4, HEIGHT]


@pytest.mark.parametrize("values", [[], [4.0]])
def test_fewer_than_two_values_are_no_line(values: list[float]) -> None:
    assert line("Lead time", values) == ""


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.0, 5.0, 2.5], [-3.0, 1e12]])
def test_a_line_stays_within_its_frame(values: list[float]) -> None:
    (points,) = re.findall(r'points="([^"]+)"', line("Lead time", values))
    places = [tuple(map(float, point.split(","))) for point in points.split()]
    assert len(places) == len(values)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


@pytest.mark.parametrize(("value", "high", "most"), [(1, 2, 4), (0, 0, 0), (9, 9, 3)])
def test_a_range_stays_within_its_frame_with_the_median_inside(value: float, high: float, most: float) -> None:
    end, middle = numbers(reach("Lead time", value, high, most), "width")
    assert 0 <= middle <= end <= WIDTH


def test_a_title_is_text_and_names_the_picture() -> None:
    svg = ElementTree.fromstring(line("<b>&", [1, 2]))
    assert (svg.attrib["role"], svg.attrib["aria-label"], svg.findtext("title")) == ("img", "<b>&", "<b>&")
