"""Tables on disk as rows of text: CSV, TSV, JSON lines (also gzipped) and Parquet.

CSV is separated by commas, or by semicolons as spreadsheets of some countries do: a header that
is one name between commas and several between semicolons says so.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from radpair.errors import SourceError, nearest
from radpair.places import here

if TYPE_CHECKING:
    import pyarrow.parquet as pq

CELL_LIMIT = 16 << 20
"""Characters in one cell; the csv module refuses reports above 131,072 by itself."""
PARQUET_ROWS = 1024
"""Rows of a Parquet file in memory at once."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}
SEMICOLON = ";"
_OTHERS = (("\t", "tabs", ".tsv"), (SEMICOLON, "';'", ".csv"), (",", "','", ".csv"))
"""Separators, their names, and the ending of files that have them."""
JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as a spreadsheet shows it, and the cells that were asked for."""

    number: int
    cells: dict[str, str]


def read_rows(file: Path, columns: Sequence[str], encoding: str | None = None) -> list[Row]:
    """The rows of a table with the cells of ``columns`` as stripped text, empty where missing.

    Row numbers count from 1; the header of a CSV or TSV file is row 1. Text is UTF-8 unless
    ``encoding`` names another one that Python knows.
    Raises ``SourceError`` for a missing file, an unknown format, a missing column (with the
    nearest name), a damaged file or row.
    """
    return list(iterate_rows(file, columns, encoding))


def iterate_rows(file: Path, columns: Sequence[str], encoding: str | None = None) -> Iterator[Row]:
    """As ``read_rows``, one row at a time, so that a table of any length fits in memory."""
    reader = READERS[table_kind(file)]
    if encoding and _unknown(encoding):
        raise SourceError(f"--encoding '{encoding}' is unknown; give one such as cp1252 or utf-16")
    with _named_faults(file, encoding):
        for number, cells in reader(file, columns, encoding):
            yield Row(number, cells)


def column_names(file: Path) -> list[str]:
    """The columns of a table: its header, its schema, or every key of its JSON objects."""
    kind = table_kind(file)
    with _named_faults(file):
        if kind == ".parquet":
            return list(_parquet_file(file).schema_arrow.names)
        if kind in JSON_LINES:
            return list(dict.fromkeys(key for _, row in _objects(file) for key in row))
        with _text(file) as handle:
            rows = csv.reader(handle, delimiter=_delimiter(file), strict=True)
            return [name.strip() for name in next(rows, [])]


def table_kind(file: Path) -> str:
    """The suffix that says how to read a table. Raises ``SourceError``."""
    if not file.is_file():
        raise SourceError(f"{file}: there is no such file; check the path of the table")
    kind = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"][-1:]
    if not kind or kind[0] not in READERS:
        raise SourceError(
            f"{file}: is no table that radpair knows; give one that ends in {', '.join(READERS)}"
        )
    return kind[0]


def bad_byte(file: Path) -> str:
    """Where a file stops being UTF-8, as ``line 3, byte 120``, with what it may be instead."""
    opened = gzip.open if file.suffix.lower() == ".gz" else open
    start = 0
    with opened(here(file), "rb") as handle:
        for number, line in enumerate(handle, 1):
            if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "byte 0; it looks like UTF-16"
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"line {number}, byte {start + error.start}"
            start += len(line)
    return "at its end"


def _unknown(encoding: str) -> bool:
    try:
        "".encode(encoding)
    except (LookupError, ValueError):  # also one that is none of text, such as hex
        return True
    return False


def _is_utf8(encoding: str | None) -> bool:
    return encoding is None or codecs.lookup(encoding).name == "utf-8"


@contextmanager
def _named_faults(file: Path, encoding: str | None = None) -> Iterator[None]:
    """``encoding`` is the one that was asked for, None where no other can be."""
    try:
        yield
    except UnicodeError as error:
        if not _is_utf8(encoding):
            raise SourceError(
                f"{file}: is no text in the encoding {encoding}; give another --encoding"
            ) from error
        other = ", or name its own by --encoding, such as cp1252" if encoding else ""
        raise SourceError(
            f"{file}: is not UTF-8 text ({bad_byte(file)}); save it with UTF-8 encoding{other}"
        ) from error
    except csv.Error as error:
        raise SourceError(f"{file}, row 1: {error}; mend the row") from error
    except (OSError, EOFError) as error:
        raise SourceError(f"{file}: cannot be read ({error}); check the file") from error


def _delimiter(file: Path, encoding: str | None = None) -> str:
    """What separates the cells, by the header. Raises ``SourceError`` where the name says other."""
    kind = table_kind(file)
    with _text(file, encoding) as handle:
        header = next(csv.reader(handle, delimiter=DELIMITERS[kind]), [])
    if len(header) != 1:
        return DELIMITERS[kind]
    if kind == ".csv" and SEMICOLON in header[0]:
        return SEMICOLON
    for other, name, ending in _OTHERS:
        if other in header[0] and ending != kind:
            raise SourceError(
                f"{file}: its header is separated by {name}; give it a name that ends in {ending}"
            )
    return DELIMITERS[kind]


def _separated(
    file: Path, columns: Sequence[str], encoding: str | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    before = csv.field_size_limit(CELL_LIMIT)
    number = 1
    try:
        with _text(file, encoding) as handle:
            rows = csv.reader(handle, delimiter=_delimiter(file, encoding), strict=True)
            header = [name.strip() for name in next(rows, [])]
            places = _places(file, header, columns)
            for number, cells in enumerate(rows, 2):
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise SourceError(
                        f"{file}, row {number}: has {len(cells)} cells where the header has "
                        f"{len(header)}; mend the row"
                    )
                yield number, {name: cells[place].strip() for name, place in places.items()}
    except csv.Error as error:
        raise SourceError(f"{file}, row {number + 1}: {error}; mend the row") from error
    finally:
        csv.field_size_limit(before)


def _places(file: Path, header: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    if not header:
        raise SourceError(f"{file}: is empty; give a table with a header")
    check_columns(file, header, columns)
    for name in columns:
        if header.count(name) > 1:
            raise SourceError(f"{file}: has the column '{name}' twice; rename one")
    return {name: header.index(name) for name in columns}


def check_columns(file: Path, known: Sequence[str], columns: Sequence[str]) -> None:
    """Raises ``SourceError`` naming the first column that is not there, and the nearest."""
    for name in columns:
        if name not in known:
            hint = nearest(name, known)
            if any(SEMICOLON in other for other in known):
                hint += (
                    f" (the header holds '{SEMICOLON}'; where that separates the columns, put a "
                    "name with a comma in quotes)"
                )
            raise SourceError(f"{file}: has no column '{name}'{hint}")


def _json_lines(
    file: Path, columns: Sequence[str], encoding: str | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    _check_keys(file, columns, encoding)
    for number, row in _objects(file, encoding):
        yield number, {name: _cell(file, number, name, row) for name in columns}


def _check_keys(file: Path, columns: Sequence[str], encoding: str | None) -> None:
    """Every column is a key of some object; looks no further than the last one to appear."""
    seen: set[str] = set()
    empty = True
    for _, row in _objects(file, encoding):
        empty = False
        seen |= row.keys()
        if seen.issuperset(columns):
            return
    if empty:
        raise SourceError(f"{file}: is empty; give a table with one JSON object a line")
    check_columns(file, sorted(seen), columns)


def _objects(file: Path, encoding: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    with _text(file, encoding) as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                yield number, _object(file, number, line)


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise SourceError(f"{file}, row {number}: is not JSON ({error}); mend the row") from error
    except RecursionError as error:
        raise SourceError(
            f"{file}, row {number}: is nested too deeply to be a row of a table; mend the row"
        ) from error
    if not isinstance(row, dict):
        raise SourceError(f"{file}, row {number}: is not a JSON object; mend the row")
    return row


def _parquet(
    file: Path, columns: Sequence[str], _encoding: str | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    import pyarrow as pa

    try:
        table = _parquet_file(file)
        check_columns(file, table.schema_arrow.names, columns)
        number = 0
        for batch in table.iter_batches(PARQUET_ROWS, columns=list(dict.fromkeys(columns))):
            for row in batch.to_pylist():
                number += 1
                yield number, {name: _cell(file, number, name, row) for name in columns}
    except pa.ArrowException as error:
        raise SourceError(f"{file}: is not a readable Parquet file; write it again") from error


def _parquet_file(file: Path) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(here(file))
    except pa.ArrowException as error:
        raise SourceError(f"{file}: is not a readable Parquet file; write it again") from error


def _cell(file: Path, number: int, name: str, row: dict[str, Any]) -> str:
    """Text of a typed value: true is 1, a whole float loses its point, null is empty."""
    value = row.get(name)
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, dict, bytes)):
        raise SourceError(
            f"{file}, row {number}, column '{name}': holds a {type(value).__name__} where text "
            "or a number is needed; flatten the column"
        )
    return str(value).strip()


@contextmanager
def _text(file: Path, encoding: str | None = None) -> Iterator[TextIO]:
    name = "utf-8-sig" if encoding is None or _is_utf8(encoding) else encoding
    if file.suffix.lower() == ".gz":
        with (
            gzip.open(here(file), "rb") as raw,
            io.TextIOWrapper(raw, name, newline="") as text,
        ):
            yield text
    else:
        with file.open(encoding=name, newline="") as text:
            yield text


Reader = Callable[[Path, Sequence[str], str | None], Iterator[tuple[int, dict[str, str]]]]
READERS: dict[str, Reader] = {
    ".csv": _separated,
    ".tsv": _separated,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
