"""One graph as a drawing: its text with entities highlighted, and its relations beneath."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from radpair.graphs import schema
from radpair.records import Entity, Graph

_COLOURS = {
    "anatomy": ("#dbe7f6", "#2b5c9e"),
    "present": ("#fbdcd0", "#b3401a"),
    "uncertain": ("#fbeec2", "#8a6400"),
    "absent": ("#dcefe0", "#2c7048"),
}
_LEGEND = (
    (schema.ANATOMY, "anatomy"),
    (schema.PRESENT, "observation present"),
    (schema.UNCERTAIN, "uncertain"),
    (schema.ABSENT, "absent"),
)
_EDGES = {schema.MODIFY: "#7a7f87", schema.LOCATED_AT: "#2b5c9e", schema.SUGGESTIVE_OF: "#8a6400"}
_MARGIN, _LINE, _ROW, _LONGEST = 14, 25, 27.0, 48
_FONT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Words set together: one entity, or the text between two."""

    words: str
    label: str
    entity: int = -1


def svg(graph: Graph, width: int = 660, limit: int = 400) -> str:
    """A self-contained SVG drawing of one graph, ``width`` pixels wide.

    Above, the report's text (at most ``limit`` tokens) with entities coloured by their label;
    below, one box an entity, in columns (qualifiers, observations, anatomy, what modifies the
    anatomy), joined by arrows for their relations. All text is escaped.
    """
    text, top = _text(graph, width, limit)
    shown = [index for index, entity in enumerate(graph.entities) if entity.end < limit]
    rows, bottom = _network(graph, shown, width, top + 16)
    height = round(bottom + _MARGIN)
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}' {_FONT} font-size='13'>"
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>{_arrowheads()}"
    )
    return "".join([head, *text, *rows, "</svg>"])


def _arrowheads() -> str:
    return (
        "<defs>"
        + "".join(
            f"<marker id='tip-{kind}' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' "
            f"markerHeight='7' orient='auto'><path d='M0 0L8 4L0 8z' fill='{colour}'/></marker>"
            for kind, colour in _EDGES.items()
        )
        + "</defs>"
    )


def _text(graph: Graph, width: int, limit: int) -> tuple[list[str], float]:
    drawn = _legend()
    x, y = float(_MARGIN), 58.0
    for piece in _pieces(graph, limit):
        wide = _width(piece.words) + (6 if piece.label else 0)
        if x + wide > width - _MARGIN and x > _MARGIN:
            x, y = float(_MARGIN), y + _LINE
        fill, ink = _COLOURS.get(piece.label, ("", "#24292f"))
        if fill:
            drawn.append(_box(x, y - 14, wide, 19, fill, ""))
        drawn.append(_words(x + (3 if fill else 0), y, piece.words, ink))
        x += wide + 4
    return drawn, y


def _legend() -> list[str]:
    drawn, x = [], float(_MARGIN)
    for label, name in _LEGEND:
        fill, ink = _COLOURS[schema.state(label)]
        drawn.append(_box(x, 12, 12, 12, fill, ink))
        drawn.append(_words(x + 17, 22.5, name, "#57606a", 11.5))
        x += 30 + 6.4 * len(name)
    return drawn


def _pieces(graph: Graph, limit: int) -> Iterator[_Piece]:
    """The tokens in order; each entity in one piece, other tokens singly."""
    words = graph.text.split(" ") if graph.text else []
    owners: dict[int, int] = {}
    for index, entity in enumerate(graph.entities):
        for at in range(entity.start, entity.end + 1):
            owners.setdefault(at, index)
    at = 0
    while at < min(len(words), limit):
        owner = owners.get(at, -1)
        stop = at + 1
        while owner >= 0 and owners.get(stop) == owner:
            stop += 1
        label = graph.entities[owner].label if owner >= 0 else ""
        yield _Piece(_shorten(" ".join(words[at:stop])), label, owner)
        at = stop
    if len(words) > limit:
        yield _Piece(f"... and {len(words) - limit} more words", "")


def _network(graph: Graph, shown: list[int], width: int, top: float) -> tuple[list[str], float]:
    """Boxes in four columns, near what they belong to, and arrows between them."""
    columns = _columns(graph, set(shown))
    if not any(columns):
        return [], top
    heights = _heights(graph, columns)
    step = (width - 2 * _MARGIN) / 4
    boxes: dict[int, tuple[float, float, float]] = {}
    for number, column in enumerate(columns):
        for index in column:
            wide = min(_width(graph.entities[index].text) + 14, step - 18)
            x = _MARGIN + number * step + (step - wide) * number / 3
            boxes[index] = (x, top + 16 + heights[index], wide)
    bottom = top + 16 + max(heights.values()) + 44
    rule = f"<line x1='{_MARGIN}' x2='{width - _MARGIN}' y1='{top}' y2='{top}' stroke='#d0d7de'/>"
    edges = [
        _edge(boxes[r.source], boxes[r.target], r.type, width)
        for r in graph.relations
        if r.source in boxes and r.target in boxes
    ]
    nodes = [_node(graph.entities[index], boxes[index]) for index in boxes]
    return [rule, *edges, *nodes, *_edge_legend(bottom)], bottom + 6


def _columns(graph: Graph, shown: set[int]) -> list[list[int]]:
    """Qualifiers, observations, anatomy, what modifies anatomy; only what has a relation."""
    linked = {r.source for r in graph.relations} | {r.target for r in graph.relations}
    modifies = {r.source for r in graph.relations if r.type == schema.MODIFY}
    columns: list[list[int]] = [[], [], [], []]
    for index in sorted(shown & linked):
        anatomy = schema.state(graph.entities[index].label) == "anatomy"
        if anatomy:
            columns[3 if index in modifies else 2].append(index)
        else:
            columns[0 if index in modifies else 1].append(index)
    return columns


def _heights(graph: Graph, columns: list[list[int]]) -> dict[int, float]:
    """Where each box stands, downwards from the first: heads in order, qualifiers beside them."""
    qualifiers, observations, places, sides = (set(column) for column in columns)
    targets: dict[int, int] = {}
    wanted: dict[int, float] = {}
    for link in graph.relations:
        if link.source in qualifiers | sides and link.type == schema.MODIFY:
            targets.setdefault(link.source, link.target)
    heights = _stack(sorted(observations), targets, wanted)
    for link in graph.relations:
        if link.target in places and link.source in heights:
            wanted.setdefault(link.target, heights[link.source])
    heights |= _stack(sorted(places), targets, wanted)
    for column in (qualifiers, sides):
        order = sorted(column, key=lambda index: (heights.get(targets.get(index, -1), 0.0), index))
        for index in order:
            target = targets.get(index, -1)
            few = sum(other == target for other in targets.values())
            wanted[index] = heights.get(target, 0.0) - (few - 1) * _ROW / 2
        heights |= _stack(order, {}, wanted)
    return heights


def _stack(order: list[int], targets: dict[int, int], wanted: dict[int, float]) -> dict[int, float]:
    """One column from top to bottom: as near to ``wanted`` as room allows, none overlapping."""
    heights: dict[int, float] = {}
    free = 0.0
    for index in order:
        room = max(1, sum(target == index for target in targets.values())) * _ROW
        heights[index] = max(wanted.get(index, 0.0), free + (room - _ROW) / 2)
        free = heights[index] + (room + _ROW) / 2
    return heights


def _edge(
    source: tuple[float, float, float], target: tuple[float, float, float], kind: str, width: int
) -> str:
    (x1, y1, w1), (x2, y2, w2) = source, target
    if x1 + w1 < x2:
        bend = (x2 - x1 - w1) / 2
        return _curve(x1 + w1, y1, x1 + w1 + bend, x2 - bend, x2, y2, kind)
    if x2 + w2 < x1:
        bend = (x1 - x2 - w2) / 2
        return _curve(x1, y1, x1 - bend, x2 + w2 + bend, x2 + w2, y2, kind)
    if x1 + w1 > 0.9 * width:
        return _curve(x1, y1, x1 - 26, x2 - 26, x2, y2, kind)
    return _curve(x1 + w1, y1, x1 + w1 + 26, x2 + w2 + 26, x2 + w2, y2, kind)


def _curve(x1: float, y1: float, c1: float, c2: float, x2: float, y2: float, kind: str) -> str:
    return (
        f"<path d='M{x1:.1f} {y1:.1f}C{c1:.1f} {y1:.1f} {c2:.1f} {y2:.1f} {x2:.1f} {y2:.1f}' "
        f"fill='none' stroke='{_EDGES[kind]}' stroke-width='1.3' marker-end='url(#tip-{kind})'>"
        f"<title>{kind}</title></path>"
    )


def _node(entity: Entity, box: tuple[float, float, float]) -> str:
    x, y, wide = box
    fill, ink = _COLOURS[schema.state(entity.label)]
    words = _shorten(entity.text)
    while _width(words) > wide - 13 and len(words) > 2:
        words = _shorten(words, len(words) - 1)
    title = f"<title>{escape(_shorten(entity.text, 200))} ({escape(entity.label)})</title>"
    return (
        f"<g>{title}{_box(x, y - 10, wide, 20, fill, ink)}{_words(x + 7, y + 4.5, words, ink)}</g>"
    )


def _edge_legend(y: float) -> list[str]:
    drawn, x = [], float(_MARGIN)
    for kind, colour in _EDGES.items():
        drawn.append(
            f"<line x1='{x}' x2='{x + 24}' y1='{y - 4}' y2='{y - 4}' stroke='{colour}' "
            f"stroke-width='1.3' marker-end='url(#tip-{kind})'/>"
        )
        drawn.append(_words(x + 31, y, kind.replace("_", " "), "#57606a", 11.5))
        x += 56 + 6.4 * len(kind)
    return drawn


def _box(x: float, y: float, wide: float, high: float, fill: str, ink: str) -> str:
    edge = f" stroke='{ink}' stroke-width='0.9'" if ink else ""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{wide:.1f}' height='{high:.1f}' rx='4' "
        f"fill='{fill}'{edge}/>"
    )


def _words(x: float, y: float, words: str, ink: str, size: float = 13) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' fill='{ink}' font-size='{size}'>{escape(words)}</text>"


def _width(words: str) -> float:
    """About how wide text of 13 px runs, letter by letter."""
    return sum(_letter(letter) for letter in words)


def _letter(letter: str) -> float:
    if letter in "iljtfrI.,:;'|()[]!- ":
        return 4.1
    return 9.8 if letter in "mwMW" or letter.isupper() else 7.2


def _shorten(words: str, longest: int = _LONGEST) -> str:
    clean = "".join(letter if letter.isprintable() else " " for letter in words)
    return clean if len(clean) <= longest else clean[: longest - 1] + "\u2026"
