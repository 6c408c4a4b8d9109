"""Graphs and labels read from the phantom's reports against what was written into them.

python benchmarks/phantom_reports.py [--studies 1000] [--seed 7] [--differences 20]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from radpair.graphs import extract, finding_labels
from radpair.phantom.report import write
from radpair.phantom.truth import exams
from radpair.records import Graph


def entities(graph: Graph) -> set[tuple[object, ...]]:
    """Spans with their labels; RadGraph-XL's measurement labels count as plain ones."""
    return {
        (e.start, e.end, e.text.lower(), e.label.replace("measurement::", ""))
        for e in graph.entities
    }


def relations(graph: Graph) -> set[tuple[object, ...]]:
    """Typed links between spans."""
    spans = [(e.start, e.end, e.text.lower()) for e in graph.entities]
    return {(spans[r.source], r.type, spans[r.target]) for r in graph.relations}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--differences", type=int, default=0, help="print the most frequent ones")
    options = parser.parse_args()
    reports = [write(exam) for exam in exams(options.studies, options.seed)]
    started = time.process_time()
    graphs = [extract(report.text) for report in reports]
    seconds = time.process_time() - started
    counts: Counter[tuple[str, str]] = Counter()
    differences: Counter[tuple[object, ...]] = Counter()
    for report, graph in zip(reports, graphs, strict=True):
        pairs = {
            "labels": (
                set(finding_labels(graph, "phantom").items()),
                set(report.mentioned.items()),
            ),
            "entities": (entities(graph), entities(report.graph)),
            "relations": (relations(graph), relations(report.graph)),
        }
        for part, (said, true) in pairs.items():
            counts[part, "true"] += len(said & true)
            counts[part, "spurious"] += len(said - true)
            counts[part, "missed"] += len(true - said)
            differences.update((part, "spurious", *item[-2:]) for item in said - true)
            differences.update((part, "missed", *item[-2:]) for item in true - said)
    print(f"{len(reports)} reports, seed {options.seed}, {len(reports) / seconds:.0f} reports/s")
    print(f"{'':<12}{'precision':>11}{'recall':>8}{'F1':>7}")
    for part in ("labels", "entities", "relations"):
        true, spurious, missed = (counts[part, kind] for kind in ("true", "spurious", "missed"))
        precision, recall = true / (true + spurious), true / (true + missed)
        f1 = 2 * true / (2 * true + spurious + missed)
        print(f"{part:<12}{precision:>11.3f}{recall:>8.3f}{f1:>7.3f}")
    for difference, count in differences.most_common(options.differences):
        print(count, *difference)


if __name__ == "__main__":
    main()
