"""The layout of graphs, `tasks/graph/layout.py`, for any acyclic graph."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.graph import layering
from tasks.graph.layering import SMALLEST, Needs, fold, ranks
from tasks.graph.layout import Box, Layout, Size, lay_out, settled

SIZE = Size(width=100, height=20, gap=6, column_gap=30)


@st.composite
def graphs(draw: st.DrawFn, most: int = 24) -> dict[int, list[int]]:
    """An acyclic graph whose nodes are in no particular order."""
    names = draw(st.lists(st.integers(1, 10_000), unique=True, max_size=most))
    needs = {}
    for place, name in enumerate(names):
        earlier = names[:place]
        needs[name] = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=4)) if earlier else []
    order = draw(st.permutations(names))
    return {name: needs[name] for name in order}


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def _pairs(layout: Layout) -> set[tuple[int, int]]:
    return {(source, target) for line in layout.lines for source in line.sources for target in line.targets}


@given(graphs())
def test_no_two_nodes_overlap_and_all_are_within_the_drawing(needs: Needs) -> None:
    layout = lay_out(needs, SIZE)
    assert layout.boxes.keys() == needs.keys()
    assert not [pair for pair in combinations(layout.boxes.values(), 2) if _overlap(*pair)]
    for box in layout.boxes.values():
        assert box.x >= 0 and box.y >= 0
        assert box.x + box.width <= layout.width and box.y + box.height <= layout.height


@given(graphs())
def test_every_line_goes_forward(needs: Needs) -> None:
    layout = lay_out(needs, SIZE)
    for line in layout.lines:
        places = [x for x, _ in line.points]
        assert places == sorted(places) and places[0] < places[-1]
    for source, target in _pairs(layout):
        assert layout.boxes[source].x + SIZE.width + SIZE.column_gap <= layout.boxes[target].x


@given(graphs())
def test_the_lines_say_exactly_what_waits_for_what(needs: Needs) -> None:
    assert _pairs(lay_out(needs, SIZE)) == {(need, node) for node in needs for need in needs[node]}


@given(graphs())
def test_lines_start_and_end_at_what_they_link(needs: Needs) -> None:
    layout = lay_out(needs, SIZE)
    for line in layout.lines:
        (x, y), (end_x, end_y) = line.points[0], line.points[-1]
        starts, ends = ([layout.boxes[node] for node in nodes] for nodes in (line.sources, line.targets))
        assert x >= max(box.x + box.width for box in starts)
        assert min(box.y for box in starts) <= y <= max(box.y + box.height for box in starts)
        assert end_x <= min(box.x for box in ends)
        assert min(box.y for box in ends) <= end_y <= max(box.y + box.height for box in ends)


@given(graphs())
def test_the_same_graph_is_drawn_the_same(needs: Needs) -> None:
    assert lay_out(needs, SIZE) == lay_out(dict(needs), SIZE)


@given(graphs())
def test_frames_hold_their_block_and_nothing_else(needs: Needs) -> None:
    layout = lay_out(needs, SIZE)
    blocks = [unit for unit in fold(needs)[0] if len(unit) >= SMALLEST]
    held = [sorted(node for node, box in layout.boxes.items() if _overlap(box, frame)) for frame in layout.frames]
    assert sorted(held) == sorted(sorted(block) for block in blocks)


@given(graphs())
def test_a_layer_comes_after_those_of_all_that_is_waited_for(needs: Needs) -> None:
    names = list(needs)
    numbered = [[names.index(need) for need in needs[name]] for name in names]
    found = ranks(numbered)
    assert all(found[need] < found[node] for node, waited_for in enumerate(numbered) for need in waited_for)
    assert min(found, default=0) == 0


@settings(max_examples=50)
@given(st.integers(4, 900))
def test_tasks_that_hang_on_nothing_are_laid_out_compactly(number: int) -> None:
    layout = lay_out({node: [] for node in range(number)}, SIZE)
    room = number * (SIZE.width + SIZE.gap) * (SIZE.height + SIZE.gap)
    assert layout.width * layout.height < 2 * room + 40_000
    assert layout.width < 6 * layout.height and layout.height < 6 * layout.width


def test_many_small_parts_stand_beside_each_other() -> None:
    needs = {node: [node - 1] if node % 2 else [] for node in range(200)}
    layout = lay_out(needs, SIZE)
    assert layout.width < 4 * layout.height and layout.height < 4 * layout.width


def test_a_long_line_is_routed_around_units() -> None:
    layout = lay_out({1: [], 2: [1], 3: [2], 4: [3, 1]}, SIZE)
    (line,) = [each for each in layout.lines if (each.sources, each.targets) == ((1,), (4,))]
    for node in (2, 3):
        box = layout.boxes[node]
        assert not [y for x, y in line.points if box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height]


def test_short_lines_are_routed_first_if_waypoints_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layering, "WAYPOINTS", 60)
    chain = {node: [node - 1] if node else [] for node in range(50)}
    needs = chain | {node: [node - 1, node - 2] for node in range(2, 50)} | {49: [48, 0]}
    layout = lay_out(needs, SIZE)
    for line in layout.lines:
        if line.targets[0] - line.sources[0] == 2:
            box = layout.boxes[line.sources[0] + 1]
            assert not [
                y for x, y in line.points if box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height
            ]
            assert [x for x, _ in line.points if x == box.x]


@given(
    st.lists(st.tuples(st.integers(-500, 500), st.integers(1, 60)), max_size=30),
    st.integers(0, 20),
)
def test_things_settle_in_order_without_overlap(wishes: list[tuple[int, int]], gap: int) -> None:
    heights = [height for _, height in wishes]
    tops = settled([wish for wish, _ in wishes], heights, gap)
    for place in range(1, len(tops)):
        assert tops[place] >= tops[place - 1] + heights[place - 1] + gap


@given(st.lists(st.integers(-500, 500), max_size=30))
def test_items_with_enough_space_get_their_desired_positions(gaps: list[int]) -> None:
    wanted = [place * 50 for place in range(len(gaps))]
    assert settled(wanted, [30] * len(wanted), 20) == wanted
