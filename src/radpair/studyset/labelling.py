"""Findings labels of a study set, a collection of reports, or a file of graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radpair.errors import GraphError, nearest
from radpair.graphs import finding_names, load_lexicon
from radpair.graphs.files import check_output, without_table
from radpair.graphs.label_table import (
    LabelRow,
    LabelSummary,
    label_graphs,
    label_reports,
    whole_reports,
    write_labels,
)
from radpair.graphs.radgraph_json import read
from radpair.graphs.terms import Lexicon
from radpair.places import Place, located
from radpair.reports import Account
from radpair.sources.reports import ID_COLUMN, ReportText, count_reports, read_reports, report_files
from radpair.studyset.manifest import MANIFEST, PARTS
from radpair.studyset.read import StudySet

RULES, GRAPHS = "rules", "graphs"
STUDY_ID = "study_id"
GRAPH_FILE = ".json"
REPORT_ENDINGS = frozenset({".csv", ".tsv", ".parquet", ".gz", ".txt", ".xml"})
"""Endings of files that hold reports and never graphs."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a table of labels, and how to head and count them."""

    rows: Iterator[LabelRow]
    id_name: str
    total: int | None


def label(
    data: Path,
    scheme: str,
    out: Path | None = None,
    *,
    id_column: str | None = None,
    text_columns: Sequence[str] = (),
    origin: str | None = None,
    lexicon: Path | None = None,
    processes: int = 1,
    progress: Callable[[int, int | None], None] | None = None,
) -> LabelSummary:
    """Writes the labels of every report of ``data``, one row each, in their order.

    ``data`` is a study set, what ``radpair.sources.reports.read_reports`` reads, or RadGraph's
    JSON (a file ending in ``.json``, or any with ``origin`` ``graphs``). ``origin`` is ``rules``
    (read the reports) or ``graphs`` (take the graphs that are there); without it, rules, but
    graphs for a JSON file. A study set's labels go to ``labels-SCHEME.csv`` inside it unless
    ``out`` is given. Reports without a label are listed with their reason in the table that
    ``without_table`` names. Raises ``RadpairError`` naming what to mend.
    """
    finding_names(scheme)
    data = located(data)
    is_set = (data / MANIFEST).is_file() or (data / PARTS).is_dir()
    _check_origin(data, origin, is_set)
    target = _target(data, scheme, out, is_set)
    read_here = [] if isinstance(data, Place) else [data]
    check_output(target, [".csv"], [*read_here, lexicon], [without_table(target, "label")])
    terms = load_lexicon(lexicon) if lexicon else None
    account = Account()
    if is_set:
        if id_column or text_columns:
            raise GraphError(f"{data}: is a study set, which knows its columns; name none")
        found = _of_set(data, scheme, origin, terms, processes, account)
    elif origin == GRAPHS or (origin is None and data.suffix.lower() == GRAPH_FILE):
        found = _of_graphs(data, scheme, terms)
    else:
        reports = read_reports(data, id_column, text_columns)
        rows = label_reports(reports, scheme, account, processes, terms)
        is_table = not report_files(data)
        id_name = (id_column or ID_COLUMN) if is_table else ID_COLUMN
        found = _Rows(rows, id_name, count_reports(data))
    told = None if progress is None else lambda done: progress(done, found.total)
    summary = write_labels(target, found.id_name, scheme, found.rows, told)
    return replace(summary, account=account)


def _target(data: Path, scheme: str, out: Path | None, is_set: bool) -> Path:
    if out is None and not is_set:
        raise GraphError(
            f"{data}: is no study set, so the labels need a place; give --out FILE.csv"
        )
    if out is None and isinstance(data, Place):
        raise GraphError(f"{data}: is not on this machine; give the labels a place, --out FILE.csv")
    return out or data / f"labels-{scheme}.csv"


def _check_origin(data: Path, origin: str | None, is_set: bool) -> None:
    """``origin`` is known, and ``data`` is something that it can read."""
    if origin not in {RULES, GRAPHS, None}:
        raise GraphError(f"--from {origin}: is unknown{nearest(origin, (RULES, GRAPHS))}")
    if origin == RULES and data.suffix.lower() == GRAPH_FILE:
        raise GraphError(
            f"{data}: holds graphs, no reports to read by rules; give --from graphs, or leave out "
            "--from"
        )
    reports = data.is_dir() or data.suffix.lower() in REPORT_ENDINGS
    if origin == GRAPHS and not is_set and reports and data.exists():
        raise GraphError(f"{data}: holds reports, not graphs; leave out --from")


def _of_set(
    path: Path,
    scheme: str,
    origin: str | None,
    lexicon: Lexicon | None,
    processes: int,
    account: Account,
) -> _Rows:
    studies = StudySet.open(path)
    if origin == GRAPHS:
        pairs = zip(studies.study_ids, studies.graphs(), strict=True)
        return _Rows(label_graphs(pairs, scheme, lexicon), STUDY_ID, len(studies))
    if not any(studies.reports):
        raise GraphError(f"{path}: the study set has no reports; --from graphs takes its graphs")
    reports = map(ReportText, studies.study_ids, studies.reports)
    rows = label_reports(reports, scheme, account, processes, lexicon)
    return _Rows(rows, STUDY_ID, len(studies))


def _of_graphs(path: Path, scheme: str, lexicon: Lexicon | None) -> _Rows:
    graphs = whole_reports(read(path))
    return _Rows(label_graphs(graphs.items(), scheme, lexicon), ID_COLUMN, len(graphs))
