"""Findings labels of many reports as a table in CheXpert's CSV convention.

One row a report, its id first, then the findings in their scheme's published order: 1 present,
0 absent, -1 uncertain, blank where the report does not speak of it (Irvin et al., "CheXpert",
2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from radpair.errors import GraphError
from radpair.graphs.corpus import chunks
from radpair.graphs.extract import extract
from radpair.graphs.files import csv_row, whole, without_table
from radpair.graphs.labels import finding_labels, finding_names
from radpair.graphs.origin import why_empty
from radpair.graphs.tables import aligned, counted
from radpair.graphs.terms import Lexicon, shipped_lexicon
from radpair.processes import in_order
from radpair.records import ABSENT, PRESENT, UNCERTAIN, Entity, Graph, Relation
from radpair.reports import Account, is_empty
from radpair.reports import read as read_report
from radpair.sources.reports import ReportText

NO_FINDING = "no finding of the scheme"
_WRITTEN = {PRESENT: "1", ABSENT: "0", UNCERTAIN: "-1"}
_STATUS = {"1": "present", "0": "absent", "-1": "uncertain", "": "not mentioned"}
_SECTIONS = frozenset({"findings", "impression", "section_findings", "section_impression"})


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One report's labels as they are written."""

    id: str
    cells: tuple[str, ...]
    """``1``, ``0``, ``-1`` or empty, one a finding of the scheme."""
    reason: str
    """Why no finding is mentioned; empty where one is."""


@dataclass(slots=True)
class LabelSummary:
    """What a table of labels holds, for the user to read."""

    out: Path
    findings: tuple[str, ...]
    reports: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """By finding: how many reports have each cell."""
    unlabelled: Counter[str] = field(default_factory=Counter)
    """Reports that mention no finding, by reason."""
    account: Account = field(default_factory=Account)
    """What was left out of the reports that were read."""

    @property
    def without(self) -> Path:
        """The table (id, reason) of the reports that mention no finding."""
        return without_table(self.out, "label")

    def add(self, row: LabelRow) -> None:
        """Counts one more report."""
        self.reports += 1
        for name, cell in zip(self.findings, row.cells, strict=True):
            self.counts[name][cell] += 1
        if row.reason:
            self.unlabelled[row.reason] += 1

    def __str__(self) -> str:
        rows = [["finding", *_STATUS.values()]]
        for name in self.findings:
            rows.append([name, *(f"{self.counts[name][cell]:,}" for cell in _STATUS)])
        parts = [f"{aligned(rows, '<>>>>')}\n"]
        parts += [line for line in self.account.lines() if line.startswith("left out")]
        parts += [
            f"no label: {counted(count, 'report')} ({reason})"
            for reason, count in sorted(self.unlabelled.items(), key=lambda item: (-item[1], item))
        ]
        if self.unlabelled:
            parts.append(f"The reports without a label are listed in {self.without}.")
        parts.append(f"{self.out}: labels of {counted(self.reports, 'report')}.")
        return "\n".join(parts)


def label_reports(
    reports: Iterable[ReportText],
    scheme: str,
    account: Account,
    processes: int = 1,
    lexicon: Lexicon | None = None,
) -> Iterator[LabelRow]:
    """The labels of every report by rules, in order; the same for any number of processes.

    What was left out of the reports is added to ``account``. Raises ``GraphError`` for an unknown
    scheme and ``WorkerError`` where a process is lost.
    """
    finding_names(scheme)
    done: Iterator[tuple[list[LabelRow], Account]]
    if processes <= 1:
        done = (_label_chunk(chunk, scheme, lexicon) for chunk in chunks(reports))
    else:
        done = in_order(_label_in_worker, chunks(reports), processes, _start, (scheme, lexicon))
    for rows, left_out in done:
        account.merge(left_out)
        yield from rows


def label_graphs(
    graphs: Iterable[tuple[str, Graph | None]], scheme: str, lexicon: Lexicon | None = None
) -> Iterator[LabelRow]:
    """The labels of every graph, whoever made it, in order; None stands for a missing graph."""
    for report_id, graph in graphs:
        if graph is None:
            yield _row(report_id, Graph(""), scheme, lexicon, "no graph")
        else:
            reason = "" if graph.entities else is_empty(graph.text) or "a graph without entities"
            yield _row(report_id, graph, scheme, lexicon, reason)


def whole_reports(graphs: Mapping[str, Graph]) -> dict[str, Graph]:
    """Graphs by report where some are by section: ``ID/findings`` and ``ID/impression`` joined."""
    found: dict[str, Graph] = {}
    for key, graph in graphs.items():
        report_id, _, section = key.rpartition("/")
        name = report_id if report_id and section.lower() in _SECTIONS else key
        found[name] = _joined(found[name], graph) if name in found else graph
    return found


def write_labels(
    out: Path,
    id_name: str,
    scheme: str,
    rows: Iterable[LabelRow],
    progress: Callable[[int], None] | None = None,
) -> LabelSummary:
    """Writes the table to ``out``, which is replaced as a whole once every row is there.

    ``id_name`` heads the column of ids. Reports without a label are also listed, with their
    reasons, in ``OUT.without-label.csv``. Raises ``GraphError`` for an unknown scheme, for an id
    column named as a finding, and where ``out`` can be no file or cannot be written.
    """
    names = finding_names(scheme)
    if id_name in names:
        raise GraphError(f"The id column '{id_name}' is named as a finding; rename the column.")
    if out.is_dir() or not out.parent.is_dir():
        raise GraphError(f"{out}: is a folder or stands in none; give --out a file's name.")
    summary = LabelSummary(out, names, counts={name: Counter() for name in names})
    with whole(out) as table, whole(summary.without) as without:
        table.write(csv_row([id_name, *names]))
        without.write(csv_row(["id", "reason"]))
        for row in rows:
            table.write(csv_row([row.id, *row.cells]))
            if row.reason:
                without.write(csv_row([row.id, row.reason]))
            summary.add(row)
            if progress is not None:
                progress(summary.reports)
    return summary


def _label_chunk(
    reports: list[ReportText], scheme: str, lexicon: Lexicon | None
) -> tuple[list[LabelRow], Account]:
    account = Account()
    rows = []
    for report in reports:
        reading = read_report(report.text)
        account.add(reading)
        graph = Graph("") if reading.reason else extract(report.text, lexicon)
        reason = why_empty(reading.reason, graph, lexicon or shipped_lexicon())
        rows.append(_row(report.id, graph, scheme, lexicon, reason))
    return rows, account


def _row(
    report_id: str, graph: Graph, scheme: str, lexicon: Lexicon | None, reason: str
) -> LabelRow:
    labels = finding_labels(graph, scheme, lexicon or shipped_lexicon())
    cells = tuple(_WRITTEN[labels[n]] if n in labels else "" for n in finding_names(scheme))
    return LabelRow(report_id, cells, "" if labels else reason or NO_FINDING)


def _joined(first: Graph, second: Graph) -> Graph:
    tokens, entities = len(first.text.split(" ")), len(first.entities)
    moved = (Entity(e.text, e.label, e.start + tokens, e.end + tokens) for e in second.entities)
    linked = (Relation(r.source + entities, r.type, r.target + entities) for r in second.relations)
    return Graph(
        f"{first.text} {second.text}",
        (*first.entities, *moved),
        (*first.relations, *linked),
    )


_worker: tuple[str, Lexicon | None] = ("", None)
"""In a worker process, the scheme and the lexicon that it was started with."""


def _start(scheme: str, lexicon: Lexicon | None) -> None:
    global _worker
    _worker = (scheme, lexicon)


def _label_in_worker(reports: list[ReportText]) -> tuple[list[LabelRow], Account]:
    return _label_chunk(reports, *_worker)
