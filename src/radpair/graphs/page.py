"""One report and its graph as a page: highlighted text, and the graph beside it.

The page is one file without scripts, fonts or pictures from elsewhere, and its policy lets nothing
run, whatever a report holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from importlib import resources

from radpair.graphs.drawing import pieces
from radpair.graphs.network import STYLES, look, network_svg
from radpair.graphs.summary import components
from radpair.graphs.tables import counted
from radpair.records import Graph
from radpair.reports import is_empty, sections
from radpair.reports.reading import WHY, read

_DRAWN = 1500
"""Tokens whose entities are drawn and linked to the text; a longer text is highlighted alone."""
_NEAR = 400
"""Characters in which a token of the graph is looked for in the report."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_NO_BLANK_BEFORE, _NO_BLANK_AFTER = frozenset(".,;:)]%!?"), frozenset("([")


def page(graph: Graph, title: str, report: str = "") -> str:
    """A self-contained HTML page of one report and its graph; all text is escaped.

    Where the ``report`` is given as it came, its own line breaks and spacing are kept, and what was
    not read of it stands beneath. Pointing at an entity shows its label and relations.
    """
    tokens = len(graph.text.split(" ")) if graph.text else 0
    counts = (
        counted(len(graph.entities), "entity", "entities"),
        counted(len(graph.relations), "relation"),
        counted(components(graph), "linked part"),
    )
    cut = f"; the graph of the first {_DRAWN:,} of {tokens:,} words is drawn"
    note = ", ".join(counts) + (cut if tokens > _DRAWN else "")
    return "".join(
        [
            "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>",
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{_safe(title)}</title><style>{_style()}{_links(graph)}</style></head><body>",
            f"<header><h1>{_safe(title)}</h1><p>{note}</p></header><main>",
            f"<section><h2>Report</h2>{_legend()}{_text(graph, report)}{_unread(report)}</section>",
            f"<section><h2 class='wide'>Graph</h2>{_graph(graph, report)}</section>",
            "</main></body></html>\n",
        ]
    )


@cache
def _style() -> str:
    sheet = (resources.files("radpair.graphs") / "page.css").read_text(encoding="utf-8")
    outline = {"": "solid", STYLES["uncertain"].dashes: "dotted", STYLES["absent"].dashes: "dashed"}
    return sheet + "".join(
        f"mark.{state}{{background:{style.fill};border-color:{style.ink};"
        f"border-style:{outline[style.dashes]}}}"
        + (f'mark.{state}::after{{content:"{style.sign}"}}' if style.sign else "")
        for state, style in STYLES.items()
    )


def _safe(text: str) -> str:
    """Escaped, without what cannot be shown or encoded; line breaks and tabs stay."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
    return escape(clean)


def _legend() -> str:
    marks = "".join(f"<mark class='{state}'>{style.name}</mark>" for state, style in STYLES.items())
    return f"<p class='legend'>{marks}</p>"


def _text(graph: Graph, report: str) -> str:
    """The text with a mark for every entity."""
    if not graph.text.strip():
        return f"<p class='none'>{_why(graph, report)}</p>"
    shown, tail = _spaced(graph.text.split(" "), read(report).body if report else "")
    hints = _hints(graph)
    parts = []
    for piece in pieces(graph):
        gap, first = shown[piece.start]
        inside = first + "".join(g + token for g, token in shown[piece.start + 1 : piece.stop])
        parts.append(_safe(gap))
        if piece.entity < 0:
            parts.append(_safe(inside))
            continue
        state = look(graph.entities[piece.entity].label)
        parts.append(
            f'<mark class="{state}" data-e="{piece.entity}" '
            f'title="{_safe(hints[piece.entity])}">{_safe(inside)}</mark>'
        )
    return f"<div class='text'>{''.join(parts).lstrip()}{_safe(tail)}</div>"


def _why(graph: Graph, report: str) -> str:
    """Why there is no entity, in the words of the tables of reports without one."""
    reason = read(report).reason if report else is_empty(graph.text)
    return f"No graph: {reason}." if reason else "No entity in this text."


def _hints(graph: Graph) -> list[str]:
    """What is shown when an entity is pointed at: label, relations out and in."""
    hints = [[f"{entity.text}: {entity.label}"] for entity in graph.entities]
    for link in graph.relations:
        hints[link.source].append(f"{link.type} \u2192 {graph.entities[link.target].text}")
        hints[link.target].append(f"\u2190 {link.type} {graph.entities[link.source].text}")
    return ["\n".join(lines[:40]) for lines in hints]


def _spaced(tokens: list[str], body: str) -> tuple[list[tuple[str, str]], str]:
    """Each token with what stands before it, and what stands after the last.

    The spacing is that of ``body`` where it has the tokens, in order, and no other word; else it is
    set.
    """
    found: list[tuple[str, str]] = []
    at = 0
    for token in tokens:
        place = body.find(token, at, at + _NEAR + len(token))
        if place < 0 or any(letter.isalnum() for letter in body[at:place]):
            return list(_set(tokens)), ""
        found.append((body[at:place], token))
        at = place + len(token)
    tail = body[at:].rstrip()
    return (list(_set(tokens)), "") if any(c.isalnum() for c in tail) else (found, tail)


def _set(tokens: list[str]) -> Iterator[tuple[str, str]]:
    """Tokens with a blank between, but none where punctuation closes up."""
    before = "("
    for token in tokens:
        closes = token[:1] in _NO_BLANK_BEFORE or before[-1:] in _NO_BLANK_AFTER
        yield ("" if closes else " "), token
        before = token


def _unread(report: str) -> str:
    """The sections that were not read, and why."""
    left = read(report).left_out if report else {}
    other = sections(report).other if left else {}
    told = "".join(
        f"<p><b>{_safe(name)}</b> ({_safe(WHY.get(name, 'not read'))}): {_safe(other[name])}</p>"
        for name in left
        if name in other
    )
    return f"<div class='aside'><h2>Not read</h2>{told}</div>" if told else ""


def _graph(graph: Graph, report: str) -> str:
    if not graph.entities:
        return f"<p class='none'>{_why(graph, report)}</p>"
    drawn = network_svg(graph, limit=_DRAWN)
    return f"<div class='graph' role='region' aria-label='Graph' tabindex='0'>{drawn}</div>"


def _links(graph: Graph) -> str:
    """Rules that raise an entity's marks, box and arrows, and its neighbours, when pointed at."""
    near: dict[int, set[int]] = {
        index: {index} for index, entity in enumerate(graph.entities) if entity.end < _DRAWN
    }
    for link in graph.relations:
        if link.source in near and link.target in near:
            near[link.source].add(link.target)
            near[link.target].add(link.source)
    return "".join(
        f'main:has([data-e="{index}"]:hover) :is('
        + ",".join(f'[data-e="{other}"]' for other in sorted(others))
        + f',[data-ends~="{index}"]){{--near:1.5px}}'
        for index, others in near.items()
        if len(others) <= 200
    )
