"""Graph layout: layers from left to right, with connected components side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.graph.layering import Layered, Needs, fold, layered, neighbours_of, parts, ranks

Point = tuple[int, int]

WIDER_THAN_HIGH = 1.8
FRAME = 8  # padding of a block's frame, in pixels


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int
    gap: int
    column_gap: int


@dataclass(frozen=True, slots=True)
class Box:
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line from all `sources` to all the `targets` they block, with points that go to the right."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    boxes: dict[int, Box]
    frames: list[Box]
    lines: list[Line]
    width: int
    height: int


def lay_out(needs: Needs, size: Size) -> Layout:
    units, unit_needs = fold(needs)
    rank = ranks(unit_needs)
    areas = [_area(len(unit), size) for unit in units]
    placed = [_place(layered(part, unit_needs, rank), areas, size) for part in parts(unit_needs)]
    corners, width, height = _shelved([(part.width, part.height) for part in placed], size)
    drawing = Layout({}, [], [], width, height)
    for part, corner in zip(placed, corners, strict=True):
        _draw(drawing, part, corner, units, size)
    return drawing


@dataclass(frozen=True, slots=True)
class _Placed:
    boxes: dict[int, Box]
    lines: list[tuple[int, int, tuple[Point, ...]]]
    width: int
    height: int


def _area(number: int, size: Size) -> tuple[int, int]:
    if number == 1:
        return size.width, size.height
    width, height = size.width + size.gap, size.height + size.gap
    columns = max(1, round(math.sqrt(number * height / width)))
    rows = -(-number // columns)
    return columns * width - size.gap + 2 * FRAME, rows * height - size.gap + 2 * FRAME


def _place(part: Layered, areas: Sequence[tuple[int, int]], size: Size) -> _Placed:
    units = part.units
    heights = [areas[unit][1] for unit in units] + [size.gap] * (part.items - len(units))
    tops = _tops(part, heights, size.gap)
    boxes, middles, edges = {}, [top + height // 2 for top, height in zip(tops, heights, strict=True)], []
    x = 0
    edge_of: dict[int, tuple[int, int]] = {}
    for layer in part.layers:
        width = max((areas[units[item]][0] for item in layer if item < len(units)), default=0)
        for item in layer:
            edge_of[item] = x, x + width
            if item < len(units):
                boxes[units[item]] = Box(x, tops[item], *areas[units[item]])
        x += width + size.column_gap
    for line in part.lines:
        start, end = units[line[0]], units[line[-1]]
        points = [(boxes[start].x + boxes[start].width, middles[line[0]]), (edge_of[line[0]][1], middles[line[0]])]
        for item in line[1:-1]:
            points += [(edge, middles[item]) for edge in edge_of[item]]
        edges.append((start, end, (*points, (edge_of[line[-1]][0], middles[line[-1]]))))
    bottom = max(top + height for top, height in zip(tops, heights, strict=True))
    return _Placed(boxes, edges, x - size.column_gap, bottom)


def _tops(part: Layered, heights: list[int], gap: int) -> list[int]:
    tops = [0] * part.items
    left, right = neighbours_of(part.lines, part.items)
    apart: list[list[int]] = [[]] * part.items  # the first time, items lie one below the other
    for linked in (apart, left, right, left):
        for layer in reversed(part.layers) if linked is right else part.layers:
            desired = [_desired(item, linked[item], tops, heights) for item in layer]
            for item, top in zip(layer, settled(desired, [heights[item] for item in layer], gap), strict=True):
                tops[item] = top
    highest = min(tops)
    return [top - highest for top in tops]


def _desired(item: int, linked: list[int], tops: list[int], heights: list[int]) -> float:
    if not linked:
        return tops[item]
    middle = sum(tops[other] + heights[other] / 2 for other in linked) / len(linked)
    return middle - heights[item] / 2


def settled(desired: Sequence[float], heights: Sequence[int], gap: int) -> list[int]:
    """Return the tops nearest to the desired ones, in the same order and without overlap.

    Overlapping items are joined and moved to the mean of their desired positions (isotonic regression).
    """
    groups: list[tuple[float, int]] = []  # desired top of the first item of a group, number of items
    offset = 0
    for wish, height in zip(desired, heights, strict=True):
        mean, number = wish - offset, 1
        while groups and groups[-1][0] > mean:
            other, others = groups.pop()
            mean, number = (mean * number + other * others) / (number + others), number + others
        groups.append((mean, number))
        offset += height + gap
    firsts = [math.floor(mean) for mean, number in groups for _ in range(number)]
    tops, offset = [], 0
    for first, height in zip(firsts, heights, strict=True):
        tops.append(first + offset)
        offset += height + gap
    return tops


def _shelved(areas: Sequence[tuple[int, int]], size: Size) -> tuple[list[Point], int, int]:
    gap = 2 * size.gap
    available = max(
        max((width for width, _ in areas), default=0),
        math.isqrt(round(sum((width + gap) * (height + gap) for width, height in areas) * WIDER_THAN_HIGH)),
    )
    corners: list[Point] = [(0, 0)] * len(areas)
    x = y = shelf = widest = 0
    for place in sorted(range(len(areas)), key=lambda place: -areas[place][1]):
        width, height = areas[place]
        if x and x + width > available:
            x, y, shelf = 0, y + shelf + gap, 0
        corners[place] = x, y
        x, shelf, widest = x + width + gap, max(shelf, height), max(widest, x + width)
    return corners, widest, y + shelf


def _draw(drawing: Layout, part: _Placed, corner: Point, units: list[list[int]], size: Size) -> None:
    x, y = corner
    for unit, box in part.boxes.items():
        nodes, moved = units[unit], Box(box.x + x, box.y + y, box.width, box.height)
        if len(nodes) == 1:
            drawing.boxes[nodes[0]] = moved
            continue
        drawing.frames.append(moved)
        columns = (box.width - 2 * FRAME + size.gap) // (size.width + size.gap)
        for number, node in enumerate(nodes):
            row, column = divmod(number, columns)
            left = moved.x + FRAME + column * (size.width + size.gap)
            top = moved.y + FRAME + row * (size.height + size.gap)
            drawing.boxes[node] = Box(left, top, size.width, size.height)
    for start, end, points in part.lines:
        route = tuple((left + x, top + y) for left, top in points)
        drawing.lines.append(Line(tuple(units[start]), tuple(units[end]), route))
