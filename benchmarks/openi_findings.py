"""Findings labels from the rules against the human labels of the Open-i reports.

    python benchmarks/openi_findings.py [--half even|odd|both] [--errors FINDING]

The rules were developed on reports with odd ids; reports with even ids are the ones to quote.
Reads ``../shared/data/openi-reports`` and skips where it is absent.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from radpair.graphs import extract
from radpair.graphs.labels import finding_labels, finding_names

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "openi-reports"
LEFT_OUT = "Hernia"


def report_text(path: Path) -> str:
    """Findings and impression of one Open-i file, under their headings."""
    parts = []
    for element in ElementTree.parse(path).getroot().iter("AbstractText"):
        if element.get("Label") in {"FINDINGS", "IMPRESSION"} and element.text:
            parts.append(f"{element.get('Label')}: {element.text}")
    return "\n\n".join(parts)


def studies(half: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(id, text, gold row) of every labelled report of one half."""
    with (DATA / "findings_gold.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            number = int(row["filename"].removeprefix("CXR"))
            if half == "both" or (number % 2 == 1) == (half == "odd"):
                path = DATA / "reports" / f"{number}.xml"
                if path.exists():
                    yield row["filename"], report_text(path), row


def scores(true: int, false: int, missed: int) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    precision = true / (true + false) if true + false else float("nan")
    recall = true / (true + missed) if true + missed else float("nan")
    return precision, recall, 2 * true / max(2 * true + false + missed, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=("even", "odd", "both"), default="even")
    parser.add_argument("--errors", default="", help="print the disagreements of one finding")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"skipped: no Open-i reports at {DATA}")
        sys.exit(0)
    rows = list(studies(options.half))
    started = time.perf_counter()
    graphs = [extract(text) for _, text, _ in rows]
    seconds = time.perf_counter() - started
    counts = {name: [0, 0, 0] for name in finding_names("nih14")}
    for (report, text, gold), graph in zip(rows, graphs, strict=True):
        labels = finding_labels(graph, "nih14")
        for name, count in counts.items():
            said, meant = labels.get(name) == 1.0, gold[name] == "1"
            if said or meant:
                count[0 if said and meant else 1 if said else 2] += 1
            if name == options.errors and said != meant:
                print(f"{report} {'spurious' if said else 'missed'}: {text}\n")
    print(f"{len(rows)} reports ({options.half} ids), {len(rows) / seconds:.0f} reports/s")
    print(f"{'finding':<20}{'gold':>6}{'precision':>11}{'recall':>8}{'F1':>7}")
    for name, (true, false, missed) in counts.items():
        precision, recall, f1 = scores(true, false, missed)
        print(f"{name:<20}{true + missed:>6}{precision:>11.3f}{recall:>8.3f}{f1:>7.3f}")
    total = [sum(c[i] for name, c in counts.items() if name != LEFT_OUT) for i in range(3)]
    precision, recall, f1 = scores(*total)
    print(f"{'micro (13)':<20}{total[0] + total[2]:>6}{precision:>11.3f}{recall:>8.3f}{f1:>7.3f}")


if __name__ == "__main__":
    main()
