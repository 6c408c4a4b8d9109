"""Looks through the reports of a study set or of a collection for what may name somebody."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radpair.errors import StudySetError
from radpair.graphs.tables import counted
from radpair.places import located
from radpair.reports.identifiers import KINDS, identifiers
from radpair.sources.reports import ReportText, read_reports
from radpair.studyset.files import write_bytes, writing_to
from radpair.studyset.manifest import MANIFEST, PARTS
from radpair.studyset.read import StudySet

LISTED = 10
"""Ids of each kind on the screen; the table has all."""
COLUMNS = ("id", "kind", "start", "end")
TEXT = "text"


@dataclass(slots=True)
class Scan:
    """What was found, without the text."""

    path: Path
    reports: int = 0
    found: Counter[str] = field(default_factory=Counter)
    """Findings of each kind."""
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The reports with each kind, in their order."""
    shown: list[str] = field(default_factory=list)
    """The findings themselves, where they were asked for."""
    out: Path | None = None

    def __str__(self) -> str:
        if not self.found:
            kinds = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
            return (
                f"{self.path}: nothing was found in {counted(self.reports, 'report')} that has "
                f"the form of {kinds}. Names that stand alone are not found."
            )
        read = f"{counted(self.reports, 'report')} read"
        lines = [f"{self.path}: {read}. Look at these before sharing:"]
        for kind in KINDS:
            if ids := self.ids.get(kind):
                more = ", ..." if len(ids) > LISTED else ""
                lines.append(
                    f"  {kind}: {self.found[kind]:,} in {counted(len(ids), 'report')}: "
                    f"{', '.join(ids[:LISTED])}{more}"
                )
        lines += self.shown
        if self.out is not None:
            lines.append(f"Where each stands: {self.out}")
        return "\n".join(lines)


def scan(
    data: Path,
    out: Path | None = None,
    *,
    id_column: str | None = None,
    text_columns: Sequence[str] = (),
    show: bool = False,
) -> Scan:
    """Scans every report of ``data``: a study set, or what ``read_reports`` reads.

    With ``out``, a CSV with a row a finding: the report's id, the kind, and where it stands in
    the text (characters from 0). With ``show``, the text found too, on the screen and in the
    table. Raises ``RadpairError`` naming what to mend.
    """
    data = located(data)
    if out is not None and (out.suffix.lower() != ".csv" or not out.parent.is_dir()):
        raise StudySetError(f"{out}: give a file ending in .csv in a folder that exists")
    if out is not None and out.resolve() == data.resolve():
        raise StudySetError(f"{out}: is the table of reports itself; give another --out")
    result = Scan(data, out=out)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow((*COLUMNS, TEXT) if show else COLUMNS)
    for report in _reports(data, id_column, text_columns):
        result.reports += bool(report.text.strip())
        for row in _add(result, report, show):
            rows.writerow(row)
    if out is not None:
        with writing_to(out):
            write_bytes(out, table.getvalue().encode())
    return result


def _add(result: Scan, report: ReportText, show: bool) -> Iterator[tuple[str, ...]]:
    for one in identifiers(report.text):
        result.found[one.kind] += 1
        ids = result.ids[one.kind]
        if not ids or ids[-1] != report.id:
            ids.append(report.id)
        row: tuple[str, ...] = (report.id, one.kind, str(one.start), str(one.end))
        if show:
            words = " ".join(report.text[one.start : one.end].split())
            result.shown.append(f"  {report.id}, {one.kind}: {words}")
            row += (words,)
        yield row


def _reports(
    data: Path, id_column: str | None, text_columns: Sequence[str]
) -> Iterable[ReportText]:
    if not (data / MANIFEST).is_file() and not (data / PARTS).is_dir():
        return read_reports(data, id_column, text_columns)
    if id_column or text_columns:
        raise StudySetError(f"{data}: is a study set, which knows its columns; name none")
    studies = StudySet.open(data)
    return map(ReportText, studies.study_ids, studies.reports)
