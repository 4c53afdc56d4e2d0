"""Render a graph of tasks as SVG: keyboard-accessible links, states by color and shape, the critical path by stroke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orchestrator_site.kernel.text import shortened
from tasks.choices import Status
from tasks.graph import labels
from tasks.graph.algorithms import critical_path, in_dependency_order
from tasks.graph.layout import Box, Layout, Line, Size, lay_out

Address = Callable[[str], str]  # maps a task id to its URL

EDGE = 12  # margin in pixels, for strokes and focus outlines
NAMED, NAME_CHARACTERS = 3, 60
_ISOLATED = "\u2068{}\u2069"


@dataclass(frozen=True, slots=True)
class Step:
    """A zoom level: node size, lines per title, letters per line, and whether the specialist is shown."""

    name: str
    size: Size
    lines: int
    letters: float
    with_specialist: bool


LARGE = Step("large", Size(width=212, height=66, gap=18, column_gap=60), lines=2, letters=22, with_specialist=True)
MEDIUM = Step("medium", Size(width=184, height=44, gap=12, column_gap=48), lines=1, letters=18.5, with_specialist=True)
SMALL = Step("small", Size(width=116, height=20, gap=6, column_gap=36), lines=1, letters=12.5, with_specialist=False)
STEPS = {step.name: step for step in (SMALL, MEDIUM, LARGE)}
_LARGE_UP_TO, _MEDIUM_UP_TO = 40, 160


def step_for(number: int) -> Step:
    return LARGE if number <= _LARGE_UP_TO else MEDIUM if number <= _MEDIUM_UP_TO else SMALL


@dataclass(frozen=True, slots=True)
class Vertex:
    """A task to draw. `weight` is its share of the critical path, `part` the title of its group."""

    public_id: str
    title: str
    status: str
    specialist: str = ""
    weight: int = 1
    is_group: bool = False
    is_outside: bool = False
    part: str = ""

    @property
    def is_open(self) -> bool:
        return self.status not in (Status.COMPLETED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Graph:
    vertices: dict[int, Vertex]
    needs: dict[int, list[int]]

    @property
    def path(self) -> list[int]:
        """The critical path, with the groups that link its tasks."""
        return critical_path(self.needs, {key: each.weight for key, each in self.vertices.items() if each.is_open})


@dataclass(frozen=True, slots=True)
class Picture:
    svg: SafeString
    in_words: SafeString
    critical: list[Vertex]
    has_blocks: bool
    has_outside: bool


def picture(graph: Graph, step: Step, address: Address, *, here: int | None = None) -> Picture:
    """Draw a graph; `here` is the task at the center, if any."""
    path = graph.path if here is None else []
    words = {node: description(graph, node, is_critical=node in path) for node in graph.needs}
    layout = lay_out(graph.needs, step.size)
    # By columns, which is also the tab order.
    order = sorted(layout.boxes, key=lambda node: (layout.boxes[node].x, layout.boxes[node].y))
    marks = dict.fromkeys(path, " critical") if here is None else {here: " here"}
    nodes = [
        _node(graph.vertices[node], layout.boxes[node], step, address, marks.get(node, ""), words[node])
        for node in order
    ]
    items = ((address(graph.vertices[node].public_id), words[node]) for node in in_dependency_order(graph.needs))
    in_words = format_html_join("\n", '<li><a href="{}">{}</a></li>', items)
    critical = [graph.vertices[node] for node in path if not graph.vertices[node].is_group]
    has_outside = any(vertex.is_outside for vertex in graph.vertices.values())
    svg = _svg(layout, step, _lines(layout, graph, path), nodes)
    return Picture(svg, in_words, critical, bool(layout.frames), has_outside)


def _svg(layout: Layout, step: Step, lines: SafeString, nodes: list[SafeString]) -> SafeString:
    size = step.size
    width, height = layout.width + 2 * EDGE, layout.height + 2 * EDGE
    clip = format_html('<clipPath id="within"><rect width="{}" height="{}"/></clipPath>', size.width - 4, size.height)
    frames = ((box.x, box.y, box.width, box.height) for box in layout.frames)
    drawn_frames = format_html_join("", '<rect class="frame" x="{}" y="{}" width="{}" height="{}" rx="10"/>', frames)
    return format_html(
        '<svg class="graph {}" id="graph" role="group" aria-label="Dependencies" width="{}" height="{}" '
        'viewBox="{} {} {} {}">{}{}{}{}{}</svg>',
        step.name, width, height, -EDGE, -EDGE, width, height,
        _ARROWS, clip, drawn_frames, lines, format_html_join("", "{}", ((node,) for node in nodes)),
    )  # fmt: skip


_ARROWS = format_html_join(
    "",
    '<marker id="{0}" class="{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="{1}" markerHeight="{1}" '
    'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 .5 8 4 0 7.5z"/></marker>',
    [("arrow", 8), ("arrow-critical", 12)],
)


def _lines(layout: Layout, graph: Graph, path: list[int]) -> SafeString:
    """Draw the lines by class: satisfied (1), blocking (2), or on the critical path (3)."""
    steps = set(pairwise(path))
    kinds: dict[str, list[tuple[str]]] = {"line-1": [], "line-2": [], "line-3": []}
    for line in layout.lines:
        is_critical = any((source, target) in steps for source in line.sources for target in line.targets)
        is_over = all(graph.vertices[source].status == Status.COMPLETED for source in line.sources)
        kinds["line-3" if is_critical else "line-1" if is_over else "line-2"].append((_curve(line),))
    rows = (
        (kind, "-critical" if kind == "line-3" else "", format_html_join("", '<path d="{}"/>', curves))
        for kind, curves in kinds.items()
    )
    return format_html_join("", '<g class="{}" marker-end="url(#arrow{})">{}</g>', rows)


def _curve(line: Line) -> str:
    (x, y), *rest = line.points
    drawn = [f"M{x} {y}"]
    for left, top in rest:
        middle = (x + left) // 2
        drawn.append(f"H{left}" if top == y else f"C{middle} {y} {middle} {top} {left} {top}")
        x, y = left, top
    return "".join(drawn)


def _node(vertex: Vertex, box: Box, step: Step, address: Address, mark: str, words: str) -> SafeString:
    title = labels.lines(vertex.title, step.letters, step.lines)
    below = vertex.specialist or ("group" if vertex.is_group else "")
    texts = [*title, labels.fitted(below, step.letters)] if step.with_specialist and below else title
    kinds = f"{' group' if vertex.is_group else ''}{' outside' if vertex.is_outside else ''}{mark}"
    return format_html(
        _node_template(step, len(title), len(texts) > len(title)),
        address(vertex.public_id), vertex.public_id, vertex.status, kinds, words, f"{box.x} {box.y}", *texts,
    )  # fmt: skip


@cache
def _node_template(step: Step, titles: int, with_specialist: bool) -> str:
    width, height = step.size.width, step.size.height
    rows = titles + with_specialist
    first = height // 2 - 8 * (rows - 1) + 4
    kinds = ["what"] * titles + ["who"] * with_specialist
    placed = "".join(
        f'<text class="{kind}" x="26" y="{first + 16 * row}" clip-path="url(#within)">{{{6 + row}}}</text>'
        for row, kind in enumerate(kinds)
    )
    return (
        '<a href="{0}" id="node-{1}" class="node {2}{3}" aria-label="{4}" transform="translate({5})"><title>{4}</title>'
        f'<rect width="{width}" height="{height}" rx="6"/>'
        f'<use href="{static("orchestrator/icons.svg")}#{{2}}" x="6" y="{(height - _ICON) // 2}" '
        f'width="{_ICON}" height="{_ICON}"/>{placed}</a>'
    )


_ICON = 14


def description(graph: Graph, node: int, *, is_critical: bool = False) -> str:
    vertex = graph.vertices[node]
    words = [f"{_ISOLATED.format(vertex.title)}: {Status(vertex.status).label.lower()}"]
    if vertex.is_group:
        words.append("a group")
    if vertex.specialist:
        words.append(f"by {vertex.specialist}")
    if vertex.part:
        words.append(f"in {_ISOLATED.format(shortened(vertex.part, NAME_CHARACTERS))}")
    if vertex.is_outside:
        words.append("outside this plan or group")
    blockers = [graph.vertices[need] for need in graph.needs[node] if graph.vertices[need].status != Status.COMPLETED]
    if vertex.is_open and blockers:
        names = [_ISOLATED.format(shortened(each.title, NAME_CHARACTERS)) for each in blockers[:NAMED]]
        more = len(blockers) - len(names)
        words.append(
            f"blocked by {', '.join(names)} and {more:,} more" if more else f"blocked by {' and '.join(names)}"
        )
    if is_critical:
        words.append("on the critical path")
    return ", ".join(words)
