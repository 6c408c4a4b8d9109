"""One graph as a drawing: its text with entities highlighted, and its relations beneath."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from radpair.graphs.network import (
    GREY,
    MARGIN,
    SIGN,
    STYLES,
    box,
    document,
    edge_legend,
    network,
    shorten,
    style_of,
    text_width,
    words,
)
from radpair.records import Graph

_LINE = 25
_INK = "#24292f"


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens set together: one entity, or a single token between two."""

    start: int
    stop: int
    """Exclusive."""
    entity: int = -1
    """The entity's index, or -1."""


def svg(graph: Graph, width: int = 660, limit: int = 400) -> str:
    """A self-contained SVG drawing of one graph, ``width`` pixels wide.

    Above, the report's text (at most ``limit`` tokens) with entities coloured by their label;
    below, one box an entity, in columns (qualifiers, observations, anatomy, what modifies the
    anatomy), joined by arrows for their relations. All text is escaped.
    """
    text, top = _text(graph, width, limit)
    shown = [index for index, entity in enumerate(graph.entities) if entity.end < limit]
    drawn = [*_legend(), *text]
    bottom = top + 6
    if shown:
        line = top + 16
        boxes, bottom = network(graph, shown, width, line + 10)
        rule = (
            f"<line x1='{MARGIN}' x2='{width - MARGIN}' y1='{line}' y2='{line}' stroke='#d0d7de'/>"
        )
        drawn += [rule, *boxes, *edge_legend(bottom + 14)]
        bottom += 20
    return document(drawn, width, bottom + MARGIN)


def _text(graph: Graph, width: int, limit: int) -> tuple[list[str], float]:
    drawn: list[str] = []
    spoken = graph.text.split(" ") if graph.text else []
    x, y = float(MARGIN), 58.0
    for piece in pieces(graph):
        if piece.start >= limit:
            break
        shown = shorten(" ".join(spoken[piece.start : piece.stop]))
        entity = graph.entities[piece.entity] if piece.entity >= 0 else None
        style = style_of(entity) if entity else None
        wide = text_width(shown)
        if style:
            wide += 6 + (SIGN if style.sign else 0)
        if x + wide > width - MARGIN and x > MARGIN:
            x, y = float(MARGIN), y + _LINE
        if style:
            drawn.append(box(x, y - 14, wide, 19, style))
            drawn.append(words(x + 3, y, shown, style.ink, sign=style.sign))
        else:
            drawn.append(words(x, y, shown, _INK))
        x += wide + 4
    if len(spoken) > limit:
        more = f"... and {len(spoken) - limit} more words"
        if x + text_width(more) > width - MARGIN:
            x, y = float(MARGIN), y + _LINE
        drawn.append(words(x, y, more, GREY))
    return drawn, y


def _legend() -> list[str]:
    drawn, x = [], float(MARGIN)
    for style in STYLES.values():
        drawn.append(box(x, 12, 16, 12, style))
        if style.sign:
            drawn.append(words(x + 5, 21.5, style.sign, style.ink, 10))
        drawn.append(words(x + 21, 22.5, style.name, GREY, 11.5))
        x += 40 + text_width(style.name) * 11.5 / 13
    return drawn


def pieces(graph: Graph) -> Iterator[Piece]:
    """The tokens in order; each entity in one piece, other tokens singly.

    Where entities overlap, a token belongs to the first of them.
    """
    owners: dict[int, int] = {}
    for index, entity in enumerate(graph.entities):
        for at in range(entity.start, entity.end + 1):
            owners.setdefault(at, index)
    count = len(graph.text.split(" ")) if graph.text else 0
    at = 0
    while at < count:
        owner = owners.get(at, -1)
        stop = at + 1
        while owner >= 0 and owners.get(stop) == owner:
            stop += 1
        yield Piece(at, stop, owner)
        at = stop
