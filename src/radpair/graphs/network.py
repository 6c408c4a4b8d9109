"""The entities and relations of a graph as SVG: boxes in columns, arrows between them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from radpair.graphs import schema
from radpair.graphs.summary import membership
from radpair.records import Entity, Graph, Relation

Box = tuple[float, float, float]
"""Left edge, middle, and width of an entity's box."""


@dataclass(frozen=True, slots=True)
class Style:
    """How an entity's state looks; outlines differ too, for print and for colour-blind eyes."""

    name: str
    fill: str
    ink: str
    dashes: str = ""
    sign: str = ""
    """Stands raised after the words."""


STYLES = {
    "anatomy": Style("anatomy", "#dbe7f6", "#1d4f91"),
    "present": Style("observation present", "#fcdccb", "#a8380f"),
    "measurement": Style("measurement", "#e9e2f5", "#57368f"),
    "uncertain": Style("uncertain", "#fdf0b5", "#6f5200", "1.5 2.5", "?"),
    "absent": Style("absent", "#ececef", "#4b5057", "5 3", "\u2212"),
}
EDGES = {schema.MODIFY: "#7a7f87", schema.LOCATED_AT: "#2b5c9e", schema.SUGGESTIVE_OF: "#8a6400"}
MARGIN, ROW, GAP, LONGEST = 14, 27.0, 5.0, 48
BETWEEN, PADDING, SIGN = 24.0, 7.0, 7.0
"""Between columns; left and right of a box's words; a sign's width. Pixels."""
GREY = "#57606a"


def look(label: str) -> str:
    """Which of ``STYLES`` an entity label has: doubt and absence before what it is."""
    for state in ("uncertain", "absent"):
        if label.endswith(state):
            return state
    if "::measurement::" in label:
        return "measurement"
    return schema.state(label)


def style_of(entity: Entity) -> Style:
    """How an entity is drawn, by its label."""
    return STYLES[look(entity.label)]


def network_svg(graph: Graph, width: int = 660, limit: int = 1500) -> str:
    """Entities and relations alone, as a self-contained SVG ``width`` pixels wide.

    Draws what stands in the first ``limit`` tokens. Every box carries its entity's index as
    ``data-e`` and every arrow its two ends as ``data-ends``.
    """
    shown = [index for index, entity in enumerate(graph.entities) if entity.end < limit]
    drawn, bottom = network(graph, shown, width, 0.0)
    return document([*edge_legend(14.0), *_moved(drawn, 22.0)], width, bottom + 24)


def _moved(parts: list[str], down: float) -> list[str]:
    return [f"<g transform='translate(0 {down})'>", *parts, "</g>"] if parts else []


def document(parts: list[str], width: int, height: float) -> str:
    """The parts of a drawing as one SVG, on white."""
    high = round(height)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{high}' "
        f"viewBox='0 0 {width} {high}' font-family='Helvetica, Arial, sans-serif' font-size='13'>"
        f"<rect width='{width}' height='{high}' fill='#ffffff'/>{_arrowheads()}"
        + "".join(parts)
        + "</svg>"
    )


def _arrowheads() -> str:
    tips = "".join(
        f"<marker id='tip-{kind}' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' "
        f"markerHeight='7' orient='auto' markerUnits='userSpaceOnUse'>"
        f"<path d='M0 0L8 4L0 8z' fill='{colour}'/></marker>"
        for kind, colour in EDGES.items()
    )
    return f"<defs>{tips}</defs>"


def network(graph: Graph, shown: list[int], width: int, top: float) -> tuple[list[str], float]:
    """The boxes and arrows of the entities ``shown``, from ``top`` down, and where they end.

    Each part of the graph that is linked has its own rows: qualifiers, observations, anatomy, what
    modifies anatomy. Entities without a relation stand side by side at the end.
    """
    parts, alone = _parts(graph, set(shown))
    boxes: dict[int, Box] = {}
    for part, links in parts:
        columns = _columns(graph, part, links)
        heights = _heights(links, columns)
        first = min(heights.values())
        wides = {index: _wide(graph.entities[index]) for index in part}
        needs = [max((wides[index] for index in column), default=0.0) for column in columns]
        for number, (left, most) in enumerate(lanes_of(needs, width)):
            for index in columns[number]:
                wide = min(wides[index], most)
                x = left + (most - wide) * number / 3
                boxes[index] = (x, top + ROW / 2 + heights[index] - first, wide)
        top = max(boxes[index][1] for index in part) + ROW / 2 + GAP
    edges = [
        _edge(boxes[r.source], boxes[r.target], r.type, width, f"{r.source} {r.target}")
        for r in graph.relations
        if r.source in boxes and r.target in boxes
    ]
    loose, bottom = _loose(graph, alone, width, top)
    nodes = [_node(graph.entities[index], boxes[index], index) for index in boxes]
    return [*edges, *nodes, *loose], bottom


def lanes_of(needs: Sequence[float], width: int) -> list[tuple[float, float]]:
    """Left edge and width of each column that needs so much; columns without need have no width.

    A column gets what it needs where all fit beside each other; else the widest give way. Columns
    stand where those of other parts do, as far as that is possible.
    """
    used = [number for number, need in enumerate(needs) if need]
    room = width - 2 * MARGIN - BETWEEN * (len(used) - 1)
    wides = [0.0] * len(needs)
    for done, number in enumerate(sorted(used, key=lambda number: needs[number])):
        wides[number] = min(needs[number], room / (len(used) - done))
        room -= wides[number]
    step, last = (width - 2 * MARGIN) / len(needs), len(needs) - 1
    lefts = [MARGIN + n * step + (step - wide) * n / last for n, wide in enumerate(wides)]
    free = float(MARGIN)
    for number in used:
        lefts[number] = max(lefts[number], free)
        free = lefts[number] + wides[number] + BETWEEN
    free = float(width - MARGIN)
    for number in reversed(used):
        lefts[number] = min(lefts[number], free - wides[number])
        free = lefts[number] - BETWEEN
    return list(zip(lefts, wides, strict=True))


def _wide(entity: Entity) -> float:
    """How wide a box must be for the words of an entity, and its sign."""
    sign = SIGN if style_of(entity).sign else 0.0
    return text_width(shorten(entity.text)) + sign + 2 * PADDING


def _parts(
    graph: Graph, shown: set[int]
) -> tuple[list[tuple[list[int], list[Relation]]], list[int]]:
    """The linked parts in reading order with their relations, and entities without a relation."""
    roots = membership(graph)
    links: dict[int, list[Relation]] = {}
    for link in graph.relations:
        if link.source in shown and link.target in shown:
            links.setdefault(roots[link.source], []).append(link)
    linked = {end for part in links.values() for r in part for end in (r.source, r.target)}
    members: dict[int, list[int]] = {}
    for index in sorted(linked, key=lambda index: (graph.entities[index].start, index)):
        members.setdefault(roots[index], []).append(index)
    parts = [(part, links[root]) for root, part in members.items()]
    return parts, sorted(shown - linked)


def _columns(graph: Graph, part: list[int], links: list[Relation]) -> list[list[int]]:
    """Qualifiers, observations, anatomy, what modifies anatomy."""
    modifies = {link.source for link in links if link.type == schema.MODIFY}
    columns: list[list[int]] = [[], [], [], []]
    for index in part:
        if schema.state(graph.entities[index].label) == "anatomy":
            columns[3 if index in modifies else 2].append(index)
        else:
            columns[0 if index in modifies else 1].append(index)
    return columns


def _heights(links: list[Relation], columns: list[list[int]]) -> dict[int, float]:
    """Where each box stands, downwards from the first: heads in order, qualifiers beside them."""
    beside, places = {*columns[0], *columns[3]}, set(columns[2])
    targets: dict[int, int] = {}
    wanted: dict[int, float] = {}
    for link in links:
        if link.source in beside and link.type == schema.MODIFY:
            targets.setdefault(link.source, link.target)
    crowd = Counter(targets.values())
    heights = _stack(columns[1], crowd, wanted)
    for link in links:
        if link.target in places and link.source in heights:
            wanted.setdefault(link.target, heights[link.source])
    heights |= _stack(sorted(places, key=lambda i: (wanted.get(i, 0.0), i)), crowd, wanted)
    for column in (columns[0], columns[3]):
        order = sorted(column, key=lambda index: (heights.get(targets.get(index, -1), 0.0), index))
        for index in order:
            target = targets.get(index, -1)
            wanted[index] = heights.get(target, 0.0) - (crowd[target] - 1) * ROW / 2
        heights |= _stack(order, Counter(), wanted)
    return heights


def _stack(order: list[int], crowd: Counter[int], wanted: dict[int, float]) -> dict[int, float]:
    """One column from top to bottom: as near to ``wanted`` as room allows, none overlapping."""
    heights: dict[int, float] = {}
    free = 0.0
    for index in order:
        room = max(1, crowd[index]) * ROW
        heights[index] = max(wanted.get(index, 0.0), free + (room - ROW) / 2)
        free = heights[index] + (room + ROW) / 2
    return heights


def _loose(graph: Graph, alone: list[int], width: int, top: float) -> tuple[list[str], float]:
    if not alone:
        return [], top
    drawn = [words(MARGIN, top + ROW / 2 + 4, "without a relation", GREY, 11.5)]
    x, y = MARGIN + 112.0, top + ROW / 2
    for index in alone:
        wide = min(_wide(graph.entities[index]), width - 2.0 * MARGIN - 112)
        if x + wide > width - MARGIN and x > MARGIN + 112:
            x, y = MARGIN + 112.0, y + ROW
        drawn.append(_node(graph.entities[index], (x, y, wide), index))
        x += wide + 8
    return drawn, y + ROW / 2 + GAP


def _edge(source: Box, target: Box, kind: str, width: int, ends: str) -> str:
    (x1, y1, w1), (x2, y2, w2) = source, target
    if x1 + w1 < x2:
        bend = (x2 - x1 - w1) / 2
        curve = (x1 + w1, x1 + w1 + bend, x2 - bend, x2)
    elif x2 + w2 < x1:
        bend = (x1 - x2 - w2) / 2
        curve = (x1, x1 - bend, x2 + w2 + bend, x2 + w2)
    elif x1 + w1 > 0.9 * width:
        curve = (x1, x1 - 26, x2 - 26, x2)
    else:
        curve = (x1 + w1, x1 + w1 + 26, x2 + w2 + 26, x2 + w2)
    begin, leave, arrive, end = curve
    return (
        f"<path d='M{begin:.1f} {y1:.1f}C{leave:.1f} {y1:.1f} {arrive:.1f} {y2:.1f} "
        f"{end:.1f} {y2:.1f}' fill='none' stroke='{EDGES[kind]}' stroke-width='1.3' "
        f"data-ends='{ends}' marker-end='url(#tip-{kind})'><title>{kind}</title></path>"
    )


def _node(entity: Entity, place: Box, index: int) -> str:
    x, y, wide = place
    style = style_of(entity)
    shown = shorten(entity.text)
    room = wide - 2 * PADDING - (SIGN if style.sign else 0.0) + 1
    while text_width(shown) > room and len(shown) > 2:
        shown = shorten(shown, len(shown) - 1)
    title = f"<title>{escape(shorten(entity.text, 200))} ({escape(entity.label)})</title>"
    return (
        f"<g data-e='{index}'>{title}{box(x, y - 10, wide, 20, style)}"
        f"{words(x + PADDING, y + 4.5, shown, style.ink, sign=style.sign)}</g>"
    )


def edge_legend(y: float) -> list[str]:
    """What the colours of the arrows mean."""
    drawn, x = [], float(MARGIN)
    for kind, colour in EDGES.items():
        drawn.append(
            f"<line x1='{x}' x2='{x + 24}' y1='{y - 4}' y2='{y - 4}' stroke='{colour}' "
            f"stroke-width='1.3' marker-end='url(#tip-{kind})'/>"
        )
        drawn.append(words(x + 31, y, kind.replace("_", " "), GREY, 11.5))
        x += 55 + text_width(kind) * 11.5 / 13
    return drawn


def box(x: float, y: float, wide: float, high: float, style: Style) -> str:
    """A rounded box in the colours and the outline of ``style``."""
    dashes = f" stroke-dasharray='{style.dashes}'" if style.dashes else ""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{wide:.1f}' height='{high:.1f}' rx='4' "
        f"fill='{style.fill}' stroke='{style.ink}' stroke-width='0.9'{dashes}/>"
    )


def words(x: float, y: float, text: str, ink: str, size: float = 13, sign: str = "") -> str:
    """Text with its baseline at ``y``, escaped, and a raised sign after it."""
    raised = f"<tspan dx='1' dy='-4' font-size='10'>{escape(sign)}</tspan>" if sign else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' fill='{ink}' font-size='{size}'>{escape(text)}{raised}"
        "</text>"
    )


def text_width(text: str) -> float:
    """About how wide text of 13 px runs in Helvetica, letter by letter."""
    return 13.4e-3 * sum(_letter(letter) for letter in text)


_WIDTHS = {
    width: frozenset(letters)
    for width, letters in (
        (200, "ijl'|"),
        (278, " !,./:;I[]\\ft"),
        (333, '()-`r{}"'),
        (500, "Jckvxyzs*^"),
        (556, "#$_?Labdeghnopqu0123456789"),
        (611, "FTZ+<=>~"),
        (667, "&ABEKPSVXY"),
        (722, "CDHNRUw"),
        (778, "GOQ"),
        (833, "Mm"),
    )
}
"""Thousandths of the type's size."""
_LETTERS = {letter: width for width, letters in _WIDTHS.items() for letter in letters}


def _letter(letter: str) -> int:
    return _LETTERS.get(letter, 1000 if unicodedata.east_asian_width(letter) in "WF" else 700)


def shorten(text: str, longest: int = LONGEST) -> str:
    """At most ``longest`` characters, those that cannot be printed as blanks."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: longest + 1])
    return clean if len(clean) <= longest else clean[: longest - 1] + "\u2026"
