"""Findings labels from the rules against the human labels of the Open-i reports.

    python benchmarks/openi_findings.py [--half even|odd|both] [--errors FINDING]
        [--corrected] [--uncertain-as-present] [--index]

The rules were developed on reports with odd ids; reports with even ids are the ones to quote.
``--corrected`` adds the table with those gold labels of the even half reversed that
``openi_even_errors.csv`` says contradict their text. Only labels on which rules and gold disagree
were read for that, so it can only help the rules: an upper bound. ``--uncertain-as-present`` adds
the table in which a finding that the rules call uncertain counts as present. ``--index`` checks
that the gold is the report's human MeSH index rather than a reading of its text.
Reads ``../shared/data/openi-reports`` and skips where it is absent.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from radpair.graphs import extract
from radpair.graphs.labels import finding_labels, finding_names
from radpair.records import PRESENT, UNCERTAIN

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "openi-reports"
ERRORS = Path(__file__).with_name("openi_even_errors.csv")
CONTRADICTS = "gold contradicts the text"
LEFT_OUT = "Hernia"
HEADINGS = {
    "Atelectasis": {"Pulmonary Atelectasis"},
    "Effusion": {"Pleural Effusion", "Pericardial Effusion"},
    "Infiltration": {"Infiltrate"},
    "Edema": {"Pulmonary Edema"},
    "Emphysema": {"Emphysema", "Pulmonary Emphysema"},
    "Fibrosis": {"Pulmonary Fibrosis"},
    "Pleural_Thickening": {"Thickening"},
}
"""Major MeSH headings behind a finding of the gold; the others bear the finding's own name."""

Counts = dict[str, list[int]]
"""Findings, each with how many labels are right, spurious and missed."""


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


def disagreements(
    labels: Sequence[Mapping[str, float]],
    gold: Sequence[Mapping[str, bool]],
    present: frozenset[float] = frozenset({PRESENT}),
) -> tuple[Counts, list[tuple[int, str, str]]]:
    """Counts of every finding, and (row, finding, missed or spurious) of each disagreement."""
    counts = {name: [0, 0, 0] for name in finding_names("nih14")}
    wrong = []
    for row, (given, meant) in enumerate(zip(labels, gold, strict=True)):
        for name, count in counts.items():
            said = given.get(name) in present
            if said or meant[name]:
                count[0 if said and meant[name] else 1 if said else 2] += 1
            if said != meant[name]:
                wrong.append((row, name, "spurious" if said else "missed"))
    return counts, wrong


def corrected(
    reports: Sequence[str], gold: Sequence[Mapping[str, bool]]
) -> list[Mapping[str, bool]]:
    """The gold labels, those reversed that contradict the text of their report."""
    with ERRORS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["category"] == CONTRADICTS]
    changes: dict[str, dict[str, bool]] = {}
    for row in rows:
        changes.setdefault(row["report"], {})[row["finding"]] = row["kind"] == "spurious"
        print(f"{row['report']} {row['finding']}: gold {int(row['kind'] == 'missed')} reversed")
    return [
        {**meant, **changes.get(report, {})} for report, meant in zip(reports, gold, strict=True)
    ]


def off_index(half: str) -> list[str]:
    """Gold labels that are not 1 exactly where one of the finding's headings stands."""
    found = []
    for report, _, gold in studies(half):
        root = ElementTree.parse(DATA / "reports" / f"{report.removeprefix('CXR')}.xml").getroot()
        headings = {(e.text or "").split("/")[0].strip() for e in root.iter("major")}
        for name in finding_names("nih14"):
            indexed = bool(headings & HEADINGS.get(name, {name}))
            if name != LEFT_OUT and indexed != (gold[name] == "1"):
                found.append(f"{report} {name}")
    return found


def show(counts: Counts) -> None:
    """Print the table of every finding and the micro-average."""
    print(f"{'finding':<20}{'gold':>6}{'precision':>11}{'recall':>8}{'F1':>7}")
    for name, (true, false, missed) in counts.items():
        precision, recall, f1 = scores(true, false, missed)
        print(f"{name:<20}{true + missed:>6}{precision:>11.3f}{recall:>8.3f}{f1:>7.3f}")
    total = [sum(c[i] for name, c in counts.items() if name != LEFT_OUT) for i in range(3)]
    precision, recall, f1 = scores(*total)
    print(f"{'micro (13)':<20}{total[0] + total[2]:>6}{precision:>11.3f}{recall:>8.3f}{f1:>7.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=("even", "odd", "both"), default="even")
    parser.add_argument("--errors", default="", help="print the disagreements of one finding")
    parser.add_argument(
        "--corrected", action="store_true", help="also with contradicting gold labels reversed"
    )
    parser.add_argument(
        "--uncertain-as-present", action="store_true", help="also with uncertain as present"
    )
    parser.add_argument("--index", action="store_true", help="also compare gold and MeSH index")
    options = parser.parse_args()
    if options.corrected and options.half != "even":
        parser.error("--corrected: only the even half was read")
    if not DATA.exists():
        print(f"skipped: no Open-i reports at {DATA}")
        sys.exit(0)
    rows = list(studies(options.half))
    started = time.perf_counter()
    graphs = [extract(text) for _, text, _ in rows]
    seconds = time.perf_counter() - started
    labels = [finding_labels(graph, "nih14") for graph in graphs]
    names = finding_names("nih14")
    gold = [{n: row[n] == "1" for n in names} for _, _, row in rows]
    counts, wrong = disagreements(labels, gold)
    for row, name, kind in wrong:
        if name == options.errors:
            print(f"{rows[row][0]} {kind}: {rows[row][1]}\n")
    print(f"{len(rows)} reports ({options.half} ids), {len(rows) / seconds:.0f} reports/s")
    show(counts)
    if options.index:
        others = ", ".join(off_index(options.half)) or "none"
        print(f"gold labels that are not the report's MeSH index: {others}")
    if options.corrected:
        print("\nwith the gold labels that contradict their text reversed")
        show(disagreements(labels, corrected([report for report, _, _ in rows], gold))[0])
    if options.uncertain_as_present:
        print("\nwith uncertain counted as present")
        lenient, left = disagreements(labels, gold, frozenset({PRESENT, UNCERTAIN}))
        before, after = (
            {error for error in errors if error[1] != LEFT_OUT} for errors in (wrong, left)
        )
        missed = sum(kind == "missed" for _, _, kind in before)
        print(f"{len(before - after)} of {missed} missed found, {len(after - before)} new spurious")
        show(lenient)


if __name__ == "__main__":
    main()
