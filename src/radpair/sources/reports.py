"""Reports without images: a table, or a folder of text or Open-i XML files; one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

from radpair.errors import SourceError
from radpair.places import here, located
from radpair.sources.labels import is_blank
from radpair.sources.tabular import (
    READERS,
    bad_byte,
    check_columns,
    column_names,
    iterate_rows,
    table_kind,
)

ID_COLUMN, TEXT_COLUMN = "id", "text"
TEXT_FILE, XML_FILE = ".txt", ".xml"
SEEN = ("findings", "impression", "narrative", "summary", "addendum", "wet read")
"""Sections that say what was seen; the others say what was asked, known or done."""
SECTIONS = (
    *SEEN,
    "end of impression",
    "indication",
    "history",
    "comparison",
    "technique",
    "procedure",
    "examination",
    "recommendation",
)
"""Sections that a column's or an XML part's name may stand for."""
_SAMPLE = 2000
"""Rows read to say which columns could serve."""


@dataclass(frozen=True, slots=True)
class ReportText:
    """One report as it came, with the id that its graph and labels bear."""

    id: str
    text: str


def read_reports(
    path: Path, id_column: str | None = None, text_columns: Sequence[str] = ()
) -> Iterator[ReportText]:
    """Every report of a table, a folder, or a single file, in order, one in memory at a time.

    A table is CSV, TSV, JSON lines (also gzipped) or Parquet; without names, its columns ``id``
    and ``text`` are read. One text column is taken as it is. Several are joined under headings
    from their names (``section_findings``: ``FINDINGS:``); where only those that tell what was
    asked or done hold text, the report is empty. A folder holds ``.txt`` files (id: the relative
    path without its ending) or Open-i's XML (id: its ``uId``; its parts under their headings), in
    the order of their paths, numbers by value.

    Raises ``SourceError`` naming the row or file: a missing column (with the nearest, or those
    that could serve), a blank or repeated id, text that is not UTF-8 or is binary, malformed
    JSON or XML, nothing to read.
    """
    path = located(path)
    if not path.exists():
        raise SourceError(f"{path}: there is no such file or folder; check the path")
    files = report_files(path)
    if files and (id_column or text_columns):
        raise SourceError(
            f"{path}: columns were named but this is no table; leave out the column names"
        )
    found = _from_files(path, files) if files else _from_table(path, id_column, text_columns)
    return _unique(path, found)


def count_reports(path: Path) -> int | None:
    """How many reports ``read_reports`` will give where that is cheap to know, else None."""
    files = report_files(path)
    if files:
        return len(files)
    if table_kind(path) == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(here(path)).num_rows)
    return None


def report_files(path: Path) -> list[Path]:
    """The text and XML files of a folder, or the one file that ``path`` is; none for a table.

    Raises ``SourceError`` for a folder with nothing to read and for a file of no known kind.
    """
    if path.is_file():
        if path.suffix.lower() in {TEXT_FILE, XML_FILE}:
            return [path]
        if path.suffix.lower() != ".gz" and path.suffix.lower() not in READERS:
            raise SourceError(
                f"{path}: is neither a table ({', '.join(READERS)}) nor a report "
                f"({TEXT_FILE}, {XML_FILE}); give one of these or a folder of reports"
            )
        return []
    files = [
        file
        for file in path.rglob("*")
        if file.suffix.lower() in {TEXT_FILE, XML_FILE}
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and file.is_file()
    ]
    if not files:
        raise SourceError(
            f"{path}: holds no {TEXT_FILE} or {XML_FILE} file; give the folder of the reports"
        )
    return sorted(files, key=lambda file: _natural(file.relative_to(path).as_posix()))


def heading(name: str) -> str:
    """The heading for a column's or XML part's name: the section it names, or findings."""
    words = re.sub(r"[\W_]+", " ", name).strip().lower()
    bare = words.removeprefix("section ")
    for section in (bare, *sorted(SECTIONS, key=len, reverse=True)):
        if section in SECTIONS and re.search(rf"\b{section.removesuffix('s')}s?\b", bare):
            return section.upper()
    return "FINDINGS"


def under_headings(parts: Iterable[tuple[str, str]]) -> str:
    """Named parts as one report; empty where none of them says what was seen."""
    given = [(heading(name), text.strip()) for name, text in parts if text.strip()]
    if not any(title.lower() in SEEN for title, _ in given):
        return ""
    return "\n\n".join(f"{title}: {text}" for title, text in given)


def _natural(path: str) -> list[tuple[int, int, str]]:
    """A key that sorts 2 before 10."""
    pieces = re.split(r"([0-9]+)", path)
    return [(int(p), 0, p) if p.isdecimal() else (-1, 1, p) for p in pieces]


def _unique(path: Path, found: Iterator[tuple[str, ReportText]]) -> Iterator[ReportText]:
    first: dict[str, str] = {}
    for where, report in found:
        if is_blank(report.id):
            raise SourceError(f"{path}, {where}: the id is blank; fill it in")
        if report.id in first:
            raise SourceError(
                f"{path}: the id '{report.id}' stands in {first[report.id]} and in {where}; "
                "give each report an id of its own, or another id column"
            )
        if "\0" in report.text:
            raise SourceError(
                f"{path}, {where}: is binary or UTF-16 (a NUL at character "
                f"{report.text.index(chr(0))}), not report text; mend or remove it"
            )
        first[report.id] = where
        yield report


def _from_table(
    path: Path, id_column: str | None, text_columns: Sequence[str]
) -> Iterator[tuple[str, ReportText]]:
    id_column, texts = _columns(path, id_column, text_columns)
    empty = True
    for row in iterate_rows(path, [id_column, *texts]):
        empty, cells = False, row.cells
        if len(texts) == 1:
            text = cells[texts[0]]
        else:
            text = under_headings((name, cells[name]) for name in texts)
        yield f"row {row.number}", ReportText(cells[id_column], text)
    if empty:
        raise SourceError(f"{path}: has no rows, so no reports; give a table with a row a report")


def _columns(
    path: Path, id_column: str | None, text_columns: Sequence[str]
) -> tuple[str, list[str]]:
    """The columns to read: those that were named, or the usual ones where the table has them."""
    known = column_names(path)
    if not known:
        raise SourceError(f"{path}: is empty; give a table of reports")
    texts = list(dict.fromkeys(text_columns)) or [TEXT_COLUMN]
    check_columns(path, known, [name for name in (id_column, *text_columns) if name])
    lacking = [] if id_column or ID_COLUMN in known else ["id"]
    lacking += [] if text_columns or TEXT_COLUMN in known else ["text"]
    if lacking:
        raise SourceError(f"{path}: {_advice(path, known, lacking)}")
    return id_column or ID_COLUMN, texts


def _advice(path: Path, known: Sequence[str], lacking: Sequence[str]) -> str:
    """Which columns could serve where a usual one is not there."""
    rows = [row.cells for row in islice(iterate_rows(path, known), _SAMPLE)]
    unique = [n for n in known if (c := [r[n] for r in rows]) and all(c) and len({*c}) == len(c)]
    words = {n: sum(len(row[n].split()) for row in rows) / max(len(rows), 1) for n in known}
    wordy = [n for n in sorted(known, key=lambda n: -words[n]) if words[n] >= 4]
    parts = []
    for what, fit, why in (("id", unique, "differ in every row"), ("text", wordy, "hold prose")):
        if what in lacking:
            could = f"such as {', '.join(fit[:4])}" if fit else f"but no columns {why}"
            hint = f" (columns that {why})" if fit else ""
            parts.append(f"has no column '{what}'; name one with --{what}-column, {could}{hint}")
    return "; it ".join(parts)


def _from_files(path: Path, files: Sequence[Path]) -> Iterator[tuple[str, ReportText]]:
    root = path if path.is_dir() else path.parent
    for file in files:
        place = file.relative_to(root)
        try:
            if file.suffix.lower() == XML_FILE:
                report = _openi(file)
            else:
                report = ReportText(place.with_suffix("").as_posix(), _plain(file))
        except OSError as error:
            raise SourceError(
                f"{file}: cannot be read ({error.strerror or error}); mend or remove it"
            ) from error
        yield place.as_posix(), report


def _plain(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file}: is not UTF-8 text ({bad_byte(file)}); save it with UTF-8 encoding"
        ) from error


def _openi(file: Path) -> ReportText:
    try:
        root = ElementTree.fromstring(file.read_bytes())
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise SourceError(f"{file}: is not well-formed XML ({error}); mend the file") from error
    given = root.find(".//uId")
    name = given.get("id", "").strip() if given is not None else ""
    if not name:
        raise SourceError(f"{file}: has no uId, so it is no Open-i report; remove it")
    parts = ((e.get("Label") or "", "".join(e.itertext())) for e in root.iter("AbstractText"))
    return ReportText(name, under_headings(parts))
