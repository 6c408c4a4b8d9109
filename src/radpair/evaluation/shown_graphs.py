"""Graph prompts as they were read: what is asked, word by word, and what was not understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radpair.evaluation.prompts import Prompts
from radpair.graphs import shipped_lexicon
from radpair.graphs.match import match
from radpair.graphs.schema import SHORT_LABELS
from radpair.records import Graph

_ARTICLES = ("the", "a", "an", "this", "that", "these", "those", "its")
_FILLERS = frozenset((*_ARTICLES, "of", "in", "on", "at", "to", "and", "or", "as", "by", "for"))
_SHORT = {label: short for short, label in SHORT_LABELS.items()}


def not_understood(graph: Graph) -> list[str]:
    """The words of a graph's text that are in no entity and that the rules do not know."""
    words = [word.lower() for word in graph.text.split()]
    read = {at for part in graph.entities for at in range(part.start, part.end + 1)}
    known = match(words, shipped_lexicon()) if words else []
    read |= {at for item in known for at in range(item.start, item.end + 1)}
    left = [word for at, word in enumerate(words) if at not in read]
    return [word for word in left if word not in _FILLERS and any(map(str.isalnum, word))]


def graphs_json(prompts: Mapping[str, Prompts], labels: Sequence[str]) -> dict[str, Any]:
    """By label, ``present`` and ``absent``: each graph's text, entities ``[words, label, first,
    last token]`` and relations ``[source, type, target]`` as a prompts file writes them, and
    ``not_understood``."""
    return {
        label: {
            "present": [_plain(graph) for graph in prompts[label].present_graphs],
            "absent": [_plain(graph) for graph in prompts[label].absent_graphs],
        }
        for label in labels
        if prompts[label].present_graphs
    }


def _plain(graph: Graph) -> dict[str, Any]:
    return {
        "text": graph.text,
        "entities": [
            [e.text, _SHORT.get(e.label, e.label), e.start, e.end] for e in graph.entities
        ],
        "relations": [[r.source, r.type, r.target] for r in graph.relations],
        "not_understood": not_understood(graph),
    }


def graphs_told(found: Mapping[str, Any]) -> str:
    """``graphs_json`` for people: a line a graph, then a warning for words not understood."""
    lines, warnings = ["graph prompts as they were read"], []
    for label, sides in found.items():
        for side, graphs in sides.items():
            for graph in graphs:
                lines.append(f"  {label}, {side}: '{graph['text']}' is {_told(graph)}")
                if graph["not_understood"]:
                    words = ", ".join(f"'{word}'" for word in graph["not_understood"])
                    warnings.append(
                        f"warning: {label}, {side}: the rules know nothing of {words} in "
                        f"'{graph['text']}', so the graph asks without it"
                    )
    return "\n".join([*lines, *dict.fromkeys(warnings)])


def _told(graph: Mapping[str, Any]) -> str:
    words = [part[0] for part in graph["entities"]]
    entities = ", ".join(f"{part[0]} ({part[1]})" for part in graph["entities"])
    links = "; ".join(f"{words[a]} {type_} {words[b]}" for a, type_, b in graph["relations"])
    return f"{entities}; {links}" if links else entities
