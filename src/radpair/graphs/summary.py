"""What a corpus of graphs holds: counts, medians, and the most frequent words and pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from radpair.graphs import schema
from radpair.records import Graph

Frequent = tuple[tuple[str, int], ...]
"""Words and how often they occur, the most frequent first."""

STATUSES = {
    schema.PRESENT: "present",
    schema.ABSENT: "absent",
    schema.UNCERTAIN: "uncertain",
}
"""What an observation's label says of it; a measurement has no status of its own."""
_ANATOMY = frozenset({schema.ANATOMY, schema.UNCERTAIN_ANATOMY, schema.ABSENT_ANATOMY})


@dataclass(frozen=True, slots=True)
class CorpusSummary:
    """Counts over all graphs; medians over those that have an entity."""

    reports: int
    with_entities: int
    entities: Mapping[str, int]
    """By label, every label of the schema."""
    relations: Mapping[str, int]
    """By type, every type of the schema."""
    medians: Mapping[str, float]
    """Of ``tokens``, ``entities``, ``relations`` and ``components`` of a graph."""
    components: Mapping[int, int]
    """How many graphs have so many connected components."""
    observations: Mapping[str, Frequent]
    """By status: ``present``, ``absent``, ``uncertain``."""
    anatomy: Frequent
    pairs: Frequent
    """``observation → anatomy (status)``, as ``located_at`` joins them."""

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "reports": self.reports,
            "with_entities": self.with_entities,
            "without_entities": self.reports - self.with_entities,
            "entities": dict(self.entities),
            "relations": dict(self.relations),
            "medians": dict(self.medians),
            "components": {str(size): count for size, count in self.components.items()},
            "observations": {name: dict(words) for name, words in self.observations.items()},
            "anatomy": dict(self.anatomy),
            "pairs": dict(self.pairs),
        }


def summarise(graphs: Iterable[Graph], top: int = 20) -> CorpusSummary:
    """Counts what ``graphs`` hold, with the ``top`` most frequent words and pairs of each kind.

    Words are compared in lower case; ties are in alphabetical order.
    """
    reports = 0
    labels: Counter[str] = Counter()
    types: Counter[str] = Counter()
    words: dict[str, Counter[str]] = {name: Counter() for name in STATUSES.values()}
    anatomy: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    sizes: dict[str, list[int]] = {
        name: [] for name in ("tokens", "entities", "relations", "components")
    }
    for graph in graphs:
        reports += 1
        labels.update(entity.label for entity in graph.entities)
        types.update(link.type for link in graph.relations)
        for entity in graph.entities:
            if entity.label in STATUSES:
                words[STATUSES[entity.label]][entity.text.lower()] += 1
            elif entity.label in _ANATOMY:
                anatomy[entity.text.lower()] += 1
        pairs.update(_pairs(graph))
        if graph.entities:
            sizes["tokens"].append(len(graph.text.split()))
            sizes["entities"].append(len(graph.entities))
            sizes["relations"].append(len(graph.relations))
            sizes["components"].append(components(graph))
    return CorpusSummary(
        reports=reports,
        with_entities=len(sizes["entities"]),
        entities={label: labels[label] for label in schema.ENTITY_LABELS},
        relations={kind: types[kind] for kind in schema.RELATION_TYPES},
        medians={name: float(median(counts)) for name, counts in sizes.items() if counts},
        components=dict(sorted(Counter(sizes["components"]).items())),
        observations={name: _frequent(counts, top) for name, counts in words.items()},
        anatomy=_frequent(anatomy, top),
        pairs=_frequent(pairs, top),
    )


def components(graph: Graph) -> int:
    """Into how many parts, not linked by relations, the entities of a graph fall."""
    return len(set(membership(graph)))


def membership(graph: Graph) -> list[int]:
    """For every entity one entity that stands for its part of the graph."""
    parent = list(range(len(graph.entities)))

    def root(node: int) -> int:
        """The entity that stands for the part that ``node`` is in."""
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for link in graph.relations:
        parent[root(link.source)] = root(link.target)
    return [root(node) for node in range(len(parent))]


def _pairs(graph: Graph) -> Iterable[str]:
    for link in graph.relations:
        source, target = graph.entities[link.source], graph.entities[link.target]
        if link.type == schema.LOCATED_AT and source.label in STATUSES:
            status = STATUSES[source.label]
            yield f"{source.text.lower()} → {target.text.lower()} ({status})"


def _frequent(counts: Counter[str], top: int) -> Frequent:
    return tuple(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:top])
